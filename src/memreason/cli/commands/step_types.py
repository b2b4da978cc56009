"""`memreason step-types`: types for a dataset's unlabelled steps, fitted and looked at."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from memreason.cli.command import Command, open_console, quiet_transformers
from memreason.errors import UserError, did_you_mean

EXAMPLES = """examples:
  memreason step-types fit --dataset gsm8k --data_path data/gsm8k --selection_method k-means --num_types 5
  memreason step-types show runs/step-types/gsm8k/smollm2/k-means-5
  memreason train --dataset gsm8k --data_path data/gsm8k --extract_step_type_tokens k-means --num_plan_types 5
"""


def run(argv: Sequence[str]) -> None:
    """Fit types, or show those that were fitted."""
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
    from memreason.step_types.describe import print_fit, print_next

    print_fit(console, Path(folder), nearest)
    print_next(console, folder, config if action == "fit" else None)


COMMAND = Command(
    "step-types",
    "infer types for a dataset's unlabelled steps, and look at them",
    EXAMPLES,
    run,
    ("fit|show FOLDER", ""),
)
SHOW = replace(COMMAND, name="step-types show", positional=("FOLDER", "folder"))
