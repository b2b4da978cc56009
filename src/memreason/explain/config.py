"""Options of `memreason explain`."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import ClassVar

from memreason.config.fields import BASE_HELP, check_at_least, check_choice, option
from memreason.config.model import DTYPES
from memreason.errors import UserError
from memreason.runtime.devices import DEVICE_HELP, DEVICES

PARTS = ("interventions", "attribution", "importance")
"""What needs the model to write answers anew, beyond the answers themselves."""
INTERVENTIONS = (
    "memories_corrected", "memories_corrupted", "paraphrased", "irrelevant", "type_swapped", "step_removed", "no_edit",
)  # fmt: skip
"""The names of the interventions."""
FOR_COMPARISONS = ("memories_corrected", "memories_corrupted", "no_edit")
"""Those that say whether answers follow the memories, and whether true ones repair them; and the control."""


@dataclass
class ExplainConfig:
    """Options of `memreason explain`."""

    _argument_group_name: ClassVar[str] = "explaining"

    run: str = option("runs/demo", "the folder of a finished run")
    base_model_name_or_path: str | None = option(None, BASE_HELP)
    parts: list[str] = field(
        default_factory=lambda: list(PARTS),
        metadata={"help": "what to compute with the model, apart from confidence", "choices": list(PARTS)},
    )
    interventions: list[str] = field(
        default_factory=lambda: list(INTERVENTIONS),
        metadata={
            "help": f"which interventions to make; studies compare {' '.join(FOR_COMPARISONS)}",
            "choices": list(INTERVENTIONS),
        },
    )
    no_model: bool = option(
        False, "load no model: only what the run recorded; for a machine where the base model is not at hand"
    )
    num_test: int = option(
        200, "ask again at most this many questions of each test split, drawn by the seed; 0 = all of them"
    )
    num_importance: int = option(20, "find the importance of steps for this many traces, drawn by the seed; 0 = none")
    samples: int = option(8, "how often each rest is sampled for it")
    attention: int = option(20, "show where the model looks in this many traces, drawn by the seed; 0 = none")
    seed: int = option(0, "seed of all draws")
    batch_size: int = option(64, "answers generated at once")
    dtype: str = option("float32", "data type of the weights; only in float32 does `no_edit` repeat every answer")
    device: str = option("auto", DEVICE_HELP, DEVICES)
    output_dir: str | None = option(None, "where the report goes (default: explanation/ in the run's folder)")
    json: bool = option(False, "print the explanation as one JSON object, and nothing else, on stdout")

    def __post_init__(self) -> None:
        if not self.run:
            raise UserError("the run is missing: memreason explain runs/demo")
        for flag, minimum in (
            ("num_test", 0),
            ("num_importance", 0),
            ("samples", 1),
            ("attention", 0),
            ("batch_size", 1),
        ):
            check_at_least(flag, getattr(self, flag), minimum)
        check_choice("dtype", self.dtype, DTYPES)
        for part in self.parts:
            check_choice("parts", part, PARTS)
        for name in self.interventions:
            check_choice("interventions", name, INTERVENTIONS)
