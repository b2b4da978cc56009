"""Options of `memreason benchmark`, and who takes part."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import ClassVar

from memreason.config.fields import check_at_least, check_choice, option
from memreason.config.model import DTYPES, LORA_MODULES
from memreason.errors import UserError
from memreason.runtime.devices import DEVICE_HELP, DEVICES

FLOAT32, BFLOAT16, AUTOCAST = "float32", "bfloat16", "bf16 autocast"
"""Data types to work in: of weights and products alike, or float32 weights whose products are taken in bfloat16."""
_TRAINER = "transformers Trainer + PEFT"


@dataclass(frozen=True)
class Entry:
    """One who takes part: the title of its row, and the data types that it can work in.

    With none it works in memreason's own. Where there are several, and `--dtype` chooses none, it tries them all and
    takes the fastest.
    """

    title: str
    dtypes: tuple[str, ...] = ()


TRAINING = {
    "memreason": Entry("memreason"),
    "trainer": Entry(f"{_TRAINER}, grouped by length", (FLOAT32, BFLOAT16, AUTOCAST)),
    "trainer-kept-memory": Entry("the same, freed memory kept as memreason does", (FLOAT32, BFLOAT16, AUTOCAST)),
    "trl": Entry("TRL SFTTrainer, its defaults", (FLOAT32, AUTOCAST)),
    "trl-no-checkpointing": Entry("TRL SFTTrainer, no gradient checkpointing", (FLOAT32, AUTOCAST)),
    "trl-packed": Entry("TRL SFTTrainer, packed, its defaults", (FLOAT32, AUTOCAST)),
    "one-by-one": Entry(f"{_TRAINER}, one at a time", (FLOAT32, BFLOAT16)),
}
"""Who trains. The first one is what the others are compared with."""
GENERATION = {
    "memreason": Entry("memreason"),
    "memreason-float32": Entry("memreason, float32", (FLOAT32,)),
    "continuous-batching": Entry("transformers' continuous batching", (FLOAT32, BFLOAT16)),
    "batches": Entry("generate, batches sorted by length", (FLOAT32, BFLOAT16)),
    "one-by-one": Entry("generate, one at a time", (FLOAT32, BFLOAT16)),
    "one-by-one-float32": Entry("generate, one at a time, float32", (FLOAT32,)),
    "llama.cpp": Entry("llama.cpp, one at a time"),
    "vllm": Entry("vLLM"),
}
"""Who answers questions, likewise."""
SECTIONS = {"training": TRAINING, "generation": GENERATION}
QUICK = {"rounds": 1, "train_steps": 1, "questions": 8, "one_by_one": 2}
QUICK_ONLY = ("memreason", "trainer", "continuous-batching", "batches")


@dataclass
class BenchmarkConfig:
    """Options of `memreason benchmark`."""

    _argument_group_name: ClassVar[str] = "benchmark"

    what: list[str] = field(
        default_factory=lambda: list(SECTIONS), metadata={"help": f"what to measure: {', '.join(SECTIONS)}"}
    )
    only: list[str] = field(
        default_factory=list,
        metadata={
            "help": "measure only these; training: " + ", ".join(TRAINING) + "; generation: " + ", ".join(GENERATION)
        },
    )
    model_name_or_path: str = option(
        "smollm2",
        "a checkpoint of ours, or a base model. Training starts from its base model; questions are answered by the "
        "checkpoint, its adapters folded in, or by the base model with fresh planning tokens, which knows no end "
        "and writes until there is no room: only a trained checkpoint's figures for generation mean much",
    )
    dataset: str | None = option(None, "dataset (default: the checkpoint's, or atlas)")
    data_path: str | None = option(None, "file, folder or hub id that holds it (default: the checkpoint's)")
    model_max_length: int | None = option(
        None,
        "longest text in tokens, prompt and solution (default: the checkpoint's, or 256)",
        aliases=["--max_length"],
    )
    rounds: int = option(3, "how often each has its turn; figures are medians over the rounds")
    train_steps: int = option(3, "training: optimizer steps a turn")
    questions: int = option(64, "generation: questions a turn")
    one_by_one: int = option(
        8, "generation: how many of the questions, spread over their lengths, are for those that answer one at a time"
    )
    examples_per_step: int = option(16, "training: examples per optimizer step")
    per_device_train_batch_size: int | None = option(
        None,
        "training: examples per forward pass of memreason's (default: as `memreason train`; the others take 4, or 1)",
    )
    per_device_eval_batch_size: int = option(64, "generation: answers under way at once", aliases=["--batch_size"])
    lora_module: str = option("mlp", "training: layers that get adapters", choices=LORA_MODULES)
    lora_r: int = option(16, "training: rank of the adapters")
    lora_dropout: float = option(0.05, "training: dropout before the adapters")
    dtype: str = option(
        "auto",
        "data type that everyone works in; auto = for each the one that is fastest here: memreason measures as it does "
        "in training, the others try theirs out",
        DTYPES,
    )
    device: str = option("auto", DEVICE_HELP, DEVICES)
    gguf: str | None = option(
        None, "llama.cpp: the same model as a GGUF file (llama.cpp's convert_hf_to_gguf.py makes one of a merged one)"
    )
    keep_loaded: bool = option(
        True, "hold all models in memory at the same time; False loads each anew for its turn, where they do not fit"
    )
    quick: bool = option(
        False, "see that it works, in a minute or two: small sizes, one round, the fastest of the others"
    )
    output: str | None = option(None, "write all figures, and what this machine is, to this JSON file")
    seed: int = option(0, "seed of the examples drawn and of fresh weights")

    def __post_init__(self) -> None:
        for name in self.what:
            check_choice("what", name, list(SECTIONS))
        known = [name for section in self.what for name in SECTIONS[section]]
        for name in self.only:
            check_choice("only", name, list(dict.fromkeys(known)))
        for flag in ("rounds", "train_steps", "questions", "one_by_one", "examples_per_step", "lora_r",
                     "per_device_train_batch_size", "per_device_eval_batch_size"):  # fmt: skip
            check_at_least(flag, getattr(self, flag), 1)
        check_choice("lora_module", self.lora_module, LORA_MODULES)
        check_choice("dtype", self.dtype, DTYPES)
        for size in (4, self.per_device_train_batch_size or 1):
            if self.examples_per_step % size:
                raise UserError(f"--examples_per_step {self.examples_per_step} is not made of whole batches of {size}")
        if self.quick:
            vars(self).update(QUICK, only=self.only or [name for name in QUICK_ONLY if name in known])

    def dtypes(self, entry: Entry) -> tuple[str, ...]:
        """The data types that one may work in; none where memreason's own is taken."""
        if self.dtype == "auto":
            return entry.dtypes
        alike = {self.dtype, AUTOCAST if self.dtype == BFLOAT16 else self.dtype}
        return tuple(dtype for dtype in entry.dtypes if dtype in alike) or entry.dtypes[:1]

    def contestants(self, section: str) -> list[str]:
        """The names of those that take part in a section, in the order of their turns."""
        return [name for name in SECTIONS[section] if name in self.only or not self.only]
