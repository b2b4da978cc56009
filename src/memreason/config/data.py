"""Which questions, how many, how long a text may be, and what decodes."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from memreason.config.fields import check_at_least, check_choice, option

BACKENDS = ("auto", "transformers", "openvino", "vllm")
"""What decodes: our continuous batching (`auto`), transformers' `generate` batch by batch, or another engine."""


@dataclass(frozen=True)
class DataConfig:
    """Which questions, how many, and how long a text may be."""

    _argument_group_name: ClassVar[str] = "data"

    dataset: str = option("atlas", "dataset name; `memreason tasks` lists them")
    data_path: str | None = option(None, "file, folder or hub id that holds the dataset (see `memreason tasks`)")
    num_train: int | None = option(None, "train on this many questions, drawn once without replacement (default: all)")
    num_validation: int = option(
        100, "questions set apart from train to choose the best epoch, where there is no such split"
    )
    num_test: int | None = option(
        100,
        "distinct questions to evaluate on, from validation at each epoch's end and from each test split; 0 = all",
    )
    split_seed: int = option(0, "seed of every split and draw of questions")
    num_countries: int | None = option(None, "atlas only: how many countries the questions are about")
    model_max_length: int = option(
        512, "longest text in tokens, prompt and solution together", aliases=["--max_length"]
    )
    use_calculator: bool = option(
        False, "evaluate with a calculator: results in marks such as <<48/2=24>> (GSM8K) are computed, not guessed"
    )
    generation_backend: str = option(
        "auto",
        "what decodes in evaluation: auto = our continuous batching, or transformers where the model needs that; "
        "transformers = its generate, batch by batch; openvino = OpenVINO on the CPU; vllm (`memreason evaluate` only)",
        choices=BACKENDS,
    )
    k_shot: int = option(
        0,
        "before training, evaluate the base model with this many solved examples in the prompt (0 = do not); with "
        "--use_demonstrations, how many are shown in training and evaluation instead",
    )

    def __post_init__(self) -> None:
        for flag, minimum in (
            ("num_train", 1),
            ("num_validation", 1),
            ("num_test", 0),
            ("k_shot", 0),
            ("model_max_length", 8),
        ):
            check_at_least(flag, getattr(self, flag), minimum)
        check_choice("generation_backend", self.generation_backend, BACKENDS)
