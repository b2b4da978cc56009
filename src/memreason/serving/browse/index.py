"""An index of one traces.jsonl: what the filters ask for lies in memory, the traces themselves on disk."""

from __future__ import annotations

import json
import threading
from collections import Counter
from collections.abc import Collection, Mapping
from pathlib import Path
from sys import intern
from typing import Any, NamedTuple

from memreason.errors import UserError
from memreason.explain.counts import UNEXPLAINED
from memreason.records import Question, TraceRow
from memreason.runtime.disk_list import DiskList
from memreason.runtime.files import read_jsonl
from memreason.runtime.reading import check_fields
from memreason.tasks.assemble import question_key
from memreason.tasks.atlas.about import family_of

FACETS = ("outcome", "cause", "grounds", "split", "family")
"""The fields of an `Entry` that a filter can ask for."""

Row = dict[str, Any]


class Entry(NamedTuple):
    """What is in memory of one trace. A facet that the trace does not have is the empty text."""

    id: str
    outcome: str
    cause: str
    grounds: str
    split: str
    family: str
    question: str
    """`question_key`: equal for the same text with the same options."""
    text: str
    """All words that a search looks through, without case."""


class TraceIndex:
    """The traces of one file as they were when it was read.

    In memory lie the words of each trace (less than a kilobyte), and no more. Can be used from several threads.
    Raises UserError that names file:line and the field that is missing or wrong.
    """

    def __init__(self, path: Path):
        self.entries: list[Entry] = []
        self.judged = False
        """Whether a judge read the steps of any trace."""
        self.first_fault = False
        """Whether a judge named the first fault as the cause, as in files without `grounds`."""
        self._rows: DiskList[Row] = DiskList()
        self._reads = threading.Lock()
        for number, row in read_jsonl(path):
            self.entries.append(_checked_entry(row, f"{path}:{number}"))
            if row["step_truth"] is not None:
                self.judged = True
                self.first_fault = self.first_fault or "grounds" not in row
            self._rows.append(row)
        self.places: dict[str, list[int]] = {}
        """Id of a question → the places of its traces in the file, from 0."""
        for place, entry in enumerate(self.entries):
            self.places.setdefault(entry.id, []).append(place)

    def __len__(self) -> int:
        return len(self.entries)

    def row(self, place: int) -> Row:
        """The trace at a place in the file (from 0), as its line has it, with its `place` and `family` beside."""
        with self._reads:
            row = self._rows[place]
        return {**row, "place": place, "family": self.entries[place].family}

    def select(
        self, wanted: Mapping[str, str], query: str = "", ids: Collection[str] | None = None
    ) -> tuple[list[int], dict[str, dict[str, int]]]:
        """(places of the traces that fit, facet → value → how many there would be with this value instead).

        ``wanted`` maps facets to values; one that is empty asks for nothing. All words of ``query`` must stand in the
        trace, its question, or its id. ``ids``, where given, are the questions to look at.
        """
        asked = [(place, wanted[name]) for place, name in enumerate(FACETS, 1) if wanted.get(name)]
        words = query.casefold().split()
        counts = [Counter[str]() for _ in FACETS]
        found = []
        for place, entry in enumerate(self.entries):
            if (ids is not None and entry.id not in ids) or not all(word in entry.text for word in words):
                continue
            missed = [facet for facet, value in asked if entry[facet] != value]
            if not missed:
                found.append(place)
                for facet, count in enumerate(counts, 1):
                    count[entry[facet]] += 1
            elif len(missed) == 1:
                counts[missed[0] - 1][entry[missed[0]]] += 1
        for count in counts:
            del count[""]
        return found, {name: dict(count.most_common()) for name, count in zip(FACETS, counts, strict=True)}


def _checked_entry(row: Row, where: str) -> Entry:
    try:
        check_fields(TraceRow, row)
        return _entry(row)
    except (KeyError, TypeError) as error:
        field = error.args[0] if isinstance(error, KeyError) else json.dumps(str(error))
        raise UserError(f"{where}: not a trace (field {field}); give a traces.jsonl that memreason wrote") from error


def _entry(row: Row) -> Entry:
    cause = ""
    if row["outcome"] == "incorrect" and row["step_truth"] is not None:
        cause = row["cause"] or UNEXPLAINED
    question = Question(
        row["id"], row["question"], "", tuple(row["options"]), dataset=row["dataset"], split=row["split"]
    )
    steps = [f"{step['type']} {step['text']}" for step in row["steps"]]
    texts = [row["id"], row["question"], *row["options"], *steps, row["answer"] or ""]
    return Entry(
        id=row["id"],
        outcome=intern(row["outcome"]),
        cause=intern(cause),
        grounds=intern(row.get("grounds") or ""),
        split=intern(row["split"]),
        family=intern(family_of(question) or ""),
        question=question_key(question),
        text="\n".join(texts).casefold(),
    )
