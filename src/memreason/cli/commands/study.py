"""`memreason study`: runs all arms and seeds of a recipe, checks that they are comparable, and compares them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from fnmatch import fnmatchcase
from typing import TYPE_CHECKING, Any

from memreason.cli.command import Command, open_console
from memreason.errors import UserError, did_you_mean
from memreason.runtime.files import listed
from memreason.runtime.terminal import in_words, say, show, show_json

if TYPE_CHECKING:
    from rich.console import Console

    from memreason.study.cells import Cell
    from memreason.study.config import StudyConfig
    from memreason.study.folder import StudyFolder
    from memreason.study.plan import StudyPlan
    from memreason.study.recipe import Recipe
    from memreason.study.work import State
    from memreason.tasks.base import TaskData

EXAMPLES = """examples:
  memreason study study-atlas --plan                # what it will run, for how long, and what it will be able to show
  memreason study study-atlas --commands            # the exact commands, as a script to be run by hand
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
    from memreason.study.folder import StudyFolder
    from memreason.study.plan import task_of
    from memreason.study.recipe import find_study, read_study

    (config,) = COMMAND.parse((StudyConfig,), argv)
    recipe = read_study(find_study(config.recipe))
    options = CommandOptions()
    cells = cells_of(recipe, options)
    folder = StudyFolder(config.folder(recipe.name))
    if config.commands:
        show(open_console(), folder.commands(recipe, cells), end="", soft_wrap=True)
        return 0
    if config.plan:
        _plan(config, recipe, folder, cells, task_of(recipe, cells, options))
        return 0
    failed: list[Cell] = []
    if not config.results_only:
        if recipe.splits or recipe.cluster or recipe.by:
            task_of(recipe, cells, options)  # it checks that the dataset has them
        failed = _work(config, recipe, folder, cells)
    return _results(config, recipe, folder, cells, failed)


def chosen(cells: Sequence[Cell], patterns: Sequence[str], flag: str) -> list[Cell]:
    """The cells that patterns name: an arm, a cell, or with * in it. Raises UserError for one that names none."""
    found: list[Cell] = []
    for pattern in patterns:
        some = [cell for cell in cells if fnmatchcase(cell.name, pattern) or fnmatchcase(cell.arm, pattern)]
        if not some:
            names = [cell.name for cell in cells]
            hint = did_you_mean(pattern, names)
            raise UserError(f"{flag} {pattern}: there is no such cell{hint} ({listed(names, 60)})")
        found += [cell for cell in some if cell not in found]
    return found


def _work(config: StudyConfig, recipe: Recipe, folder: StudyFolder, cells: Sequence[Cell]) -> list[Cell]:
    """Run what is missing, or second runs; returns the cells that failed."""
    from memreason.study.progress import Progress
    from memreason.study.repeat import again, repeats_of
    from memreason.study.work import Worker

    wanted = chosen(cells, config.repeat, "--repeat") or chosen(cells, config.only, "--only") or list(cells)
    folder.prepare(recipe, cells)
    place = repeats_of(folder) if config.repeat else folder
    seconds = None if config.minutes is None else 60 * config.minutes
    worker = Worker(folder, config.parallel, config.share(), seconds)
    at_once = config.parallel * config.share()[1]
    with Progress(place, wanted, at_once, shown=not config.json) as progress:
        state = again(worker, wanted, progress.update) if config.repeat else worker.work(wanted, progress.update)
    _tell_failures(place, state)
    return state.failed


def _tell_failures(folder: StudyFolder, state: State) -> None:
    for cell in state.failed:
        why = folder.failure(cell) or {"command": "?", "exit_code": "?", "log": []}
        say(f"\n{cell.name} failed: memreason {why['command']} ended with code {why['exit_code']}; the end of "
            f"{folder.of(cell)}/log.txt:")  # fmt: skip
        for line in why["log"]:
            say(f"  {line}")


def _results(
    config: StudyConfig, recipe: Recipe, folder: StudyFolder, cells: Sequence[Cell], failed: Sequence[Cell]
) -> int:
    """Write and print the results of what is finished."""
    from memreason.study.write import write_results

    if not config.results_only and not any(folder.finished(cell) for cell in cells):
        say("no cell is finished yet, so there is nothing to show")
        return 1
    say("memreason study: comparing all pairs of arms; with many arms and measures this takes some minutes")
    results = write_results(recipe, folder, cells)
    if results is None:
        show(open_console(), f"another worker is writing the results into {folder.path}", soft_wrap=True)
        return 1 if failed else 0
    if config.json:
        show_json(results)
    else:
        _print(open_console(), results, folder)
    return 1 if failed or results["checks"]["problems"] else 0


