"""Parsing a text into steps and an answer, for any number and any names of planning tokens."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import NamedTuple

from memreason.answers.thoughts import without_thoughts
from memreason.planning_tokens.names import ANSWER, PREFIX, SPELLINGS, TOKEN
from memreason.planning_tokens.prompt import ANSWER_PHRASE
from memreason.records import PLAIN, Step

_LEADING_TOKENS = re.compile(rf"(?:\s*{re.sub(r'[()]', '', TOKEN.pattern)})*")


class Parsed(NamedTuple):
    """The steps of a text, and its answer, which is None where there is no answer line."""

    steps: tuple[Step, ...]
    answer: str | None


def parse_text(text: str) -> Parsed:
    """The steps and the answer of a solution text with one step per line, each line with its planning tokens first.

    This works without knowing which tokens a model has, so it reads the texts of other groups too: in those, `<rag_i>`
    means memory, and there may be spaces between tokens.

    - A line's type is the kind of its first token that is not a general prefix. A line without such a
      token is a plain `step`.
    - The answer follows "The answer is:" on the first line that begins with these words. Later lines are not read.
    - A first line that holds only tokens, and among them a token of the answer line, is a plan. It gives the types of
      the lines that follow, which have no tokens. If no lines follow, the steps have no text.
    - The thoughts of a reasoning model are left out (`without_thoughts`).
    """
    text = without_thoughts(text)
    first, *rest = text.split("\n")
    lead = _LEADING_TOKENS.fullmatch(first.rstrip())
    types = [name for name, number in TOKEN.findall(first) if name != PREFIX and number == "0"]
    if lead and ANSWER in types:
        return _parse_planned([SPELLINGS.get(name, name) for name in types[: types.index(ANSWER)]], rest)
    steps: list[Step] = []
    for line in text.split("\n"):
        lead = _LEADING_TOKENS.match(line)
        end = lead.end() if lead else 0
        types = [name for name, _ in TOKEN.findall(line[:end]) if name != PREFIX]
        body = line[end:].strip()
        if (ANSWER in types or not types) and body.startswith(ANSWER_PHRASE):
            return Parsed(tuple(steps), body.removeprefix(ANSWER_PHRASE).strip() or None)
        if body or types:
            type_ = types[0] if types else PLAIN
            steps.append(Step(SPELLINGS.get(type_, type_), body))
    return Parsed(tuple(steps), None)


def _parse_planned(plan: list[str], lines: list[str]) -> Parsed:
    """The steps and the answer in the lines after a plan, which gives the types of the steps, and so their number."""
    answers = [i for i, line in enumerate(lines) if line.strip().startswith(ANSWER_PHRASE)]
    end = next((i for i in answers if i >= len(plan)), answers[0] if answers else len(lines))
    answer = lines[end].strip().removeprefix(ANSWER_PHRASE).strip() if answers else None
    texts = [line.strip() for line in lines[:end] if line.strip()]
    if not texts:
        return Parsed(tuple(Step(type_, "") for type_ in plan), answer or None)
    types = plan + [PLAIN] * (len(texts) - len(plan))
    return Parsed(tuple(Step(type_, text) for type_, text in zip(types, texts, strict=False)), answer or None)


def leading_marks(line: str, marks: Sequence[str]) -> str:
    """The beginning of a line that holds only ``marks``, with what white space there is before and between them."""
    some = "|".join(map(re.escape, sorted(marks, key=len, reverse=True)))
    found = re.match(rf"(?:\s*(?:{some}))*", line) if marks else None
    return found[0] if found else ""


def words_to_tokens(text: str, kinds: Sequence[str], on_every_line: bool, colons: bool = False) -> str:
    """``text`` with each word in brackets at the start of a line, `[memory]`, turned into a token, `<memory_0>`.

    ``kinds`` are the words; with ``colons``, one may follow them, as in files of labelled steps (in our layout it would
    belong to the step). If ``on_every_line`` is False, only the words of the first line, the plan, are turned:
    on the other lines a word in brackets is ordinary text.
    """
    word = "|".join(re.escape(f"[{kind}]") for kind in kinds)
    # Some tokenizers put a space before each piece.
    leading = re.compile(f"^ *((?:{word})+){':?' if colons else ''}", re.MULTILINE if on_every_line else re.NOFLAG)
    return leading.sub(lambda words: re.sub(word, lambda match: f"<{match[0][1:-1]}_0>", words[1]), text)
