"""A comparison in words."""

from __future__ import annotations

from typing import Literal

from memreason.compare.measures import Measure
from memreason.compare.result import Decision, Gate

Kind = Literal["share", "number"]


def amount(value: float, kind: Kind, sign: str = "") -> str:
    """A figure as people read it: a share in percent, a number with three significant digits or one decimal."""
    if kind == "share":
        return f"{format(100 * value, f'{sign}z.1f')}%"
    return format(value, f"{sign}z.1f" if abs(value) >= 10 else f"{sign}z.3f")


def gap(value: float, kind: Kind, sign: str = "+") -> str:
    """A difference: of shares, in percentage points."""
    return f"{format(100 * value, f'{sign}z.1f')} points" if kind == "share" else amount(value, kind, sign)


def p_value(p: float | None) -> str:
    """0.008, <0.001, 0.33, >0.99; near 0.05 with as many digits as show on which side it lies."""
    if p is None:
        return "–"
    if p < 0.001:
        return "<0.001"
    if 0.99 < p < 1:
        return ">0.99"
    decimals = 3 if p < 0.1 else 2
    while decimals < 6 and p != 0.05 and f"{p:.{decimals}f}" == f"{0.05:.{decimals}f}":
        decimals += 1
    return "1" if p == 1 else f"{p:.{decimals}f}"


def p_of(p: float | None) -> str:
    """`p = 0.008`, `p < 0.001`."""
    text = p_value(p)
    return f"p {text[0]} {text[1:]}" if text[0] in "<>" else f"p = {text}"


TESTS = {
    "mcnemar_exact": "McNemar's exact test",
    "t_questions": "t test over questions",
    "t_clusters": "t test over clusters",
    "t_crossed": "t test over runs and questions",
    "t_moderated": "t test over runs and questions with a shared spread of seeds",
    "sign": "sign test",
    "one_unit": "no test of one question or cluster alone",
}
"""Method of a p-value → its words."""
_DECIDED = {
    "better": "is better than",
    "worse": "is worse than",
    "higher": "is higher than",
    "lower": "is lower than",
}
_GATES = {
    "not_worse": "It is not worse by more than {margin}.",
    "worse": "It is worse by more than {margin}.",
    "cannot_tell": "Whether it is worse by more than {margin} cannot be told.",
}


def sentence(
    measure: Measure,
    names: tuple[str, str],
    figures: tuple[float, float],
    difference: tuple[float, float, float],
    p: tuple[float, str, int],
    verdict: Decision,
    smallest: float | None,
) -> str:
    """What a comparison says.

    ``names`` and ``figures`` are those of the first and the second side; ``difference`` is (value, low, high); ``p`` is
    (adjusted p-value, name of the test, number of comparisons that it is adjusted for).
    """
    first, second = names
    kind = measure.kind
    value, low, high = difference
    adjusted = f", adjusted for {p[2]} comparisons" if p[2] > 1 else ""
    reach = f"{format(100 * low, '+z.1f')} to {format(100 * high, '+z.1f')}" if kind == "share" else (
        f"{amount(low, kind, '+')} to {amount(high, kind, '+')}"
    )  # fmt: skip
    about = f"{gap(value, kind)} (95% interval {reach}; {TESTS[p[1]]}, {p_of(p[0])}{adjusted})"
    against = f"{second} {amount(figures[1], kind)} against {first} {amount(figures[0], kind)}"
    if verdict != "tied":
        return f"{measure.label}: {second} {_DECIDED[verdict]} {first}: {against}, {about}."
    could = _could(smallest, kind) + (", before the adjustment" if p[2] > 1 and smallest is not None else "")
    return f"{measure.label}: {second} and {first} are statistically tied: {against}, {about}; {could}."


def _could(smallest: float | None, kind: Kind) -> str:
    """What the data could have shown, four times in five."""
    if smallest is None:
        return "what could have been found is not known"
    if kind == "share" and smallest > 1:
        return "no true difference, however large, would have been found four times in five"
    return f"a true difference of {gap(smallest, kind, '')} would have been found four times in five"


def gate_sentence(gate: Gate, margin: float, kind: Kind) -> str:
    """What the gate says, as a sentence that follows `sentence`."""
    return _GATES[gate].format(margin=gap(margin, kind, ""))
