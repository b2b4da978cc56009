"""The templates as regular expressions over folded text (see `names.fold`); a slot matches the names of its kind."""

from __future__ import annotations

import re
from collections.abc import Iterable
from functools import lru_cache

from memreason.tasks.atlas import other_wordings, templates
from memreason.tasks.atlas.claims import KINDS, Predicate, Rule
from memreason.tasks.atlas.facts import world
from memreason.tasks.atlas.names import fold


@lru_cache(maxsize=1)
def question_patterns() -> list[tuple[re.Pattern[str], tuple[Predicate, bool]]]:
    """(pattern, (predicate, whether a side is open)) of all questions."""
    patterns = []
    for predicate, statements in templates.STATEMENTS.items():
        forms = [q.format(statement=s) for q in templates.TRUE_FALSE for s in statements]
        patterns += [(p, (predicate, False)) for p in _patterns(forms, KINDS[predicate])]
    for table in (templates.LEFT_OPEN, templates.RIGHT_OPEN):
        for predicate, questions in table.items():
            patterns += [(p, (predicate, True)) for p in _patterns(questions, KINDS[predicate])]
    return patterns


@lru_cache(maxsize=1)
def memory_patterns() -> list[tuple[re.Pattern[str], Predicate]]:
    """(pattern, predicate) of all sentences that state a fact, the dataset's own first."""
    return [
        (pattern, predicate)
        for table in (templates.MEMORIES, other_wordings.MEMORIES)
        for predicate, forms in table.items()
        for pattern in _patterns(forms, KINDS[predicate])
    ]


@lru_cache(maxsize=1)
def reason_patterns() -> list[tuple[re.Pattern[str], Rule]]:
    """(pattern, rule) of all reason sentences, special rules first.

    Otherwise "they share no border" would be read by the rule BOTH, as a value that they share.
    """
    order = (Rule.TOUCH, Rule.APART, Rule.COMPARE, Rule.BOTH, Rule.MATCH, Rule.DIFFER, Rule.OPTION)
    patterns = []
    for rule in order:
        for form in (*templates.REASONS[rule], *other_wordings.REASONS.get(rule, ())):
            whole = {form.replace("{end}", end) for end in _ends()}
            patterns += [(_compiled(text, {}), rule) for text in sorted(whole)]
    return patterns


def _ends() -> list[str]:
    return [*(end for forms in templates.ENDS.values() for end in forms), *other_wordings.ENDS]


@lru_cache(maxsize=1)
def conclusions() -> list[re.Pattern[str]]:
    """Sentences that only conclude ("so the answer is true"), with or without facts before it."""
    leads = r"(?:(?:(?P<because>.+) )?(?:so|therefore|thus|hence) )?"
    return [re.compile(leads + _compiled(end, {}).pattern) for end in _ends()]


def _patterns(forms: Iterable[str], kinds: tuple[str, str]) -> list[re.Pattern[str]]:
    slots = {slot: _slot(kind) for slot, kind in zip(("left", "right"), kinds, strict=True)}
    return [_compiled(form, slots) for form in forms]


@lru_cache(maxsize=16)
def _slot(kind: str) -> str:
    """The expression for a slot: the names of its kind, if these are few, else any short text, which is looked up."""
    if kind in ("country", "continent", "hemisphere"):
        return "|".join(re.escape(name) for name in world().spellings(kind))
    return r"[\d.]+(?: [a-z]+)?" if kind == "number" else r".{1,40}?"


def _compiled(form: str, slots: dict[str, str]) -> re.Pattern[str]:
    """The template as a regular expression over folded text."""
    parts = re.split(r"\{(\w+)\}", fold(form))
    text = ""
    for index, part in enumerate(parts):
        if index % 2 == 0:
            text += re.escape(part)
        elif part == "answer":
            text += r"(?P<answer>true|false|[a-d])"
        else:
            text += f"(?P<{part}>{slots.get(part, '.{1,50}?')})"
    return re.compile(text)
