"""From text back to steps and an answer, in any spelling of planning tokens."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import NamedTuple

from memreason.answers.thoughts import without_thoughts
from memreason.planning_tokens.names import ANSWER, PREFIX, SPELLINGS, TOKEN
from memreason.planning_tokens.prompt_templates import ANSWER_PHRASE
from memreason.records import PLAIN, Step

_LEADING_TOKENS = re.compile(rf"(?:\s*{re.sub(r'[()]', '', TOKEN.pattern)})*")


class Parsed(NamedTuple):
    """What a text says: its steps, and the answer, or None where there is no answer line."""

    steps: tuple[Step, ...]
    answer: str | None


def parse_text(text: str) -> Parsed:
    """The steps and the answer of a solution text, one line a step, planning tokens first.

    It does not need to know which tokens a model has, so it reads other groups' texts too: there `<rag_i>`
    means memory, and spaces may stand between tokens.

    - A line's type is the kind of its first token that is not a general prefix. A line without such a
      token is a plain `step`.
    - The answer follows "The answer is:" on the first line that begins with these words. Later lines are not read.
    - A first line that holds only tokens, among them one of the answer line, is a plan. It gives the types of the
      plain lines that follow; where none follow, the steps have no text.
    - What a reasoning model thinks before it writes is left out (`without_thoughts`).
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
    """What the lines after a plan say. The plan gives the steps' types, and so their number."""
    answers = [i for i, line in enumerate(lines) if line.strip().startswith(ANSWER_PHRASE)]
    end = next((i for i in answers if i >= len(plan)), answers[0] if answers else len(lines))
    answer = lines[end].strip().removeprefix(ANSWER_PHRASE).strip() if answers else None
    texts = [line.strip() for line in lines[:end] if line.strip()]
    if not texts:
        return Parsed(tuple(Step(type_, "") for type_ in plan), answer or None)
    types = plan + [PLAIN] * (len(texts) - len(plan))
    return Parsed(tuple(Step(type_, text) for type_, text in zip(types, texts, strict=False)), answer or None)


def words_to_tokens(text: str, kinds: Sequence[str], on_every_line: bool) -> str:
    """``text`` with words in brackets, `[memory]`, turned into tokens, `<memory_0>`, where they open a line.

    ``kinds`` are the words. Where not ``on_every_line``, only the first line, a plan, has such words: the others
    are plain, whatever they begin with.
    """
    word = "|".join(re.escape(f"[{kind}]") for kind in kinds)
    # Some tokenizers put a space before each piece.
    leading = re.compile(f"^ *(?:{word})+", re.MULTILINE if on_every_line else re.NOFLAG)
    return leading.sub(lambda words: re.sub(word, lambda match: f"<{match[0][1:-1]}_0>", words[0]), text)
