"""The options of `memreason label`, `memreason label inspect` and `memreason label convert`."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar

from memreason.config.fields import check_at_least, check_choice, option
from memreason.config.model import DTYPES
from memreason.errors import UserError
from memreason.label.prompts import ORDERS
from memreason.llm.base import STRUCTURED_CHOICES, check_address, read_extra_body
from memreason.llm.open_client import backend_of
from memreason.runtime.devices import DEVICE_HELP, DEVICES

_MODEL = (
    "model of the {}: a name that the endpoint knows, local:NAME (a folder, a hub id or smollm2, run on this machine), "
    "or scripted (no model: well-formed replies without meaning, to try things out)"
)
_DTYPE = "local models: data type of the weights; auto = the fastest on this machine, measured once for a run"


@dataclass
class LabelConfig:
    """Options of `memreason label`."""

    _argument_group_name: ClassVar[str] = "labelling"

    task: str | None = option(None, "label this dataset's questions (see `memreason tasks`)", aliases=["--dataset"])
    data_path: str | None = option(None, "file, folder or hub id that holds the dataset")
    input: str | None = option(
        None,
        "instead of --task: a JSONL file (also a file of rejects), or hf://owner/name, with a question and an answer "
        "in each row",
    )
    input_config: str | None = option(None, "configuration of the hub dataset given with --input")
    split: str | None = option(None, "split to label (default: train; of a file, all rows)")
    question_column: str = option("question", "--input only: the field with the question")
    answer_column: str = option("answer", "--input only: the field with the gold answer")
    options_column: str = option("options", "--input only: the field with the list of options, if there is one")
    id_column: str = option("id", "--input only: the field with a unique id, if there is one")
    num_questions: int | None = option(
        None, "label only this many questions, the first ones; a later run with more goes on from there"
    )
    output: str = option("", "file for the solutions, JSONL, which `memreason train --dataset jsonl` reads")

    planner: str = option("", _MODEL.format("planner, which gets the gold answer and writes the plan"))
    knowledge: str | None = option(
        None, _MODEL.format("knowledge agent, which answers the plan's queries") + "; default: the planner's"
    )
    order: str = option(
        "interleaved",
        "interleaved = memory and reason steps in the order of the plan; memory_first = all facts, then the "
        "reasoning; single = one call writes everything, without a knowledge agent",
        choices=ORDERS,
    )
    prompts: str | None = option(
        None, "folder with prompt files of your own; for files that it lacks, those of memreason are used"
    )
    base_url: str | None = option(
        None,
        "OpenAI-compatible endpoint (default: $OPENAI_BASE_URL, or OpenAI itself); a ?query in it is sent, but never "
        "stored",
    )
    knowledge_base_url: str | None = option(None, "endpoint of the knowledge agent (default: the planner's)")
    api_key_env: str = option("OPENAI_API_KEY", "environment variable that holds the key; no flag takes a key")
    knowledge_api_key_env: str | None = option(None, "the same for the knowledge agent (default: the planner's)")
    structured: str = option(
        "auto",
        "how to ask for JSON: json_schema, json_object, none (in the prompt only), or auto: the strictest way that the "
        "endpoint accepts",
        choices=STRUCTURED_CHOICES,
    )
    temperature: float = option(0.0, "sampling temperature of the agents")
    max_tokens: int = option(1024, "longest reply, in tokens")
    extra_body: str | None = option(None, 'JSON object added to every request, e.g. \'{"reasoning_effort": "low"}\'')
    repairs: int = option(1, "how often an agent is told what is wrong with its reply, and asked again")
    need_both: bool = option(True, "reject solutions without a memory step or without a reason step")

    concurrency: int | None = option(
        None, "questions that are labelled at the same time (default: 32; local models: the batch size)"
    )
    batch_size: int = option(8, "local models: requests that are answered at the same time")
    dtype: str = option("auto", _DTYPE, DTYPES)
    device: str = option("auto", f"local models: {DEVICE_HELP}", DEVICES)
    requests_per_minute: float | None = option(None, "rate limit of the endpoint, in requests")
    tokens_per_minute: float | None = option(None, "rate limit of the endpoint, in tokens (read and written)")
    timeout: float = option(120.0, "seconds within which a whole reply must arrive; else the request is sent again")
    retries: int = option(
        6, "how often a request is sent again, with back-off, after a 429, a 5xx, a time-out or a dropped connection"
    )
    max_requests: int | None = option(
        None, "stop at this many requests; those of earlier sittings of this run count if they got a reply"
    )
    max_cost: float | None = option(
        None, "stop before more than this many dollars are spent, in all sittings of this run together"
    )
    price: str | None = option(
        None,
        "price as IN,OUT: dollars per million tokens read, and per million written (default: from the package "
        "genai-prices)",
    )
    knowledge_price: str | None = option(None, "the same for the knowledge agent")
    batch: bool = option(False, "use the endpoint's asynchronous batches: half the price, hours instead of minutes")
    poll_seconds: float = option(30.0, "--batch only: how often to ask whether a batch is done")
    dry_run: bool = option(False, "show the first prompt and an estimate of calls, tokens and cost, and send nothing")
    request_cache: str | None = option(
        None,
        "file that keeps every reply that was paid for (default: requests.sqlite in $MEMREASON_CACHE or "
        "~/.cache/memreason)",
    )
    overwrite_output: bool = option(
        False, "if --output exists, empty it and start again (replies that were paid for stay in the cache)"
    )

    def __post_init__(self) -> None:
        if bool(self.task) == bool(self.input):
            raise UserError(
                "give either --task NAME (a dataset that memreason knows) or --input FILE (questions of your own)"
            )
        for flag in ("output", "planner"):
            if not getattr(self, flag):
                raise UserError(f"--{flag} is missing")
        if not self.output.endswith(".jsonl"):
            raise UserError(f"--output {self.output}: must end in .jsonl; it holds one solution per line")
        check_choice("order", self.order, ORDERS)
        check_address("base_url", self.base_url)
        check_address("knowledge_base_url", self.knowledge_base_url)
        check_choice("structured", self.structured, STRUCTURED_CHOICES)
        for flag, minimum in (
            ("num_questions", 1), ("max_tokens", 1), ("repairs", 0), ("concurrency", 1), ("batch_size", 1),
            ("retries", 0), ("max_requests", 1), ("max_cost", 0), ("temperature", 0), ("requests_per_minute", 1),
            ("tokens_per_minute", 1), ("timeout", 0.001), ("poll_seconds", 0),
        ):  # fmt: skip
            check_at_least(flag, getattr(self, flag), minimum)
        if self.knowledge and self.order == "single":
            raise UserError("--order single has no knowledge agent; leave out --knowledge")
        if self.batch and any(backend_of(model).runs_here for model in (self.planner, self.knowledge) if model):
            raise UserError("--batch is a service of endpoints; local and scripted agents have none")
        _ = self.extra

    @property
    def extra(self) -> dict[str, Any]:
        """--extra_body, parsed."""
        return read_extra_body(self.extra_body)


@dataclass
class InspectConfig:
    """Options of `memreason label inspect`."""

    _argument_group_name: ClassVar[str] = "inspecting"

    file: str = option("", "file of labelled solutions: .jsonl (memreason's form) or .json (the paper's form)")
    show: int = option(5, "how many solutions to show, drawn at random")
    seed: int = option(0, "seed of both random draws, of the solutions shown and of those that the reader reads")
    reader: str | None = option(
        None,
        "model that answers from the steps alone, without the answer line; named as --planner of `memreason label`",
    )
    num_read: int = option(100, "how many solutions the reader reads, drawn at random; 0 = all")
    base_url: str | None = option(None, "OpenAI-compatible endpoint of the reader")
    api_key_env: str = option("OPENAI_API_KEY", "environment variable that holds its key")
    concurrency: int = option(32, "requests that are under way at the same time")
    batch_size: int = option(8, "local models: requests that are answered at the same time")
    dtype: str = option("auto", _DTYPE, DTYPES)
    device: str = option("auto", f"local models: {DEVICE_HELP}", DEVICES)
    timeout: float = option(120.0, "seconds within which a whole reply must arrive; else the request is sent again")
    retries: int = option(6, "how often a request is sent again after a fault, with back-off")
    price: str | None = option(
        None, "price as IN,OUT: dollars per million tokens read, and per million written (default: from genai-prices)"
    )
    max_cost: float | None = option(None, "stop before more than this many dollars are spent")
    request_cache: str | None = option(
        None, "file that keeps every reply that was paid for (default: that of `memreason label`)"
    )
    json: bool = option(False, "print the figures as one JSON object")

    def __post_init__(self) -> None:
        if not self.file:
            raise UserError("the file is missing: memreason label inspect FILE.jsonl")
        for flag, minimum in (
            ("show", 0), ("num_read", 0), ("concurrency", 1), ("batch_size", 1), ("timeout", 0.001), ("retries", 0),
            ("max_cost", 0),
        ):  # fmt: skip
            check_at_least(flag, getattr(self, flag), minimum)
