"""The judge `facts`: a user's own table of statements, each held true or false.

A step is looked up in the table, whatever its type: what is in it is a fact, so the step says one. By their words a
step and a statement are the same where their normal forms are equal (`wording.normal_form`). By embeddings they are
compared as in `sameness`: a step that says the same as a statement has its truth; one that contradicts a statement held
true is false; one that contradicts a statement held false may be false as well, and is unverifiable. Inferences are
never judged, nor is a step that is not in the table.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from itertools import islice, repeat
from pathlib import Path
from typing import TYPE_CHECKING

from memreason.errors import UserError
from memreason.explain.judges.coarse import answer_follows, coarse_judgement
from memreason.explain.judges.wording import normal_form
from memreason.records import MEMORY, AnswerKind, Judgement, Kind, Trace
from memreason.runtime.files import read_jsonl
from memreason.runtime.reading import shown

if TYPE_CHECKING:
    from memreason.explain.judges.sameness import Match, Sentences

FORM = '{"statement": "Nairobi is in Kenya.", "true": true}'


def read_facts(path: Path) -> dict[str, bool]:
    """Statement → whether it is held true. Raises UserError with file:line for a line that is no statement, for one
    that stands there as true and as false, and for a file without statements."""
    if not path.is_file():
        raise UserError(f"--facts {path}: no such file; give a JSONL file with {FORM} on each line")
    held: dict[str, bool] = {}
    seen: dict[str, tuple[int, bool]] = {}
    for number, row in read_jsonl(path):
        where = f"{path}:{number}"
        statement, true = row.get("statement"), row.get("true")
        if not isinstance(statement, str) or not normal_form(statement):
            raise UserError(f'{where}: "statement" is {shown(statement)}, and not a sentence; write {FORM}')
        if not isinstance(true, bool):
            raise UserError(f'{where}: "true" is {shown(true)}, and not true or false; write {FORM}')
        before, held_before = seen.setdefault(normal_form(statement), (number, true))
        if held_before != true:
            raise UserError(
                f"{where}: {shown(statement)} is held {_word(true)} here, and {_word(held_before)} in line {before}; "
                "leave one out"
            )
        held[statement] = true
    if not held:
        raise UserError(f"{path}: no statements in it; write {FORM} on each line")
    return held


def _word(true: bool) -> str:
    return "true" if true else "false"


class FactsJudge:
    """Looks steps up in ``held``, statement → whether it is held true; by their words, or with ``sentences``."""

    name = "facts"

    def __init__(self, held: Mapping[str, bool], kind: AnswerKind, sentences: Sentences | None = None):
        self._statements, self._held = list(held), dict(held)
        self._by_form = {normal_form(statement): true for statement, true in held.items()}
        self._kind, self._sentences = kind, sentences

    def judge(self, traces: Sequence[Trace]) -> list[Judgement]:
        """One judgement for each trace."""
        steps = [step.text for trace in traces for step in trace.steps]
        found: Iterable[Match | None] = repeat(None)
        if self._sentences:
            found = self._sentences.find([(text, self._statements) for text in steps])
        truths = iter([self._truth(text, match) for text, match in zip(steps, found, strict=False)])
        return [self._judge(trace, list(islice(truths, len(trace.steps)))) for trace in traces]

    def _judge(self, trace: Trace, truths: list[bool | None]) -> Judgement:
        kinds: list[Kind | None] = [None if truth is None else MEMORY for truth in truths]  # type: ignore[misc]
        return coarse_judgement(trace, self._kind, [*truths, answer_follows(trace, self._kind)], kinds)

    def _truth(self, text: str, match: Match | None) -> bool | None:
        if (by_words := self._by_form.get(normal_form(text))) is not None:
            return by_words
        if match is None or match.same is None:
            return None
        held = self._held[self._statements[match.place]]
        return held if match.same else False if held else None
