"""The options of `memreason export`. Needs no torch."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

from memreason.config.fields import BASE_HELP, check_at_least, check_choice, option
from memreason.config.model import DTYPES
from memreason.errors import UserError
from memreason.export.targets import TARGETS
from memreason.runtime.devices import DEVICE_HELP, DEVICES

GGUF_TYPES = ("f16", "bf16", "q8_0")
HUB = "hub"
"""The target that publishes."""
HUB_OPTIONS = ("push_to_hub", "private", "dry_run", "what", "overwrite_repository")
"""The options that only this target has."""


@dataclass
class ExportConfig:
    """Options of `memreason export`."""

    _argument_group_name: ClassVar[str] = "export"

    model_name_or_path: str = option("", "a checkpoint of memreason; it can also be given without the flag")
    to: str = option("merged", "what to write", tuple(TARGETS))
    output_dir: str | None = option(None, "the folder to write (default: CHECKPOINT/merged, named after --to)")
    overwrite_output_dir: bool = option(False, "replace the folder, if an earlier export wrote it")
    base_model_name_or_path: str | None = option(None, BASE_HELP)
    dtype: str | None = option(
        None,
        "data type of the written weights (of an adapter, that of its verification): float32, bfloat16 or float16 "
        "(default: the checkpoint's)",
    )
    gguf_type: str | None = option(None, "--to gguf: type of the matrices in the file (default: f16)", GGUF_TYPES)
    max_shard_size: str = option(
        "5GB", "--to merged: largest file of weights; a larger model is written as several files"
    )
    verify_questions: int = option(
        20,
        "questions that the written model is asked: with --to merged it must answer as the checkpoint does to be "
        "kept; with --to gguf equal answers are counted",
    )
    device: str = option("auto", DEVICE_HELP, DEVICES)
    push_to_hub: str | None = option(
        None,
        "--to hub: the repository to publish to, NAME or OWNER/NAME; the environment variable HF_TOKEN must be set",
    )
    private: bool = option(False, "--to hub: a new repository is private")
    dry_run: bool = option(False, "--to hub: write the folder that would be published, and send nothing")
    what: str | None = option(
        None,
        "--to hub: publish the 'merged' model or the 'adapter' (default: merged, or the adapter where it cannot be "
        "merged)",
    )
    overwrite_repository: bool = option(False, "--to hub: publish even where the repository holds another model")
    json: bool = option(False, "print the result as one JSON object, and nothing else, on stdout")

    def __post_init__(self) -> None:
        if not self.model_name_or_path:
            raise UserError("the checkpoint is missing: memreason export CHECKPOINT --to …")
        check_choice("to", self.to, list(TARGETS))
        if self.gguf_type and self.to != "gguf":
            raise UserError(f"--gguf_type is for --to gguf, and not for --to {self.to}")
        check_choice("gguf_type", self.gguf_type or GGUF_TYPES[0], list(GGUF_TYPES))
        if self.dtype:
            check_choice("dtype", self.dtype, [name for name in DTYPES if name != "auto"])
        check_at_least("verify_questions", self.verify_questions, 0)
        if not re.fullmatch(r"[1-9]\d*(KB|MB|GB)", self.max_shard_size):
            raise UserError(f"--max_shard_size {self.max_shard_size!r}: give a size such as 500MB or 5GB")

        self._check_hub()

    def _check_hub(self) -> None:
        """Raise UserError where the options of `--to hub` are given without it, or do not fit each other."""
        if self.to != HUB:
            given = [name for name in HUB_OPTIONS if getattr(self, name)]
            if given:
                raise UserError(f"--{given[0]} is for --to {HUB}, and not for --to {self.to}")
            return
        if self.what is not None:
            check_choice("what", self.what, ["merged", "adapter"])
        if not self.push_to_hub and not self.dry_run:
            raise UserError(
                "--to hub: say where to publish with --push_to_hub OWNER/NAME, or only write with --dry_run"
            )

    @property
    def checkpoint(self) -> Path:
        """The folder of the checkpoint."""
        return Path(self.model_name_or_path)

    @property
    def folder(self) -> Path:
        """The folder to write."""
        return Path(self.output_dir) if self.output_dir else self.checkpoint / self.to
