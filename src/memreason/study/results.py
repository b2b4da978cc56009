"""The results of a study, from the cells that are finished: figures of each arm, comparisons, curves, and checks.

They are the same, byte by byte, however often the study was stopped; what clocks say stands in a file of its own.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import Any

from memreason.compare.measures import MEASURES
from memreason.compare.pairing import Paired, Pairing, pair
from memreason.compare.result import ComparisonResult
from memreason.compare.run import Looks, TooFewQuestions, compare, narrowed, pairs_of, says
from memreason.compare.sides import Run, Side, read_side
from memreason.errors import UserError
from memreason.study.cells import Cell
from memreason.study.checks import Trained, other_questions, problems, read_trained
from memreason.study.folder import RUNS, StudyFolder
from memreason.study.recipe import Recipe

FORMAT = 1
RESULTS = "results.json"
Json = dict[str, Any]


@dataclass(frozen=True)
class Finished:
    """The finished cells of a study, read once."""

    folder: StudyFolder
    recipe: Recipe
    cells: Sequence[Cell]
    """All cells, finished or not."""

    @cached_property
    def done(self) -> list[Cell]:
        """The cells that are finished."""
        return [cell for cell in self.cells if self.folder.finished(cell)]

    @cached_property
    def _read(self) -> tuple[list[Trained], dict[str, Run], list[str]]:
        trained, unreadable = read_trained([(cell, self.folder.of(cell)) for cell in self.done])
        readable, answers = {each.cell.name for each in trained}, dict[str, Run]()
        for cell in self.done:
            if cell.seed is None or cell.name in readable:
                try:
                    (run,) = read_side(cell.arm, [self.folder.of(cell)]).runs
                    answers[cell.name] = replace(run, path=Path(RUNS, cell.name))
                except UserError as error:
                    unreadable.append(f"{cell.name} cannot be read: {error}")
        return [each for each in trained if each.cell.name in answers], answers, unreadable

    @property
    def trained(self) -> list[Trained]:
        """What the cells of trained arms were trained on."""
        return self._read[0]

    @property
    def unreadable(self) -> list[str]:
        """Why some cells cannot be read: they are left out."""
        return self._read[2]

    @cached_property
    def sides(self) -> dict[tuple[str, int | None], Side]:
        """(arm, size) → its answers, a run for each finished seed."""
        found: dict[tuple[str, int | None], Side] = {}
        for cell in self.done:
            if run := self._read[1].get(cell.name):
                side = found.setdefault((cell.arm, cell.size), Side(cell.arm, (), cell.seed is not None))
                found[cell.arm, cell.size] = replace(side, runs=(*side.runs, run))
        return found

    @cached_property
    def machines(self) -> list[Json]:
        """The machines that cells were run on, and with how many threads; the same ones once."""
        found: list[Json] = []
        for cell in self.done:
            for row in self.folder.times(cell):
                machine = {**row["machine"], "threads": row["threads"]}
                if machine not in found:
                    found.append(machine)
        return sorted(found, key=repr)

    def at(self, size: int | None) -> dict[str, Side]:
        """Arm → its answers at a size, in the order of the recipe."""
        return {arm.name: self.sides[arm.name, size] for arm in self.recipe.arms if (arm.name, size) in self.sides}


def results(finished: Finished, repeats: Mapping[str, Any] | None = None) -> Json:
    """What results.json holds. ``repeats``: what second runs of cells have shown.

    Raises UserError where no cell is finished, or where the recipe names a split or field that is not there.
    """
    recipe = finished.recipe
    sides = finished.at(None)
    if not sides:
        raise UserError(f"{finished.folder.path}: no cell is finished yet, so there is nothing to show")
    looks = Looks(recipe.cluster, recipe.by)
    found = _comparisons(recipe, sides, looks)
    comparisons = _json(found)
    return {
        "format": FORMAT,
        "title": recipe.title,
        "recipe": recipe.text,
        "baseline": recipe.baseline,
        "match": recipe.match,
        "machines": finished.machines,
        "arms": [_arm(finished, name, comparisons) for name in sides],
        "against_baseline": _json(found, recipe.baseline),
        "comparisons": comparisons,
        "curves": _curves(finished, comparisons, looks),
        "reported": {name: dict(by_split) for name, by_split in recipe.reported.items()},
        "checks": _checks(finished, repeats or {}),
    }


def _comparisons(recipe: Recipe, sides: Mapping[str, Side], looks: Looks) -> dict[str, dict[str, ComparisonResult]]:
    """Split → measure → the comparison of all pairs of arms that have the measure."""
    found: dict[str, dict[str, ComparisonResult]] = {}
    paired: dict[tuple[str, ...], Paired] = {}

    def pairing(names: tuple[str, ...]) -> Paired:
        if names not in paired:
            paired[names] = pair([sides[name] for name in names], Pairing(allow_missing=True))
        return paired[names]

    for measure in recipe.measures or MEASURES:
        having = tuple(name for name, side in sides.items() if says(side, measure))
        for split in (recipe.splits or pairing(having).splits or (None,)) if having else ():
            # An arm that says nothing on this split (no memories, say) must not take the measure from the others.
            known = split in pairing(having).splits
            names = tuple(name for name in having if not known or says(sides[name], measure, split))
            if not names or (len(names) == 1 and len(sides) > 1):
                continue
            first = recipe.baseline if recipe.baseline in names else names[0]
            pairs = pairs_of(names, first, all_pairs=True) if len(names) > 1 else []
            try:
                result = compare(pairing(names), measure, split, pairs, looks)
            except TooFewQuestions:
                if measure in recipe.measures or measure == "accuracy":
                    raise
                continue  # of a rare cause of errors, say
            found.setdefault(split or "all", {})[measure] = result
    return found


def _json(
    found: Mapping[str, Mapping[str, ComparisonResult]], baseline: str | None = None
) -> dict[str, dict[str, Json]]:
    """The same as JSON; only the comparisons with the ``baseline`` where one is named (an arm that stands in its place
    where it lacks a measure)."""
    return {
        split: {
            measure: (narrowed(result, _first(result, baseline)) if baseline else result).to_json()
            for measure, result in by_measure.items()
        }
        for split, by_measure in found.items()
    }


def _first(result: ComparisonResult, baseline: str) -> str:
    names = [arm.name for arm in result.arms]
    return baseline if baseline in names else names[0]


def _arm(finished: Finished, name: str, comparisons: Mapping[str, Mapping[str, Json]]) -> Json:
    """An arm's row: what it was trained on, and its figures."""
    cells = [each for each in finished.trained if each.cell.arm == name and each.cell.size is None]
    accounts = [each.account for each in cells]
    splits = {
        split: {measure: rate for measure, result in by_measure.items() for rate in result["arms"]
                if rate["name"] == name}
        for split, by_measure in comparisons.items()
    }  # fmt: skip
    return {
        "name": name,
        "trained": bool(cells),
        "seeds": [each.cell.seed for each in cells],
        "trained_weights": _same([each.trained_weights for each in accounts]),
        "trained_questions": _same([each.examples for each in accounts]),
        "trained_tokens": _same([each.trained_tokens for each in accounts]),
        "optimizer_steps": _same([each.optimizer_steps for each in accounts]),
        "generated_tokens": {
            split: rates["tokens"]["value"] for split, rates in splits.items() if "tokens" in rates
        },
        "splits": splits,
    }  # fmt: skip


