"""The operator of a step's first calculation: `+`, `-`, `*`, `/`, or `n` for none (arXiv 2310.05707, section 3).

If the step has one of GSM8K's calculator marks with an operator (`<<48/2=24>>`), the operator is read from the mark,
else from the step's text. GSM8K has 23,716 steps with such marks; without the marks, 1.5% of them get another type.
If a calculation has several operators, the first one counts. Nothing is fitted.
"""

from __future__ import annotations

import re

import numpy as np

from memreason.step_types.corpus import Corpus
from memreason.step_types.methods import Method, Settings, Tensors, Types

NONE = "n"
NAMES = ("+", "-", "*", "/", NONE)

_MARK = re.compile(r"<<([^<>]*)>>")
_SPELLINGS = {
    "×": "*", "·": "*", "x": "*", "X": "*", "times": "*", "multiplied by": "*", "÷": "/", "divided by": "/",
    "−": "-", "–": "-", "minus": "-", "plus": "+",
}  # fmt: skip
_AFTER_NUMBER = re.compile(r"[\d.)%]\s*([-+*/])\s*[-(]*[\d.(]")
"""In a mark: an operator between two operands; the minus sign of a negative number is none."""
_NUMBER = r"(?:[$€£]?\d[\d,]*(?:\.\d+)?|[$€£]?\.\d+)"
_TEXT = re.compile(
    rf"(?:{_NUMBER}|\))[%°]?"  # an operand …
    r"(?:(?:\s|\s*/\s*)(?!times|plus|minus|divided|multiplied)[A-Za-z]+){0,4}"  # … and its unit: 5 apples, $4/hour
    r"\s*(?:([+*×·÷/−])|(?<=\s)([-–xX]|times|plus|minus|divided by|multiplied by)(?=[\s(])"
    r"|(?<=\d)([-–x/])(?=[\d$(]))\s*"
    rf"\(*-?{_NUMBER}"
)
"""In a step's text, a hyphen or an x is an operator only if a space or a number stands on both sides of it."""


def operator(text: str) -> str:
    """The operator of the first calculation in ``text``, one of `NAMES`."""
    for mark in _MARK.findall(text):
        if match := _AFTER_NUMBER.search(_plain(mark).partition("=")[0]):
            return match[1]
    match = _TEXT.search(_MARK.sub("", text))
    if not match:
        return NONE
    sign = next(group for group in match.groups() if group)
    return _SPELLINGS.get(sign, sign)


def _plain(mark: str) -> str:
    return re.sub("[×·xX÷−–]", lambda sign: _SPELLINGS[sign[0]], mark).replace("$", "").replace(",", "")


class Arithmetic(Types):
    """The five types; they do not depend on the data."""

    names = NAMES
    names_are_words = True

    def assign(self, corpus: Corpus) -> np.ndarray:
        """(steps,) the operator of each step."""
        return np.array([NAMES.index(operator(text)) for text in corpus.texts])

    def state(self) -> tuple[Settings, Tensors]:
        """Nothing is learned."""
        return {}, {}


METHODS = {"+-*/": Method(fit=lambda *_: Arithmetic(), restore=lambda *_: Arithmetic(), fixed_types=True)}
