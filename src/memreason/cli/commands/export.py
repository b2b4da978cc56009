"""`memreason export`: writes a checkpoint in a form that other programs read; prints what was written and verified."""

from __future__ import annotations

from collections.abc import Sequence
from importlib import import_module

from rich.console import Console

from memreason.cli.command import Command, open_console, quiet_transformers
from memreason.export.base import Exported
from memreason.models.manifest import is_checkpoint
from memreason.runtime.terminal import show, show_json

EXAMPLES = """examples:
  memreason export runs/demo --to merged --output_dir demo-merged    # for transformers, vLLM, llama.cpp's converter
  memreason export runs/demo --to hub --dry_run                      # what would be published; then --push_to_hub NAME
  memreason export runs/demo --to adapter                            # for PEFT, and for servers of adapters
  memreason export runs/demo --to lm-eval --output_dir demo-tasks    # tasks for lm-evaluation-harness
  memreason export runs/demo --to gguf --gguf_type q8_0              # one file for llama.cpp, Ollama, LM Studio
"""


def run(argv: Sequence[str]) -> None:
    """Export, and print what was written, or the result with `--json`."""
    from memreason.export.config import ExportConfig
    from memreason.export.targets import TARGETS

    (config,) = COMMAND.parse((ExportConfig,), argv)
    if not is_checkpoint(config.checkpoint):  # torch is needed only to say what is wrong
        from memreason.reasoner import check_checkpoint

        check_checkpoint(config.checkpoint)
    quiet_transformers()
    exported = import_module(TARGETS[config.to]).export(config)
    if config.json:
        show_json(exported.to_json())
    else:
        print_exported(open_console(), exported)


def print_exported(console: Console, exported: Exported) -> None:
    """Print the folder, its files, what was verified, and what the user should know."""
    show(console, f"{exported.folder}: {', '.join(exported.files)}", soft_wrap=True)
    for what, figure in exported.checks.items():
        show(console, f"  ✓ {what.replace('_', ' ')}: {figure}", soft_wrap=True)
    for note in exported.notes:
        show(console, f"  {note}", soft_wrap=True)


COMMAND = Command(
    "export",
    "write a checkpoint in a form that other programs read",
    EXAMPLES,
    run,
    ("CHECKPOINT", "model_name_or_path"),
)