def _same(values: Sequence[int | None]) -> float | int | None:
    """The value that all have; the mean where they differ, None where one is missing or there is none."""
    known = [value for value in values if value is not None]
    if not known or len(known) < len(values):
        return None
    return known[0] if len(set(known)) == 1 else sum(known) / len(known)


def _curves(finished: Finished, full: Mapping[str, Mapping[str, Json]], looks: Looks) -> dict[str, Any] | None:
    """Number of training questions → split → measure → comparison; None where the recipe has no sizes."""
    recipe = finished.recipe
    if not recipe.sizes:
        return None
    sizes: dict[int, dict[str, Side]] = {}
    for size in recipe.sizes:
        if sides := finished.at(size):
            sizes[size] = sides
    full_sides = {name: side for name, side in finished.at(None).items() if name in recipe.curve_arms}
    count = _same([each.account.examples for each in finished.trained if each.cell.size is None])
    if full_sides and count is not None:
        sizes[round(count)] = full_sides
    return {str(size): _json(_comparisons(recipe, sides, looks)) for size, sides in sorted(sizes.items())}


def _checks(finished: Finished, repeats: Mapping[str, Any]) -> Json:
    """What was checked: that arms differ in nothing but their options, that runs repeat, and that none is missing."""
    folder, done = finished.folder, {cell.name for cell in finished.done}
    missing = [cell.name for cell in finished.cells if cell.name not in done]
    failed = {cell.name: failure for cell in finished.cells if cell.name not in done
              and (failure := folder.failure(cell))}  # fmt: skip
    found = [*finished.unreadable, *_begun(finished), *problems(finished.recipe, finished.trained), *_asked(finished)]
    found += [f"a second run of {name} gave other traces" for name, row in repeats.items() if not row["same"]]
    kinds = len(finished.machines)
    notes = [f"cells ran on {kinds} kinds of machines or numbers of threads; a seed may give other answers on each"]
    return {
        "ok": not found and not missing,
        "problems": found,
        "notes": notes if kinds > 1 else [],
        "cells": len(finished.cells),
        "missing": missing,
        "failed": {name: {"command": row["command"], "exit_code": row["exit_code"]} for name, row in failed.items()},
        "digests": list(_digests(finished)),
        "repeats": dict(repeats),
    }


def _begun(finished: Finished) -> Iterator[str]:
    """Cells whose commands are not those of the recipe: without a run, as for `--results_only`, none was refused."""
    for cell in finished.done:
        try:
            finished.folder.check_begun(cell)
        except UserError:
            yield f"{cell.name} was begun with another command than the recipe has now"


def _asked(finished: Finished) -> list[str]:
    asked = {str(run.path.relative_to(RUNS)): run.questions for side in finished.sides.values() for run in side.runs}
    return other_questions(asked)


def _digests(finished: Finished) -> Iterator[Json]:
    """What every trained cell recorded of its training, for those who want to see it."""
    for each in finished.trained:
        account = each.account
        yield {
            "cell": each.cell.name, "questions": account.questions, "solutions": account.solutions,
            "order": account.order, "optimizer_steps": account.optimizer_steps,
            "trained_tokens": account.trained_tokens,
        }  # fmt: skip
