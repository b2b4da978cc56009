"""Pairing: which answers of all runs are about the same question. By id and text, never by their order."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from memreason.compare.logs import Fields
from memreason.compare.result import Unpaired
from memreason.compare.sides import Run, Side
from memreason.errors import UserError
from memreason.records import Question, one_line
from memreason.runtime.files import listed

Key = tuple[str, ...]
_SHOWN = 5


@dataclass(frozen=True)
class Pairing:
    """How questions are paired."""

    allow_missing: bool = False
    """Whether questions that some run lacks are left out; otherwise they are an error."""
    average: bool = False
    """Whether several answers of a run to one question count with their average; otherwise they are an error."""
    ignore_ids: bool = False
    """Whether questions are paired by their texts alone."""


class NotPaired(UserError):
    """Questions are not in every run."""

    def __init__(self, message: str, unpaired: Unpaired):
        super().__init__(message)
        self.unpaired = unpaired


@dataclass(frozen=True, eq=False)
class Paired:
    """Sides whose answers stand in one order of questions.

    ``columns`` has for each side and each of its runs the measures, shape (2, questions), as in `Run.columns`.
    """

    sides: tuple[Side, ...]
    questions: tuple[Question, ...]
    """As the first run has them."""
    fields: tuple[Fields, ...]
    """What the runs' files say about each question; where they differ, the first run counts."""
    columns: tuple[tuple[dict[str, np.ndarray], ...], ...]
    unpaired: Unpaired
    warnings: tuple[str, ...]

    @property
    def splits(self) -> list[str]:
        """The splits of the questions, in their order; without questions of no split."""
        return [split for split in dict.fromkeys(question.split for question in self.questions) if split]


def pair(sides: Sequence[Side], how: Pairing = Pairing()) -> Paired:
    """Bring the answers of all runs into one order of questions.

    Runs without ids in common are paired by text alone. Raises NotPaired where questions are missing on some side (see
    `Pairing.allow_missing`) or none is shared; UserError where a run answers a question several times, and where the
    options or the right answer of a question are not the same everywhere.
    """
    runs = [run for side in sides for run in side.runs]
    by_text = how.ignore_ids or not _share_ids(runs)
    by = _known_by(runs, by_text)
    places = [_places(run, by, how.average) for run in runs]
    shared = [key for key in places[0] if all(key in other for other in places[1:])]
    unpaired = _unpaired(runs, places, shared, by_text)
    _check_missing(runs, unpaired, shared, how.allow_missing)
    other_order, other_split = _check_same(runs, places, shared)
    fields: list[Fields] = []
    for key in shared:
        known = [run.fields[where[key][0]] for run, where in zip(runs, places, strict=True)]
        fields.append({name: value for each in reversed(known) for name, value in each.items()})
    orders = iter([[where[key] for key in shared] for where in places])
    unpaired = replace(unpaired, other_order=other_order)
    return Paired(
        tuple(sides),
        tuple(runs[0].questions[places[0][key][0]] for key in shared),
        tuple(fields),
        tuple(tuple(_ordered(run, next(orders)) for run in side.runs) for side in sides),
        unpaired,
        tuple(_warnings(sides, unpaired, other_split, by_text and not how.ignore_ids)),
    )


def _share_ids(runs: Sequence[Run]) -> bool:
    """Whether every run has ids, of which each other has some too."""
    ids = [{question.id for question in run.questions} - {""} for run in runs]
    return all(ids[0] & other for other in ids)


def _key(question: Question, by: tuple[str, ...]) -> Key:
    """What a question is known by: its id (or its text where that is not among ``by``) stands first."""
    return tuple(
        part
        for name in by
        for part in (
            [question.id] if name == "id" else [one_line(question.text).casefold()] if name == "text"
            else sorted(_options(question))
        )
    )  # fmt: skip


def _known_by(runs: Sequence[Run], by_text: bool) -> tuple[str, ...]:
    """What tells questions apart; options only where texts do not, and all runs have options."""
    if not by_text:
        return ("id", "text")
    alike = any(len({_key(question, ("text",)) for question in run.questions}) < len(run.questions) for run in runs)
    has_options = all(any(question.options for question in run.questions) for run in runs)
    return ("text", "options") if alike and has_options else ("text",)


def _places(run: Run, by: tuple[str, ...], average: bool) -> dict[Key, list[int]]:
    """Key of a question → the places of its answers, one or, if they are averaged, more."""
    places: dict[Key, list[int]] = {}
    for place, question in enumerate(run.questions):
        places.setdefault(_key(question, by), []).append(place)
    repeated = {key[0]: len(where) for key, where in places.items() if len(where) > 1}
    if repeated and not average:
        raise UserError(
            f"{run.path}: {_questions(len(repeated))} with several answers (up to {max(repeated.values())}): "
            f"{listed(repeated, _SHOWN)}; leave all but one out, or say --average_repeats, which counts a "
            "question with the average of its answers"
        )
    return places


