"""Options of `memreason attention`."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import ClassVar

from memreason.config.fields import BASE_HELP, check_at_least, check_choice, option
from memreason.errors import UserError
from memreason.runtime.devices import DEVICE_HELP, DEVICES

NAMES = ("attention", "rollout", "rollout_past_start", "grad_x_input")
"""The names of `methods.METHODS`, here without torch."""


@dataclass
class AttentionConfig:
    """Options of `memreason attention`."""

    _argument_group_name: ClassVar[str] = "looking"

    question: str = option("", "the question; it can also be given in quotes without the flag")
    model_name_or_path: str = option("runs/demo", "a checkpoint of memreason; it can also be given without the flag")
    base_model_name_or_path: str | None = option(None, BASE_HELP)
    options: list[str] = field(default_factory=list, metadata={"help": "the options of a multiple-choice question"})
    trace: str | None = option(None, "a traces.jsonl, to look at a trace that was recorded instead of a new answer")
    id: str | None = option(None, "the id of its question in that file")
    method: str = option("attention", "how to attribute", NAMES)
    layer: int | None = option(None, "with --head: the layer of the head to draw, from 0")
    head: int | None = option(None, "with --layer: the head to draw, from 0 (default: the one that reads memory most)")
    output: str = option("attention", "the folder for the pictures and the data")
    device: str = option("auto", DEVICE_HELP, DEVICES)
    json: bool = option(False, "print the result as one JSON object, and nothing else, on stdout")

    def __post_init__(self) -> None:
        if bool(self.question.strip()) == bool(self.trace):
            raise UserError(
                'give a question (memreason attention runs/demo "Is Sydney the capital of Australia?") or a recorded '
                "trace (--trace FILE --id ID)" + (", not both" if self.trace else "")
            )
        if self.id and not self.trace:
            raise UserError("--id is that of a recorded trace: give its file, --trace FILE")
        if self.trace and self.options:
            raise UserError("--options belong to a question; a recorded trace has its own")
        if (self.layer is None) != (self.head is None):
            raise UserError("--layer and --head go together: give both, or none")
        for flag, value in (("layer", self.layer), ("head", self.head)):
            check_at_least(flag, value, 0)
        check_choice("method", self.method, NAMES)
        if self.layer is not None and self.method != "attention":
            raise UserError(f"--layer and --head are for --method attention, not for {self.method}")