def _print(console: Console, results: dict[str, Any], folder: StudyFolder) -> None:
    from memreason.cli.tables import print_table
    from memreason.study import show as shown

    print_table(console, shown.overview(results))
    for sentence in shown.said(results):
        show(console, sentence, soft_wrap=True)
    for line in (*results["checks"]["problems"], *results["checks"]["notes"]):
        show(console, line, style="yellow", soft_wrap=True)
    show(console, f"the report: {folder.path / shown.REPORT}", soft_wrap=True)


def _plan(
    config: StudyConfig, recipe: Recipe, folder: StudyFolder, cells: Sequence[Cell], data: tuple[TaskData | None, str]
) -> None:
    """Print what will be run, how long that takes, and what it will be able to show; ``data``: what `task_of` gives."""
    from memreason.study.folder import COMMANDS
    from memreason.study.plan import plan_of

    task, why_not = data
    at_once = config.parallel * config.share()[1]
    plan = plan_of(recipe, folder, cells, at_once, task)
    if config.json:
        rows = [{"name": cell.name, "finished": folder.finished(cell),
                 "commands": [step.line(str(folder.of(cell))) for step in cell.steps]} for cell in cells]  # fmt: skip
        show_json({**asdict(plan), "cells": rows})
        return
    console = open_console()
    show(console, recipe.title, style="bold", soft_wrap=True)
    _print_cells(console, recipe, folder, cells)
    _print_time(console, config, plan, cells, at_once)
    show(console, "--commands instead of --plan prints the exact commands; a run writes them into "
         f"{folder.path / COMMANDS}", soft_wrap=True)  # fmt: skip
    show(console)
    if plan.power:
        _print_power(console, plan)
    else:
        show(console, f"nothing can be said about power: {why_not}", style="yellow", soft_wrap=True)


def _print_cells(console: Console, recipe: Recipe, folder: StudyFolder, cells: Sequence[Cell]) -> None:
    """A line for each arm: its runs, and in which options it differs."""
    from memreason.compare.show.numbers import several

    width = max(len(arm.name) for arm in recipe.arms)
    for arm in recipe.arms:
        own = [cell for cell in cells if cell.arm == arm.name]
        done = sum(map(folder.finished, own))
        runs = several(len(own), "run") + (f", {done} finished" if done else "")
        options = [f"--{option.name} {' '.join(option.values)}".rstrip() for option in arm.options]
        kind = ["untrained"] if arm.base else [] if options else ["(the shared options)"]
        show(console, f"  {arm.name:<{width}}  {runs:<18}  {' '.join([*kind, *options])}", soft_wrap=True)


def _print_time(console: Console, config: StudyConfig, plan: StudyPlan, cells: Sequence[Cell], at_once: int) -> None:
    from memreason.compare.show.numbers import several

    show(console, f"{several(plan.cells, 'run')} in all, {plan.finished} of them finished")
    if plan.finished == plan.cells:
        return
    first = next((cell for cell in cells if cell.seed is not None), cells[0])
    if plan.seconds is None:
        there = f" --output_dir {config.output_dir}" if config.output_dir else ""
        time = (
            "how long they take is known once one is finished: memreason study "
            f"{config.recipe}{there} --only {first.name}, and ask again"
        )
    else:
        time = (
            f"the others take about {in_words(plan.seconds)}, {at_once} at once, each as long as the finished ones took"
        )
    show(console, time, soft_wrap=True)


def _print_power(console: Console, plan: StudyPlan) -> None:
    from memreason.cli.tables import print_table
    from memreason.study.plan import assumed, power_in_words, power_tables

    for sentence in power_in_words(plan):
        show(console, sentence, soft_wrap=True)
    for table in power_tables(plan):
        show(console)
        print_table(console, table)
    for sentence in assumed(plan):
        show(console, sentence, style="dim", soft_wrap=True)


COMMAND = Command(
    "study",
    "run all arms and seeds of a recipe, check that they are comparable, and compare them",
    EXAMPLES,
    run,
    ("RECIPE", "recipe"),
    after_interrupt="; the same command goes on with what is missing",
)