def _unpaired(
    runs: Sequence[Run], places: Sequence[dict[Key, list[int]]], shared: Sequence[Key], by_text: bool
) -> Unpaired:
    kept = set(shared)
    everywhere = dict.fromkeys(key for where in places for key in where)
    missing = {
        str(run.path): tuple(key[0] for key in everywhere if key not in where)
        for run, where in zip(runs, places, strict=True)
    }
    other_text: tuple[str, ...] = ()
    if not by_text:
        ids = [{key[0] for key in where if key not in kept} for where in places]
        other_text = tuple(sorted(set.intersection(*ids)))
    return Unpaired(
        "text" if by_text else "id and text",
        sum(key not in kept for key in everywhere),
        {path: lacking for path, lacking in missing.items() if lacking},
        other_text,
    )


def _check_missing(runs: Sequence[Run], unpaired: Unpaired, shared: Sequence[Key], allowed: bool) -> None:
    """Raise NotPaired where there is no shared question, or some are missing and this is not allowed."""
    lacking = "; ".join(
        f"{path} lacks {len(ids)} ({listed(ids, _SHOWN)})" for path, ids in list(unpaired.missing.items())[:_SHOWN]
    )
    if unpaired.other_text:
        texts = f"{len(unpaired.other_text)} ids stand everywhere, but with other texts"
        lacking = f"{texts} ({listed(unpaired.other_text, _SHOWN)}); {lacking}"
    if not shared:
        raise NotPaired(
            f"no question is in all of {', '.join(str(run.path) for run in runs[:_SHOWN])}: {lacking}; "
            "are they about the same data, splits and seed (--split_seed)?",
            unpaired,
        )
    if unpaired.total and not allowed:
        raise NotPaired(
            f"{_questions(unpaired.total)} that not every run has: {lacking}; --allow_missing compares the "
            f"{len(shared)} that all have",
            unpaired,
        )


def _check_same(runs: Sequence[Run], places: Sequence[dict[Key, list[int]]], shared: Sequence[Key]) -> tuple[int, int]:
    """Raise UserError where options or right answers differ; return how many questions have their options in another
    order, and how many are of another split."""
    other_order, other_split = set(), set()
    for run, where in zip(runs[1:], places[1:], strict=True):
        for key in shared:
            first, other = runs[0].questions[places[0][key][0]], run.questions[where[key][0]]
            if first == other:
                continue
            one, two = _options(first), _options(other)
            what = ""
            if one and two and sorted(one) != sorted(two):
                what = "other options"
            elif first.answer and other.answer and _gold(first) != _gold(other):
                what = "another right answer"
            if what:
                raise UserError(
                    f"{run.path}: question {listed([first.id or first.text])} has {what} than in {runs[0].path}, so "
                    "they cannot be compared; are they of the same version of the data?"
                )
            if one and two and one != two:
                other_order.add(key)
            if first.split and other.split and first.split != other.split:
                other_split.add(key)
    return len(other_order), len(other_split)


def _options(question: Question) -> list[str]:
    return [one_line(option).casefold() for option in question.options]


def _gold(question: Question) -> str:
    """The right answer, by its text where it is the letter of an option."""
    place = ord(question.answer[:1].upper() or " ") - ord("A")
    options = _options(question)
    return options[place] if len(question.answer) == 1 and 0 <= place < len(options) else question.answer.casefold()


def _ordered(run: Run, order: Sequence[Sequence[int]]) -> dict[str, np.ndarray]:
    """The measures in this order of questions, averaged where there are several answers to one."""
    if all(len(where) == 1 for where in order):
        places = [where[0] for where in order]
        return {name: column[:, places] for name, column in run.columns.items()}
    return {
        name: np.stack([column[:, list(where)].mean(axis=1) for where in order], axis=1)
        for name, column in run.columns.items()
    }


def _warnings(sides: Sequence[Side], unpaired: Unpaired, other_split: int, by_text: bool) -> list[str]:
    found = [note for side in sides for run in side.runs for note in run.notes]
    if by_text:
        found.append("the sides have no ids in common, so questions are paired by their texts alone")
    if unpaired.total:
        found.append(f"left out: {_questions(unpaired.total)} that not every run has")
    if unpaired.other_order:
        found.append(f"{_questions(unpaired.other_order)} with options in another order on some side")
    if other_split:
        found.append(f"{_questions(other_split)} of another split on some side; that of the first run counts")
    answers: dict[bytes, list[tuple[str, str]]] = {}
    for side in sides:
        for run in side.runs:
            answers.setdefault(run.digest, []).append((side.name, str(run.path)))
    for same in answers.values():
        if len(same) > 1:
            one_side = len({name for name, _ in same}) < len(same)
            found.append(
                f"{_and([path for _, path in same])} have the same answers, word for word"
                + ("; runs of the same seed are one run, and the interval is too narrow" if one_side else "")
            )
    return found


def _questions(number: int) -> str:
    return f"{number} question{'' if number == 1 else 's'}"


def _and(paths: Sequence[str]) -> str:
    """The first paths, whole, and how many more there are."""
    more = len(paths) - _SHOWN
    return f"{', '.join(paths[:_SHOWN])} and {more} more" if more > 0 else " and ".join(paths)
