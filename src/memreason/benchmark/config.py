"""The options of `memreason benchmark`, and the contestants: the tools that are compared."""

from __future__ import annotations

import importlib.util
from dataclasses import dataclass, field
from typing import ClassVar

from memreason.config.fields import check_at_least, check_choice, option
from memreason.config.model import DTYPES, LORA_MODULES
from memreason.errors import UserError
from memreason.runtime.devices import DEVICE_HELP, DEVICES

FLOAT32, BFLOAT16, AUTOCAST = "float32", "bfloat16", "bf16 autocast"
"""Data types of weights and matrix products; with autocast, the weights are float32 and the products bfloat16."""
_TRAINER = "transformers Trainer + PEFT"
_TRL = "TRL SFTTrainer"


@dataclass(frozen=True)
class Entry:
    """One contestant: the ``title`` of its row, what it ``runs``, and what it needs.

    ``runs`` is a key of `training.TRAINERS` or `generation.ENGINES`. ``dtypes`` are the data types that it can work in;
    if empty, it works in the one that memreason uses. If there are several and `--dtype` is auto, it tries all of them
    and uses the fastest. ``package`` is the module that must be installed, ``install`` how to install it.
    """

    title: str
    runs: str
    dtypes: tuple[str, ...] = ()
    package: str = ""
    install: str = ""
    one_at_a_time: bool = False
    """It does not work in batches, and answers only a sample of the questions."""
    keeps_memory: bool = False
    """It keeps freed memory for later use, as memreason does."""
    packed: bool = False
    """Several examples stand in one row."""
    checkpointing: bool = True
    """TRL: activations are computed again in the backward pass, which is its default."""
    reads_gguf: bool = False
    """It reads the file that `--gguf` names."""

    def why_not(self, dtype: str, gguf: str | None) -> str:
        """Why it cannot take part, if memreason works in ``dtype``; empty if it can."""
        if self.dtypes == (FLOAT32,) and dtype == FLOAT32:
            return "memreason works in float32 here anyway, so this would be the same"
        if self.package and importlib.util.find_spec(self.package) is None:
            return f"{self.package} is not installed" + (f" ({self.install})" if self.install else "")
        if self.reads_gguf and not gguf:
            return "it reads a GGUF file; name one with --gguf"
        return ""


def _trl(title: str, packed: bool = False, checkpointing: bool = True) -> Entry:
    return Entry(
        title, "trl", (FLOAT32, AUTOCAST), "trl", "pip install trl", packed=packed, checkpointing=checkpointing
    )


_ALL_TYPES, _BOTH = (FLOAT32, BFLOAT16, AUTOCAST), (FLOAT32, BFLOAT16)
TRAINING = {
    "memreason": Entry("memreason", "memreason", keeps_memory=True),
    "trainer": Entry(f"{_TRAINER}, grouped by length", "trainer", _ALL_TYPES),
    "trainer-kept-memory": Entry(
        "the same, freed memory kept as memreason does", "trainer", _ALL_TYPES, keeps_memory=True
    ),
    "trl": _trl(f"{_TRL}, its defaults"),
    "trl-no-checkpointing": _trl(f"{_TRL}, no gradient checkpointing", checkpointing=False),
    "trl-packed": _trl(f"{_TRL}, packed, its defaults", packed=True),
    "one-by-one": Entry(f"{_TRAINER}, one at a time", "trainer", _BOTH, one_at_a_time=True),
}
"""The contestants in training. The others are compared with the first one."""
_ALONE = "generate, one at a time"
GENERATION = {
    "memreason": Entry("memreason", "memreason"),
    "memreason-float32": Entry("memreason, float32", "memreason", (FLOAT32,)),
    "continuous-batching": Entry("transformers' continuous batching", "continuous-batching", _BOTH),
    "batches": Entry("generate, batches sorted by length", "generate", _BOTH),
    "one-by-one": Entry(_ALONE, "generate", _BOTH, one_at_a_time=True),
    "one-by-one-float32": Entry(f"{_ALONE}, float32", "generate", (FLOAT32,), one_at_a_time=True),
    "llama.cpp": Entry(
        "llama.cpp, one at a time", "llama.cpp", package="llama_cpp", install="pip install llama-cpp-python",
        one_at_a_time=True, reads_gguf=True,
    ),
    "vllm": Entry("vLLM", "vllm", package="vllm"),
}  # fmt: skip
"""The contestants in generation. The others are compared with the first one."""
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
        "a checkpoint of memreason, or a base model. Training starts from the base model. Questions are answered by "
        "the checkpoint with its adapters merged, or by the base model with new planning tokens; the base model never "
        "stops before the length limit, so for generation only the figures of a trained checkpoint mean much",
    )
    dataset: str | None = option(None, "dataset (default: the checkpoint's, or atlas)")
    data_path: str | None = option(None, "file, folder or hub id that holds it (default: the checkpoint's)")
    model_max_length: int | None = option(
        None,
        "longest text in tokens, prompt and solution (default: the checkpoint's, or 256)",
        aliases=["--max_length"],
    )
    rounds: int = option(3, "how many turns each contestant has; figures are medians over the rounds")
    train_steps: int = option(3, "training: optimizer steps in a turn")
    questions: int = option(64, "generation: questions in a turn")
    one_by_one: int = option(
        8,
        "generation: how many of the questions go to contestants that answer one at a time; spread over all lengths",
    )
    examples_per_step: int = option(16, "training: examples per optimizer step")
    per_device_train_batch_size: int | None = option(
        None,
        "training: memreason's examples per forward pass (default: as `memreason train`; the others take 4, or 1)",
    )
    per_device_eval_batch_size: int = option(
        64, "generation: answers that are written at the same time", aliases=["--batch_size"]
    )
    lora_module: str = option("mlp", "training: layers that get adapters", choices=LORA_MODULES)
    lora_r: int = option(16, "training: rank of the adapters")
    lora_dropout: float = option(0.05, "training: dropout before the adapters")
    dtype: str = option(
        "auto",
        "data type for all contestants; auto = for each the fastest on this machine: memreason measures as `memreason "
        "train` does, the others try their data types",
        DTYPES,
    )
    device: str = option("auto", DEVICE_HELP, DEVICES)
    gguf: str | None = option(
        None,
        "llama.cpp: the same model as a GGUF file (llama.cpp's convert_hf_to_gguf.py makes one from a merged model)",
    )
    keep_loaded: bool = option(
        True,
        "keep all models in memory at the same time; if memory is too small, False loads each one for each of its "
        "turns",
    )
    quick: bool = option(
        False, "a test of a minute or two that it works: small sizes, one round, only the fastest other tools"
    )
    output: str | None = option(None, "write all figures, and a description of this machine, to this JSON file")
    seed: int = option(0, "seed of the random draws and of new weights")

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
        """The data types that a contestant may work in; empty: it works in the one that memreason uses."""
        if self.dtype == "auto":
            return entry.dtypes
        alike = {self.dtype, AUTOCAST if self.dtype == BFLOAT16 else self.dtype}
        return tuple(dtype for dtype in entry.dtypes if dtype in alike) or entry.dtypes[:1]

    def contestants(self, section: str) -> list[str]:
        """The names of a section's contestants, in the order of their turns."""
        return [name for name in SECTIONS[section] if name in self.only or not self.only]
