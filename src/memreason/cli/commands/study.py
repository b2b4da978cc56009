"""`memreason study`: runs all arms and seeds of a recipe, checks that they are comparable, and compares them."""

from __future__ import annotations

from collections.abc import Sequence

from memreason.cli.command import Command, open_console
from memreason.runtime.terminal import show

EXAMPLES = """examples:
  memreason study study-atlas --plan                # what it will run, for how long, and what it will be able to show
  memreason study study-atlas --parallel 2          # two cells at once; the same command goes on after a kill
  memreason study study-atlas --worker 1/4          # on each of four machines that share the folder: 1/4, 2/4, …
  memreason study study-atlas --results_only        # tables and report from what is finished so far
  memreason study study-atlas --repeat plain/seed-1 # are the traces of a second run the same, byte by byte?
"""


def run(argv: Sequence[str]) -> int:
    """Run a study, or what the options ask of it; the exit code is 1 where a cell failed or a check did."""
    from memreason.cli.study_options import CommandOptions
    from memreason.study.cells import cells_of
    from memreason.study.config import StudyConfig
    from memreason.study.recipe import find_study, read_study

    (config,) = COMMAND.parse((StudyConfig,), argv)
    recipe = read_study(find_study(config.recipe))
    cells = cells_of(recipe, CommandOptions())
    console = open_console()
    if config.plan:
        for cell in cells:
            for step in cell.steps:
                show(console, step.line(f"{config.folder(recipe.name)}/runs/{cell.name}"), soft_wrap=True)
    return 0


COMMAND = Command(
    "study",
    "run all arms and seeds of a recipe, check that they are comparable, and compare them",
    EXAMPLES,
    run,
    ("RECIPE", "recipe"),
    after_interrupt="; the same command goes on with what is missing",
)
