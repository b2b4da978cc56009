"""`memreason step-types`: fits types to a dataset's unlabelled steps, and shows them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from rich.console import Console
from rich.table import Table
from rich.text import Text

from memreason.cli.command import Command, open_console, quiet_transformers
from memreason.errors import UserError, did_you_mean
from memreason.runtime.terminal import show

if TYPE_CHECKING:
    from memreason.step_types.config import StepTypesConfig
    from memreason.step_types.describe import FitDescription

EXAMPLES = """`fit` infers types from the steps of a dataset's training questions, with the options below.
`show FOLDER` prints the types that were fitted; see `memreason step-types show --help`.

examples:
  memreason step-types fit --dataset gsm8k --data_path data/gsm8k --selection_method k-means --num_types 5
  memreason step-types show runs/step-types/gsm8k/smollm2/k-means-5
  memreason train --dataset gsm8k --data_path data/gsm8k --extract_step_type_tokens k-means --num_plan_types 5
"""


def run(argv: Sequence[str]) -> None:
    """Fit types, or show types that were fitted before."""
    from memreason.config.data import DataConfig
    from memreason.step_types.config import ShowStepTypesConfig, StepTypesConfig

    action, rest = (argv[0], list(argv[1:])) if argv else ("", [])
    if action not in ("fit", "show"):
        COMMAND.parse((StepTypesConfig, DataConfig), [a for a in argv if a in ("-h", "--help")])
        hint = did_you_mean(action, ("fit", "show"))
        raise UserError(f"say fit or show: `step-types fit --dataset …`, `step-types show FOLDER`{hint}")
    quiet_transformers()
    console = open_console()
    if action == "fit":
        config, data = COMMAND.parse((StepTypesConfig, DataConfig), rest)
        from memreason.step_types.fit import fit

        folder, nearest = str(fit(config, data, console)), 3
    else:
        (shown,) = SHOW.parse((ShowStepTypesConfig,), rest)
        if not shown.folder:
            raise UserError("the folder is missing: memreason step-types show runs/step-types/…")
        folder, nearest = shown.folder, shown.nearest
    from memreason.step_types.describe import describe_fit

    print_fit(console, describe_fit(Path(folder), nearest))
    print_next(console, folder, config if action == "fit" else None)


def print_fit(console: Console, fit: FitDescription) -> None:
    """Print a description of fitted types: how often each one is used, its words, its most typical steps."""
    total = sum(type_.steps for type_ in fit.types)
    show(console, Text.assemble((fit.method, "bold"), f" on {total} steps of {fit.dataset}{_reader(fit.source)}"))
    unused = ", ".join(type_.name for type_ in fit.types if not type_.steps)
    use = (
        f"use of the {len(fit.types)} types: entropy {100 * fit.use.entropy:.0f}% of the maximum, "
        f"perplexity {fit.use.perplexity:.2f}, "
    )
    show(console, Text.assemble(use, (f"never used: {unused}", "red") if unused else "none is dead"))
    table = Table(box=None, padding=(0, 1), pad_edge=False)
    table.add_column("type", style="bold cyan", no_wrap=True)
    table.add_column("steps", justify="right")
    table.add_column("share", justify="right")
    table.add_column("words that tell it from the others")
    for type_ in fit.types:
        share = f"{100 * type_.steps / total:.1f}%"
        table.add_row(Text(type_.name), str(type_.steps), share, Text(", ".join(type_.words)))
    show(console, table)
    for type_ in (type_ for type_ in fit.types if type_.typical):
        show(console, Text.assemble("\n", (type_.name, "bold cyan"), ": nearest to its centre"))
        for text in type_.typical:
            show(console, f"  {text}", overflow="ellipsis", no_wrap=True)


def _reader(source: dict[str, Any] | None) -> str:
    """Which model read the steps, and how; empty if no model did."""
    if not source:
        return ""
    if source.get("encoder"):
        return f", steps read alone by {source['encoder']}"
    return f", solutions read by {source['model']}, layer {source.get('layer', -1)}"


def print_next(console: Console, folder: str, fitted: StepTypesConfig | None) -> None:
    """Print the folder of the fit and, if the types were ``fitted`` just now, the command that trains with them."""
    show(console, f"\npictures and all steps: {folder}")
    if fitted:
        from memreason.step_types.methods import find_method

        number = f" --num_plan_types {fitted.num_types}" if not find_method(fitted.selection_method).fixed_types else ""
        place = f" --step_types_path {folder}" if fitted.output_dir or fitted.encoder else ""
        options = f"--extract_step_type_tokens {fitted.selection_method}{number}{place}"
        show(console, f"train with them: memreason train {options} …", soft_wrap=True)


COMMAND = Command(
    "step-types",
    "infer types for a dataset's unlabelled steps, and look at them",
    EXAMPLES,
    run,
    ("fit", ""),
)
SHOW = replace(
    COMMAND,
    name="step-types show",
    summary="show fitted step types: how often each one is used, its words, its most typical steps",
    examples="example:\n  memreason step-types show runs/step-types/gsm8k/smollm2/k-means-5\n",
    positional=("FOLDER", "folder"),
)
