"""Two lists of traces side by side, paired by question."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import asdict
from functools import cached_property
from typing import Any

from memreason.serving.browse.figures import accuracy
from memreason.serving.browse.index import Entry, TraceIndex

CHANGES = ("both_right", "only_left", "only_right", "both_wrong")
"""What two runs can make of a question; wrong means not right, so that no answer counts as wrong."""


class Comparison:
    """The questions that stand in both lists, once in each, paired by id and text, never by their order."""

    def __init__(self, left: TraceIndex, right: TraceIndex, labels: tuple[str, str] = ("left", "right")):
        self.left, self.right, self.labels = left, right, labels
        one, other = _places(left), _places(right)
        shared = [key for key in one if key in other]
        single = [key for key in shared if len(one[key]) == len(other[key]) == 1]
        self._pairs = [(one[key][0], other[key][0]) for key in single]
        other_text = sum(id_ in right.places and (id_, text) not in other for id_, text in one)
        self.unpaired = {
            "only_left": len(one) - len(shared) - other_text,
            "only_right": len(other) - len(shared) - other_text,
            "other_text": other_text,
            "repeated": len(shared) - len(single),
        }
        """Why questions are left out: in one list only; with the same id but another text; several times in a list."""

    @cached_property
    def figures(self) -> dict[str, Any]:
        """{"n", "left": accuracy, "right": accuracy, "changes": {change: count}, "comparison", "unpaired"} over the
        pairs.

        ``comparison`` is a `PairResult` of the comparison's JSON: the right accuracy against the left one, as
        `memreason compare` has it. It is None where there are no pairs. Its sentence calls the two by their labels.
        """
        changes = Counter(self._change(pair) for pair in self._pairs)
        return {
            "n": len(self._pairs),
            "left": accuracy(self.left.entries[place].outcome for place, _ in self._pairs),
            "right": accuracy(self.right.entries[place].outcome for _, place in self._pairs),
            "changes": {change: changes[change] for change in CHANGES},
            "comparison": self._compared() if self._pairs else None,
            "unpaired": self.unpaired,
        }

    def _compared(self) -> dict[str, Any] | None:
        from memreason.compare.figures import of_two, right_or_wrong

        sides = zip(*map(self._entries, self._pairs), strict=True)
        left, right = (
            right_or_wrong(name, (entry.outcome == "correct" for entry in side))
            for name, side in zip(self.labels, sides, strict=True)
        )
        found = of_two(left, right)
        return asdict(found) if found else None

    def select(
        self, wanted: Mapping[str, str], query: str = "", id_: str = ""
    ) -> tuple[list[tuple[int, int]], dict[str, list[str]]]:
        """(pairs of places that fit, facet → the values that some pair has).

        ``wanted`` can have `change`, `split`, `family` and `cause`; a cause is that of either trace. All words of
        ``query`` must stand in one of the two traces. ``id_``, where it is not empty, is the question's.
        """
        words = query.casefold().split()
        found = []
        values: dict[str, set[str]] = {"split": set(), "family": set(), "cause": set()}
        for pair in self._pairs:
            both = self._entries(pair)
            facts = {
                "change": {self._change(pair)},
                "split": {both[0].split},
                "family": {both[0].family},
                "cause": {entry.cause for entry in both},
            }
            for name, seen in values.items():
                seen |= facts[name]
            if (
                (not id_ or both[0].id == id_)
                and all(wanted[name] in facts[name] for name in facts if wanted.get(name))
                and (not words or any(all(word in entry.text for word in words) for entry in both))
            ):
                found.append(pair)
        return found, {name: sorted(seen - {""}) for name, seen in values.items()}

    def shown(self, pair: tuple[int, int]) -> dict[str, Any]:
        """{"left": row, "right": row, "change", "same_options"}."""
        left, right = self.left.row(pair[0]), self.right.row(pair[1])
        return {
            "left": left,
            "right": right,
            "change": self._change(pair),
            "same_options": list(left["options"]) == list(right["options"]),
        }

    def _entries(self, pair: tuple[int, int]) -> tuple[Entry, Entry]:
        return self.left.entries[pair[0]], self.right.entries[pair[1]]

    def _change(self, pair: tuple[int, int]) -> str:
        left, right = (entry.outcome == "correct" for entry in self._entries(pair))
        return CHANGES[0 if left and right else 1 if left else 2 if right else 3]


def _places(index: TraceIndex) -> dict[tuple[str, str], list[int]]:
    places: dict[tuple[str, str], list[int]] = {}
    for place, entry in enumerate(index.entries):
        places.setdefault((entry.id, entry.question), []).append(place)
    return places
