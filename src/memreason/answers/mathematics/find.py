"""Finding an answer in LaTeX inside a text. Needs no torch."""

from __future__ import annotations

import re
from itertools import zip_longest

from memreason.answers.latex import last_boxed
from memreason.answers.marks import after_hashes, announced, tagged
from memreason.answers.mathematics.equality import FORMULA, UNIT, clean, is_wording
from memreason.answers.number import first_number, last_number
from memreason.records import one_line

_DISPLAYED = re.compile(r"\$\$(?:(?!\$\$).)+\$\$|\\\[(?:(?!\\[\[\]]).)+\\\]", re.DOTALL)
_JOINT = re.compile(r"[\s,;]*(?:and|or|[,;])[\s,;]*(?:also\s*)?")


def find_math(text: str) -> str | None:
    """The answer that a text gives, or None: the first that exists of these.

    - The content of its last box, or of the last boxes that are joined by a comma, "and" or "or".
    - The content of its last `<answer>` tag.
    - The answer after its last "answer is". In a sentence there, this is the first formula, or several formulas that
      are joined by "and" or "or"; without a formula, the first number.
    - The text after its last ####; its last formula; its last number.
    """
    text = _on_one_line(text)
    if marked := last_boxed(text) or tagged(text):
        return clean(marked)
    for rest, sure, last in announced(text):
        if (sure or last) and (answer := _announced_answer(rest)):
            return answer
    if lines := [line for line in after_hashes(text) if line]:
        return clean(lines[0])
    formulas = _formulas(text)
    return clean(formulas[-1]) if formulas else last_number(text)


def _announced_answer(rest: str) -> str | None:
    """The answer in ``rest``, the text after "answer is"."""
    formulas = list(FORMULA.finditer(rest))
    joined: list[str] = []
    for formula, following in zip_longest(formulas, formulas[1:]):
        joined.append(clean(formula[0]))
        if following is None or not _JOINT.fullmatch(rest[formula.end() : following.start()]):
            return ", ".join(joined)
    if is_wording(UNIT.sub("", clean(rest))):
        return first_number(rest) or clean(rest)
    return clean(rest)


def _on_one_line(text: str) -> str:
    """The text with each displayed formula on one line."""
    return _DISPLAYED.sub(lambda formula: one_line(formula[0]), text)


def _formulas(text: str) -> list[str]:
    return [next(filter(None, groups)) for groups in FORMULA.findall(text)]
