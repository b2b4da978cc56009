"""From meaning to sentences and back: each template is used in both directions.

To write a sentence, the slots of a template are filled. To read one, the template becomes a regular expression
(`patterns`).
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import lru_cache
from random import Random
from typing import NamedTuple

from memreason.records import Kind, Question
from memreason.tasks.atlas import other_wordings, templates
from memreason.tasks.atlas.claims import BORDER, KINDS, OPEN, Asked, Claim, Predicate, Rule
from memreason.tasks.atlas.facts import Fact, number, pair, spoken, world
from memreason.tasks.atlas.names import OTHER_NAMES, fold, with_article
from memreason.tasks.atlas.patterns import conclusions, memory_patterns, question_patterns, reason_patterns

UNITS = {Predicate.AREA: " square kilometres", Predicate.POPULATION: " people"}
_OTHER_WORDS = (
    "not no never hardly neither nor none nothing without or and but a an also in on of very about is was option that "
    "so than more less fewer greater larger smaller named unknown unclear definitely certainly clearly probably "
    "possibly likely perhaps maybe really actually indeed still now currently once formerly only just far from either "
    "both"
)
_NO_NAME = set(_OTHER_WORDS.split())
"""Words that stand in no name: a text with one of them is no invented value, but says something about a value."""
_MOST_FACTS = 50
"""A step with more facts than this, with "and" between them, is not read."""
_BEFORE_A_SENTENCE = re.compile(r"\s*(?:[-*•]|\d{1,3}[.)]|[Ss]tep \d{1,3}[.:])\s+")
"""The mark of a line in a list: "- ", "2. "."""


class Inference(NamedTuple):
    """The content of a reason step: its rule, the values that it names (as `plain` gives them), and its conclusion.

    ``rule`` is None where the step names no values: "so the answer is true".
    """

    rule: Rule | None
    values: tuple[str, ...]
    answer: str


class Said(NamedTuple):
    """What a step says: the facts that it states, and the inference that it draws, from them or from earlier ones."""

    facts: tuple[Fact, ...]
    inference: Inference | None = None

    @property
    def kind(self) -> Kind:
        """memory, or reason where the step draws a conclusion."""
        return "reason" if self.inference else "memory"


# ---- writing ---------------------------------------------------------------------------------------


def say(kind: str, name: str) -> str:
    """A name as it is written in a sentence. A city or a language that is in no list was read folded."""
    if kind == "country":
        return with_article(name)
    name = name.title() if kind in ("city", "language") and name.islower() else name
    return spoken(name) if kind == "number" and name != OPEN else name


def write_question(rng: Random, claim: Claim) -> str:
    """The text of a question about ``claim``: a True/False question where no side is open, else multiple choice."""
    left, right = (say(kind, name) for kind, name in zip(KINDS[claim.predicate], _sides(claim), strict=True))
    if OPEN not in _sides(claim):
        statement = rng.choice(templates.STATEMENTS[claim.predicate]).format(left=left, right=right)
        question = rng.choice(templates.TRUE_FALSE)
        begins = question.startswith("{statement}")
        return question.format(statement=_capitalised(statement) if begins else statement)
    forms = templates.LEFT_OPEN if claim.left == OPEN else templates.RIGHT_OPEN
    return _capitalised(rng.choice(forms[claim.predicate]).format(left=left, right=right))


def write_option(predicate: Predicate, kind: str, name: str) -> str:
    """The text of an option."""
    return spoken(name) + UNITS[predicate] if kind == "number" else name


def write_memory(rng: Random, fact: Fact, first: str = "") -> str:
    """The text of a memory step that states the fact. In a border fact, the country ``first`` is named first."""
    return rng.choice(memory_wordings(fact, first))


def memory_wordings(fact: Fact, first: str = "") -> list[str]:
    """The texts of all memory steps that state the fact, in the order of their templates; ``first`` as above. A fact
    that the dataset never states, the continent of a capital, has the wordings that are read."""
    if fact.relation == "border":
        sides = sorted(fact.subject.split(" / "), key=lambda name: name != first)
        left, right = (say("country", name) for name in sides)
        predicate = next(predicate for predicate, value in BORDER.items() if value == fact.value)
    else:
        predicate = Predicate(fact.relation)
        kinds = KINDS[predicate]
        left, right = say(kinds[0], fact.subject), say(kinds[1], fact.value)
    forms = templates.MEMORIES.get(predicate) or [f"{form}." for form in other_wordings.MEMORIES[predicate]]
    return [_capitalised(form.format(left=left, right=right)) for form in forms]


def write_reason(rng: Random, rule: Rule, answer: str, a: str = "", b: str = "") -> str:
    """The text of a reason step by this rule; ``a`` and ``b`` are the values as the sentence shows them."""
    shown = answer if answer in "ABCD" else answer.lower()
    ends = templates.ENDS["letter" if shown == answer else "truth"]
    end = rng.choice(ends).format(answer=shown)
    return _capitalised(rng.choice(templates.REASONS[rule]).format(a=a, b=b, end=end, answer=shown))


def _capitalised(text: str) -> str:
    return text[0].upper() + text[1:]


def _sides(claim: Claim) -> tuple[str, str]:
    return claim.left, claim.right


# ---- reading ---------------------------------------------------------------------------------------


@lru_cache(maxsize=4096)
def read_question(question: Question) -> Asked | None:
    """The claim and the options of a question; None for a text that fits no template."""
    text = fold(question.text)
    for pattern, (predicate, is_open) in question_patterns():
        if is_open != bool(question.options):
            continue
        kinds = KINDS[predicate]
        for left, right in _matches(pattern, text, kinds):
            claim = Claim(predicate, left or OPEN, right or OPEN)
            kind = kinds[0] if claim.left == OPEN else kinds[1]
            return Asked(claim, tuple(world().find(kind, option) for option in question.options))
    return None


@lru_cache(maxsize=4096)
def read_step(text: str) -> Said | None:
    """What a step says, whatever its type; None where any part of it cannot be read.

    Most steps state one fact or draw one conclusion. Some do both: "Thailand is in Asia, so the answer is true" states
    a fact, and concludes. Some have several sentences, or several facts with "and" between them. A question says
    nothing; marks of lists, quotes and emphasis around a step do not count.
    """
    text = _BEFORE_A_SENTENCE.sub("", text, count=1).strip(' \t*_"“”')
    if text.endswith("?"):
        return None
    if said := _read_sentence(fold(text)):
        return said
    facts: list[Fact] = []
    inference = None
    for sentence in re.split(r"[.;!] ", fold(text)):
        said = _read_sentence(sentence)
        if said is None:
            return None
        facts += said.facts
        inference = said.inference or inference
    return Said(tuple(facts), inference)


def _read_sentence(text: str) -> Said | None:
    """What one sentence says, as folded text."""
    if facts := _read_facts(text):
        return Said(facts)
    for pattern in conclusions():
        if match := pattern.fullmatch(text):
            facts = _read_facts(match["because"] or "")
            if facts or not match["because"]:
                return Said(facts, Inference(None, (), normal_answer(match["answer"]) or ""))
    inference = read_reason(text)
    return Said((), inference) if inference else None


def _read_facts(text: str) -> tuple[Fact, ...]:
    """The facts that a text states, one or several with "and" between them; none where any part is something else."""
    if fact := read_memory(text):
        return (fact,)
    if text.count(" and ") >= _MOST_FACTS:
        return ()
    for joint in re.finditer(" and ", text):
        first = read_memory(text[: joint.start()])
        rest = _read_facts(text[joint.end() :]) if first else ()
        if first and rest:
            return (first, *rest)
    return ()


@lru_cache(maxsize=4096)
def read_memory(text: str) -> Fact | None:
    """The fact that a memory step states, true or false; None where it states none.

    A capital, currency or language that is in no list, such as an invented city, is still read as a
    value if it looks like a name: the step then states a false fact, and is not unreadable.
    """
    text = fold(text)
    for invented in (False, True):
        for pattern, predicate in memory_patterns():
            may_be_invented = invented and predicate != Predicate.CAPITAL_CONTINENT
            for left, right in _matches(pattern, text, KINDS[predicate], may_be_invented):
                if left is None or right is None:
                    continue
                if predicate not in BORDER:
                    return Fact(predicate.value, left, right)
                if left != right:
                    return Fact("border", pair(left, right), BORDER[predicate])
    return None


@lru_cache(maxsize=4096)
def read_reason(text: str) -> Inference | None:
    """The inference that a reason step draws, valid or not; None where it draws none."""
    text = fold(text)
    for pattern, rule in reason_patterns():
        match = pattern.fullmatch(text)
        if match:
            slots = match.groupdict()
            values = tuple(slots[slot] for slot in ("a", "b") if slot in slots)
            if all(map(_looks_like_value, values)):
                return Inference(rule, tuple(map(plain, values)), normal_answer(slots["answer"]) or "")
    return None


def _looks_like_value(text: str) -> bool:
    """Whether the text can be a value that a reason step names; "in Asia" in "France is not in Asia" is none."""
    known = number(text) or any(world().find(kind, text) for kind in ("country", "city"))
    return bool(known) or _NO_NAME.isdisjoint(text.split())


def plain(text: str) -> str:
    """One spelling for a value in a reason step: digits, a country's name, or the folded text."""
    other = next((names[fold(text)] for names in OTHER_NAMES.values() if fold(text) in names), text)
    return number(text) or world().find("country", text) or fold(other)


