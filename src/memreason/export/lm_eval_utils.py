"""How lm-evaluation-harness reads these questions, and finds the answers as `memreason evaluate` does.

`memreason export --to lm-eval` copies this file beside the questions, as utils.py; the YAML files there name what is
in it. It needs memreason; lm-evaluation-harness imports it.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from functools import cache
from pathlib import Path
from typing import Any

from datasets import Dataset, DatasetDict
from lm_eval.api.task import ConfigurableTask

from memreason.answers.extract import outcome
from memreason.evaluation.judge import judge_trace
from memreason.planning_tokens.layout import PlanningTokens
from memreason.records import AnswerKind, Question, Verdict

FOLDER = Path(__file__).parent
NO_ANSWER = "[no answer]"


class Questions(ConfigurableTask):
    """The questions of a file beside this one. Prompt and answer together may be as long as in training."""

    def __init__(self, config: dict[str, Any]) -> None:
        super().__init__(config={name: value for name, value in config.items() if name != "class"})

    def download(self, dataset_kwargs: dict[str, Any] | None = None, **_: Any) -> None:
        """Read the file that the YAML names, which is looked for beside it and not where the command is run."""
        lines = (FOLDER / self.config.dataset_kwargs["data_files"]).read_text(encoding="utf-8").split("\n")
        self.dataset = DatasetDict({"test": Dataset.from_list([json.loads(line) for line in lines if line])})

    def construct_requests(self, doc: dict[str, Any], ctx: str, **kwargs: Any) -> Any:
        """The request for one question; it has a limit of its own, because prompts differ in length."""
        request = super().construct_requests(doc, ctx, **kwargs)
        request.arguments[1]["max_gen_toks"] = max(1, doc["max_new_tokens"])
        return request


def strict(responses: Sequence[list[str]], docs: Sequence[dict[str, Any]]) -> list[str]:
    """The answer that each response has on its answer line."""
    return [_verdict(doc, texts[0]).strict or NO_ANSWER for texts, doc in zip(responses, docs, strict=True)]


def flexible(responses: Sequence[list[str]], docs: Sequence[dict[str, Any]]) -> list[str]:
    """The answer that is found anywhere in each response."""
    return [_verdict(doc, texts[0]).flexible or NO_ANSWER for texts, doc in zip(responses, docs, strict=True)]


def process_results(doc: dict[str, Any], results: Sequence[str]) -> dict[str, float]:
    """Whether the answer is right, and whether there is one."""
    answer = None if results[0] == NO_ANSWER else results[0]
    right = outcome(answer, doc["answer"], _settings()[1]) == "correct"
    return {"acc": float(right), "answered": float(answer is not None)}


def _verdict(doc: dict[str, Any], response: str) -> Verdict:
    layout, kind = _settings()
    question = Question(doc["id"], doc["question"], doc["answer"], tuple(doc["options"]))
    # A prompt that leaves no room for an answer gets none from memreason.
    text = "".join(layout.prefix) + response if doc["max_new_tokens"] > 0 else ""
    return judge_trace(layout.parse(question, text), kind)


@cache
def _settings() -> tuple[PlanningTokens, AnswerKind]:
    settings = json.loads((FOLDER / "settings.json").read_text(encoding="utf-8"))
    return PlanningTokens.from_json(settings["planning_tokens"]), settings["answer_kind"]
