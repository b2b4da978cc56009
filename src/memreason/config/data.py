"""Which questions, how many, how long a text may be, and what generates the answers."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from memreason.config.fields import check_at_least, check_choice, option

BACKENDS = ("auto", "transformers", "openvino", "vllm")
"""What generates the answers: our continuous batching (`auto`), transformers' `generate` batch by batch, or another
engine."""


@dataclass(frozen=True)
class DataConfig:
    """Which questions, how many, and how long a text may be."""

    _argument_group_name: ClassVar[str] = "data"

    dataset: str = option("atlas", "dataset name; `memreason tasks` lists them")
    data_path: str | None = option(None, "file, folder or hub id that holds the dataset (see `memreason tasks`)")
    num_train: int | None = option(None, "train on this many questions, drawn once without replacement (default: all)")
    train_subset: int | None = option(
        None,
        "train on only this many of these questions: test questions stay the same, and a smaller subset is part of a "
        "larger one (learning curves)",
    )
    num_validation: int = option(
        100, "questions taken out of train to choose the best epoch, if the data has no validation split"
    )
    num_test: int | None = option(
        100,
        "distinct questions to evaluate on: from validation at the end of each epoch, from each test split after "
        "training; 0 = all",
    )
    split_seed: int = option(0, "seed of every split and draw of questions")
    num_countries: int | None = option(None, "atlas only: how many countries the questions are about")
    model_max_length: int = option(
        512, "longest text in tokens, prompt and solution together", aliases=["--max_length"]
    )
    use_calculator: bool = option(
        False, "evaluate with a calculator: it computes the results in marks such as <<48/2=24>> (GSM8K)"
    )
    generation_backend: str = option(
        "auto",
        "what generates the answers in evaluation: auto = memreason's continuous batching, or transformers if the "
        "model needs it; transformers = its generate(), batch by batch; openvino = OpenVINO on the CPU; vllm "
        "(`memreason evaluate` only)",
        choices=BACKENDS,
    )
    k_shot: int = option(
        0,
        "before training, evaluate the base model with this many solved examples in the prompt (0 = do not evaluate "
        "it); with --use_demonstrations instead the number of examples shown in training and evaluation",
    )

    def __post_init__(self) -> None:
        for flag, minimum in (
            ("num_train", 1),
            ("train_subset", 1),
            ("num_validation", 1),
            ("num_test", 0),
            ("k_shot", 0),
            ("model_max_length", 8),
        ):
            check_at_least(flag, getattr(self, flag), minimum)
        check_choice("generation_backend", self.generation_backend, BACKENDS)
