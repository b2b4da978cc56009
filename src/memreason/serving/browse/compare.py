"""Two lists of traces side by side: paired by question, their steps aligned, what differs marked."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from difflib import SequenceMatcher
from itertools import zip_longest
from typing import Any

from memreason.serving.browse.figures import accuracy
from memreason.serving.browse.index import Entry, Row, TraceIndex

CHANGES = ("both_right", "only_left", "only_right", "both_wrong")
"""What two runs can make of a question; wrong means not right, so that no answer counts as wrong."""
_WORD = re.compile(r"\w+|\s+|[^\w\s]")
_ALIKE = 0.4
"""Steps that share a smaller part of their words do not say nearly the same."""
_MOST_WORDS = 400_000
"""Products of two lengths in words above which texts are not compared word by word."""
_MOST_STEPS = 2_500
"""The same for steps."""

Part = tuple[str, bool]
"""A piece of a text, and whether it differs from the other text."""


class Comparison:
    """The questions that stand in both lists, once in each, paired by id and text, never by their order."""

    def __init__(self, left: TraceIndex, right: TraceIndex):
        self.left, self.right = left, right
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

    def figures(self) -> dict[str, Any]:
        """{"n", "left": accuracy, "right": accuracy, "changes": {change: count}, "p", "unpaired"} over the pairs.

        ``p`` is that of McNemar's exact test of equal accuracy; None where no question changed sides.
        """
        from scipy.stats import binomtest

        changes = Counter(self._change(pair) for pair in self._pairs)
        gained, lost = changes["only_right"], changes["only_left"]
        return {
            "n": len(self._pairs),
            "left": accuracy(self.left.entries[place].outcome for place, _ in self._pairs),
            "right": accuracy(self.right.entries[place].outcome for _, place in self._pairs),
            "changes": {change: changes[change] for change in CHANGES},
            "p": float(binomtest(gained, gained + lost).pvalue) if gained + lost else None,
            "unpaired": self.unpaired,
        }

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
        """{"left": row, "right": row, "change", "aligned": see `aligned`, "same_options"}."""
        left, right = self.left.row(pair[0]), self.right.row(pair[1])
        return {
            "left": left,
            "right": right,
            "change": self._change(pair),
            "aligned": aligned(left["steps"], right["steps"]),
            "same_options": list(left["options"]) == list(right["options"]),
        }

    def _entries(self, pair: tuple[int, int]) -> tuple[Entry, Entry]:
        return self.left.entries[pair[0]], self.right.entries[pair[1]]

    def _change(self, pair: tuple[int, int]) -> str:
        left, right = (entry.outcome == "correct" for entry in self._entries(pair))
        return CHANGES[0 if left and right else 1 if left else 2 if right else 3]


def aligned(left: Sequence[Row], right: Sequence[Row]) -> list[dict[str, Any]]:
    """The steps of two traces, those that say the same or nearly so beside each other, in both orders.

    One row for each: {"left": number of the step from 0 or None, "right": the same, "same": whether type and text are
    equal, "alike": whether they say nearly the same, "left_parts": pieces of the text with whether they differ,
    "right_parts"}.
    """
    rows = []
    for one, other, alike in _beside([step["text"] for step in left], [step["text"] for step in right]):
        parts = differences(
            left[one]["text"] if one is not None else "", right[other]["text"] if other is not None else "", alike
        )
        same = alike and one is not None and other is not None and left[one] == right[other]
        rows.append(
            {
                "left": one, "right": other, "same": same, "alike": alike,
                "left_parts": parts[0], "right_parts": parts[1],
            }
        )  # fmt: skip
    return rows


def differences(left: str, right: str, alike: bool = True) -> tuple[list[Part], list[Part]]:
    """Two texts in pieces, word by word, and whether each piece differs from the other text; as one piece each where
    they are not ``alike``, or too long."""
    one, other = _WORD.findall(left), _WORD.findall(right)
    if not alike or len(one) * len(other) > _MOST_WORDS:
        differs = left != right
        return [(left, differs)] if left else [], [(right, differs)] if right else []
    parts: tuple[list[Part], list[Part]] = ([], [])
    for kind, *ends in SequenceMatcher(None, one, other, autojunk=False).get_opcodes():
        for side, words in zip(parts, (one[ends[0] : ends[1]], other[ends[2] : ends[3]]), strict=True):
            if words:
                side.append(("".join(words), kind != "equal"))
    return parts


def _beside(left: Sequence[str], right: Sequence[str]) -> Iterator[tuple[int | None, int | None, bool]]:
    """The alignment whose pairs share most words (Needleman and Wunsch, 1970, with gaps at no cost): (step, step, True)
    for a pair, and between two pairs the other steps in their order, with False."""
    if len(left) * len(right) > _MOST_STEPS:
        alike = SequenceMatcher(None, left, right, autojunk=False).get_matching_blocks()
        pairs = [(block.a + step, block.b + step) for block in alike for step in range(block.size)]
    else:
        pairs = _best_pairs([Counter(_words(text)) for text in left], [Counter(_words(text)) for text in right])
    one = other = 0
    for to_one, to_other in [*pairs, (len(left), len(right))]:
        for both in zip_longest(range(one, to_one), range(other, to_other)):
            yield *both, False
        if to_one < len(left) and to_other < len(right):
            yield to_one, to_other, True
        one, other = to_one + 1, to_other + 1


def _best_pairs(left: list[Counter[str]], right: list[Counter[str]]) -> list[tuple[int, int]]:
    best = [[0.0] * (len(right) + 1) for _ in range(len(left) + 1)]
    score = [[_likeness(one, other) for other in right] for one in left]
    for one in reversed(range(len(left))):
        for other in reversed(range(len(right))):
            paired = score[one][other] + best[one + 1][other + 1] if score[one][other] else 0.0
            best[one][other] = max(paired, best[one + 1][other], best[one][other + 1])
    pairs, one, other = [], 0, 0
    while one < len(left) and other < len(right):
        if score[one][other] and best[one][other] == score[one][other] + best[one + 1][other + 1]:
            pairs.append((one, other))
            one, other = one + 1, other + 1
        elif best[one][other] == best[one + 1][other]:
            one += 1
        else:
            other += 1
    return pairs


def _likeness(one: Counter[str], other: Counter[str]) -> float:
    """The share of words in common, or 0 where it is too small."""
    total = one.total() + other.total()
    share = 2 * (one & other).total() / total if total else 1.0
    return share if share >= _ALIKE else 0.0


def _words(text: str) -> list[str]:
    return [word.casefold() for word in _WORD.findall(text) if word[0].isalnum()]


def _places(index: TraceIndex) -> dict[tuple[str, str], list[int]]:
    places: dict[tuple[str, str], list[int]] = {}
    for place, entry in enumerate(index.entries):
        places.setdefault((entry.id, entry.question), []).append(place)
    return places
