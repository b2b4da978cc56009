"""Fields of questions: what clusters (`--cluster`) and groups (`--by`) go by."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from memreason.compare.pairing import Paired
from memreason.errors import UserError, did_you_mean
from memreason.records import Question
from memreason.runtime.files import listed, read_jsonl

More = Mapping[str, Mapping[str, object]]
"""Id of a question → further fields of it."""


def read_fields(path: Path) -> dict[str, dict[str, object]]:
    """Further fields of questions, from a file with one JSON object a line: `id`, and any fields beside it.

    Raises UserError for a line without an id, and for an id that stands twice.
    """
    found: dict[str, dict[str, object]] = {}
    for number, row in read_jsonl(path):
        if "id" not in row:
            raise UserError(f"{path}:{number}: no id; each line needs the id of its question, and the fields beside it")
        if found.setdefault(str(row["id"]), row) is not row:
            raise UserError(f"{path}:{number}: the id {row['id']} stands twice")
    return found


def values_of(paired: Paired, name: str, more: More | None = None) -> list[str]:
    """The value of a field for each question, as text.

    `country` and `family` are read from questions of atlas (`tasks.atlas.about`); `split`, `dataset` and `options` (how
    many) from any question; others from the sides' files, or from ``more``. Raises UserError where a question has none.
    """
    found = [_value(name, question, {**known, **((more or {}).get(question.id) or {})})
             for question, known in zip(paired.questions, paired.fields, strict=True)]  # fmt: skip
    if lacking := [q.id or q.text for q, value in zip(paired.questions, found, strict=True) if value is None]:
        known = _names(paired, more)
        hint = did_you_mean(name, [other for other in known if other != name])  # some questions may have it
        raise UserError(
            f"the field {name!r} is not known for {len(lacking)} of {len(found)} questions ({listed(lacking, 3)})"
            f"{hint}; known are: {', '.join(known)}; `memreason compare --fields FILE.jsonl` adds others, by id"
        )
    return [str(value) for value in found]


def numbered(values: Sequence[str]) -> list[int]:
    """A number for each different value, from 0, in their order."""
    numbers = {value: number for number, value in enumerate(dict.fromkeys(values))}
    return [numbers[value] for value in values]


def _country(question: Question) -> str | None:
    from memreason.tasks.atlas.about import country_of

    return country_of(question)


def _family(question: Question) -> str | None:
    from memreason.tasks.atlas.about import family_of

    return family_of(question)


_OWN: dict[str, Callable[[Question], str | None]] = {
    "split": lambda question: question.split or None,
    "dataset": lambda question: question.dataset or None,
    "options": lambda question: str(len(question.options)),
    "country": _country,
    "family": _family,
}


def _value(name: str, question: Question, known: Mapping[str, object]) -> object:
    if name in known:
        return known[name]
    return _OWN[name](question) if name in _OWN else None


def _names(paired: Paired, more: More | None) -> list[str]:
    """The fields that the first question has."""
    question, known = paired.questions[0], paired.fields[0]
    own = [name for name, read in _OWN.items() if read(question) is not None]
    return list(dict.fromkeys([*own, *known, *((more or {}).get(question.id) or {})]))