def normal_answer(text: str) -> str | None:
    """The answer (True, False or a letter) in a text such as "true.", "(B)", "option B", "B. Paris"; else None."""
    text = text.strip()
    match = re.fullmatch(r"(true|false)\b\W*", text, re.IGNORECASE)
    if match:
        return match[1].capitalize()
    match = re.fullmatch(r"(?:[Oo]ption )?\(?(?:([A-D])\)?(?:[.:)].*)?|([a-d])\)?\.?)", text)
    return (match[1] or match[2]).upper() if match else None


def _matches(
    pattern: re.Pattern[str], text: str, kinds: tuple[str, str], invented: bool = False
) -> Iterator[tuple[str | None, str | None]]:
    """Yield the names in the slots left and right of a text, if it matches and both are of their kinds.

    A slot that the pattern lacks gives None. With ``invented``, a text that only looks like a name counts too.
    """
    match = pattern.fullmatch(text)
    if not match:
        return
    names: list[str | None] = []
    for slot, kind in zip(("left", "right"), kinds, strict=True):
        spelled = match.groupdict().get(slot)
        name = world().find(kind, spelled) if spelled else None
        if spelled and name is None:
            if not (invented and _looks_like_name(kind, spelled)):
                return
            name = spelled
        names.append(name)
    yield names[0], names[1]


def _looks_like_name(kind: str, text: str) -> bool:
    """Whether the text could be an invented city (up to three words), currency or language (one word)."""
    words = text.split()
    limit = {"city": 3, "currency": 1, "language": 1}.get(kind, 0)
    return len(words) <= limit and text[0].isalpha() and _NO_NAME.isdisjoint(words)
