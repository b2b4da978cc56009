"""Options of `memreason tasks`, `score`, `evaluate` and `ask`."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import ClassVar

from memreason.config.ablations import AblationConfig
from memreason.config.data import BACKENDS
from memreason.config.fields import BASE_HELP, check_at_least, check_choice, option, with_checked_flags
from memreason.config.model import ModelConfig
from memreason.errors import UserError
from memreason.runtime.devices import DEVICE_HELP, DEVICES

CONSTRAINED_HELP = "make ill-formed answers impossible: only planning tokens begin lines, and the answer is of its kind"
TEMPERATURE_HELP = "0 = the most likely token at every place; else tokens are drawn, 1 = as the model says"
TOP_P_HELP = "with a --temperature, draw from the most likely tokens that together have this probability"


@dataclass
class TasksConfig:
    """Options of `memreason tasks`."""

    _argument_group_name: ClassVar[str] = "tasks"

    dataset: str | None = option(None, "load this dataset and show its splits and an example")
    data_path: str | None = option(None, "file, folder or hub id that holds it")
    as_trained: bool = option(
        False,
        "print the text that training reads, with the options for planning tokens and ablations of `memreason train`",
    )

    def __post_init__(self) -> None:
        if self.data_path and not self.dataset:
            raise UserError(
                f"--data_path {self.data_path}: say which dataset it is: memreason tasks NAME --data_path …"
            )


@dataclass
class ScoreConfig:
    """Options of `memreason score`."""

    _argument_group_name: ClassVar[str] = "scoring"

    generations: str = option(
        "",
        'file of texts: our traces.jsonl; a JSON array (or lines) of {"question": …, "generated_text": …} (without '
        '"question", the text must begin with it); samples_….jsonl of lm-evaluation-harness; or a log of Inspect',
    )
    dataset: str = option("", "the dataset that the questions are from")
    data_path: str | None = option(None, "file, folder or hub id that holds the questions")
    split: str | None = option(None, "split of the questions (default: all of them)")
    output_dir: str | None = option(None, "where metrics and verdicts go (default: beside the generations file)")
    split_seed: int = option(0, "the seed that the questions were drawn with")
    num_train: int | None = option(None, "atlas only: the value that the questions were made with")
    num_validation: int | None = option(None, "atlas only: the value that the questions were made with")
    num_test: int | None = option(None, "atlas only: the value that the questions were made with")
    num_countries: int | None = option(None, "atlas only: the value that the questions were made with")
    json: bool = option(False, "print the result as one JSON object, and nothing else, on stdout")

    def __post_init__(self) -> None:
        for flag in ("generations", "dataset"):
            if not getattr(self, flag):
                raise UserError(f"--{flag} is missing")


@dataclass
@with_checked_flags(ModelConfig, AblationConfig)
class EvaluateConfig:
    """Options of `memreason evaluate`. Those that are not given are taken from the checkpoint."""

    _argument_group_name: ClassVar[str] = "evaluation"

    model_name_or_path: str = option("", "a checkpoint of memreason (needs no other option), or a base model")
    base_model_name_or_path: str | None = option(None, BASE_HELP)
    dataset: str | None = option(None, "dataset (default: the checkpoint's)")
    data_path: str | None = option(None, "file, folder or hub id (default: the checkpoint's)")
    split: str | None = option(None, "split to evaluate (default: every test split)")
    num_test: int | None = option(None, "distinct questions per split; 0 = all (default: the checkpoint's, or all)")
    split_seed: int | None = option(None, "seed of splits and draws (default: the checkpoint's, or 0)")
    use_calculator: bool | None = option(
        None, "compute the results in marks such as <<48/2=24>> (default: the checkpoint's, or False)"
    )
    k_shot: int = option(0, "base models only: number of solved examples in the prompt; 0 = an instruction instead")
    num_train: int | None = option(None, "base models only: number of train questions to draw the examples from")
    num_validation: int = option(100, "base models only: as in `memreason train`")
    num_countries: int | None = option(
        None, "base models on atlas only: number of countries that the questions are about"
    )
    per_device_eval_batch_size: int | None = option(
        None, "questions answered at once (default: the checkpoint's, or 64)", aliases=["--batch_size"]
    )
    model_max_length: int | None = option(
        None, "longest text in tokens (default: the checkpoint's, or 512)", aliases=["--max_length"]
    )
    dtype: str | None = option(None, "data type of the weights (default: the checkpoint's, or auto)")
    load_in_8bit: bool = option(False, "hold the weights in 8 bits (needs bitsandbytes)")
    load_in_4bit: bool = option(False, "hold the weights in 4 bits, NF4 (needs CUDA and bitsandbytes)")
    generation_backend: str | None = option(
        None, f"what generates the answers: {', '.join(BACKENDS)} (default: the checkpoint's, or auto)"
    )
    constrained: bool = option(False, CONSTRAINED_HELP)
    logprobs: bool = option(False, "write the mean log-probability of each step into traces.jsonl")
    temperature: float = option(0.0, TEMPERATURE_HELP)
    top_p: float = option(1.0, TOP_P_HELP)
    seed: int = option(0, "seed of what is drawn, with a --temperature")
    device: str = option("auto", DEVICE_HELP, DEVICES)
    output_dir: str | None = option(None, "where traces and metrics go (default: in the checkpoint's folder)")
    show: int = option(3, "print this many traces")
    json: bool = option(False, "print the result as one JSON object, and nothing else, on stdout")

    def __post_init__(self) -> None:
        if not self.model_name_or_path:
            raise UserError("--model_name_or_path is missing: give a checkpoint folder or a base model")
        for flag, minimum in (("num_test", 0), ("k_shot", 0), ("per_device_eval_batch_size", 1), ("show", 0)):
            check_at_least(flag, getattr(self, flag), minimum)
        check_choice("generation_backend", self.generation_backend or BACKENDS[0], BACKENDS)
        _check_sampling(self.temperature, self.top_p, self.seed)


@dataclass
class AskConfig:
    """Options of `memreason ask`."""

    _argument_group_name: ClassVar[str] = "asking"

    question: str = option("", "the question; it can also be given in quotes without the flag")
    model_name_or_path: str = option("runs/demo", "a checkpoint of memreason")
    base_model_name_or_path: str | None = option(None, BASE_HELP)
    options: list[str] = field(default_factory=list, metadata={"help": "the options of a multiple-choice question"})
    n: int = option(1, "how many answers; more than one with a --temperature")
    temperature: float = option(0.0, TEMPERATURE_HELP)
    top_p: float = option(1.0, TOP_P_HELP)
    seed: int = option(0, "seed of what is drawn, with a --temperature")
    constrained: bool = option(False, CONSTRAINED_HELP)
    logprobs: bool = option(False, "show how sure the model was of each step: its mean probability for a token")
    device: str = option("auto", DEVICE_HELP, DEVICES)
    json: bool = option(False, "print the trace as one JSON object instead of as text")

    def __post_init__(self) -> None:
        check_at_least("n", self.n, 1)
        if self.n > 1 and not self.temperature:
            raise UserError(f"--n {self.n}: without a --temperature all answers are the same; add --temperature 1")
        _check_sampling(self.temperature, self.top_p, self.seed)


def _check_sampling(temperature: float, top_p: float, seed: int) -> None:
    """Raise UserError for options that would do nothing."""
    check_at_least("temperature", temperature, 0)
    for name, value, default in (("top_p", top_p, 1.0), ("seed", seed, 0)):
        if value != default and not temperature:
            raise UserError(f"--{name} {value}: without a --temperature nothing is drawn; add --temperature 1")


@dataclass
class InterveneConfig:
    """Options of `memreason intervene`."""

    _argument_group_name: ClassVar[str] = "intervening"

    asked: list[str] = field(
        default_factory=list,
        metadata={"help": "the checkpoint and the question; they can also be given in this order without the flag"},
    )
    options: list[str] = field(default_factory=list, metadata={"help": "the options of a multiple-choice question"})
    step: list[str] = field(
        default_factory=list,
        metadata={
            "action": "extend",
            "metavar": ("N TEXT", "N TEXT"),
            "help": "what step N, counted from 1, says instead; can be given several times",
        },
    )
    type: list[str] = field(
        default_factory=list,
        metadata={
            "action": "extend",
            "metavar": ("N TYPE", "N TYPE"),
            "help": "the type that step N gets, such as memory or reason; can be given several times",
        },
    )
    remove: list[str] = field(
        default_factory=list, metadata={"action": "extend", "metavar": "N", "help": "take step N out"}
    )
    edits: str | None = option(
        None,
        'a file of edits, for many questions: lines of {"question": …, "options": […], "steps": {"1": "text", '
        '"2": null, "3": {"type": …}}}',
    )
    output: str | None = option(None, "with --edits: the file for the answers before and after, one line each")
    base_model_name_or_path: str | None = option(None, BASE_HELP)
    device: str = option("auto", DEVICE_HELP, DEVICES)
    json: bool = option(False, "print the answers before and after as JSON, and nothing else, on stdout")

    def __post_init__(self) -> None:
        changes = bool(self.step or self.type or self.remove)
        if self.edits:
            if changes or self.options or len(self.asked) > 1:
                raise UserError(
                    "--edits holds the questions and what is changed: give only the checkpoint beside it, and no "
                    "question, --options, --step, --type or --remove"
                )
            return
        if self.output:
            raise UserError(f"--output {self.output}: it goes with --edits; for one question say --json")
        if len(self.asked) not in (1, 2):
            raise UserError('give the checkpoint and the question: memreason intervene runs/demo "…" --step 1 "…"')
        if len(self.asked) == 1 and Path(self.asked[0]).is_dir():
            raise UserError(f'the question is missing: memreason intervene {self.asked[0]} "…" --step 1 "…"')
        if not changes:
            raise UserError('say what is changed: --step 1 "another text", --type 1 reason or --remove 1')

    @property
    def checkpoint(self) -> str:
        """The checkpoint that is asked."""
        alone = len(self.asked) == 1 and not self.edits  # then it is the question
        return self.asked[0] if self.asked and not alone else "runs/demo"
