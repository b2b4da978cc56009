"""Three sentences in plain words, made from the figures of an explanation. Needs no torch."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

from memreason.compare.words import p_of

Json = Mapping[str, Any]

CAUSES = {
    "false_memory": ("rests on a false memory", "rest on a false memory"),
    "wrong_inference": ("draws a wrong conclusion from its memories", "draw a wrong conclusion from their memories"),
    "both": ("has both a false memory and a wrong conclusion", "have both a false memory and a wrong conclusion"),
    "missing_memory": ("recalls too little to decide the question", "recall too little to decide the question"),
    "answer_slip": ("contradicts its own conclusion", "contradict their own conclusion"),
    "unreadable": ("could not be read by the judge", "could not be read by the judge"),
    "unexplained": ("could not be explained", "could not be explained"),
}
"""Cause → what one wrong answer does, and what several do."""


def sentences(explanation: Json) -> list[str]:
    """`sentences` of an explanation: how often it is right, why it is wrong, and what true memories would change."""
    return [_accuracy(explanation), _causes(explanation), _what_if(explanation)]


def _accuracy(explanation: Json) -> str:
    overall = explanation["accuracy"]["overall"]
    after, before, difference = (overall[name] for name in ("after", "before", "difference"))
    said = (
        f"The trained model answers {_of(after['accuracy'], after['n'], 'test question')} correctly "
        f"({_percent(after['accuracy'])}; 95% interval {_range(after['interval'])})"
    )
    if not before:
        return f"{said}; the model before training was not asked."
    right = round(before["accuracy"] * before["n"])
    said += f", and the model before training answered {right} ({_percent(before['accuracy'])})"
    if not difference:
        return f"{said}."
    return f"{said}{_change(difference['value'], difference['interval'], difference.get('p'))}."


def _causes(explanation: Json) -> str:
    splits = explanation["metrics"]["after"]["splits"].values()
    wrong, silent = (sum(metrics[name] for metrics in splits) for name in ("incorrect", "no_answer"))
    none = f"; {_count(silent, 'question')} got no answer" if silent else ""
    if wrong == 0:
        return f"No answer is wrong{none}.{_lucky(explanation)}"
    if explanation["errors"] is None:
        return (
            f"Why {_count(wrong, 'answer')} {_verb(wrong, 'is', 'are')} wrong is not known, because nothing judged "
            f"the steps{none}."
        )
    found: Counter[str] = Counter()
    for causes in explanation["errors"].values():
        found.update(causes)
    parts = [f"{number} {CAUSES.get(cause, (cause, cause))[number != 1]}" for cause, number in found.most_common()]
    if wrong == 1:
        said = f"The one wrong answer {''.join(parts).removeprefix('1 ') or 'was not judged'}"
    else:
        said = f"Of {wrong} wrong answers, {_listed(parts) or 'none was judged'}"
    return f"{said}{none}.{_lucky(explanation)}"


def _lucky(explanation: Json) -> str:
    """How many right answers are luck; empty where none is, or that is not known."""
    right = (explanation["right"] or {}).values()
    lucky, of = sum(each["lucky"] for each in right), sum(sum(each.values()) for each in right)
    if not lucky:
        return ""
    are = _verb(lucky, "is lucky", "are lucky")
    return f" {lucky} of {_count(of, 'right answer')} {are}: a step is false or does not follow."


def _what_if(explanation: Json) -> str:
    corrected = (explanation["interventions"] or {}).get("memories_corrected")
    if corrected and corrected["n"]:
        return _corrected(corrected) + _follows(explanation)
    confidence = explanation["confidence"]
    if confidence and confidence["auroc_interval"]:
        low, high = confidence["auroc_interval"]
        interval = f"(AUROC {confidence['auroc']:.2f}; 95% interval {low:.2f} to {high:.2f})"
        if low > 0.5:
            return f"True memories are more probable to the model than false ones {interval}."
        if high < 0.5:
            return f"False memories are more probable to the model than true ones {interval}."
        return f"How probable a memory is to the model does not show whether it is true {interval}."
    if worst := next((fact for fact in explanation["facts"] or () if fact["false"] > 1), None):
        return f"The fact that it gets wrong most often is {worst['fact']}: {worst['false']} of {worst['n']} times."
    return "What it would answer with other memories was not computed."


def _corrected(row: Json) -> str:
    was, would = row["accuracy_before"], row["accuracy_after"]
    return (
        f"With its memories corrected the model would answer {_of(would, row['n'], 'question')} correctly "
        f"({_percent(would)}) instead of {round(was * row['n'])} ({_percent(was)})"
        f"{_change(would - was, row['interval_of_difference'])}."
    )


def _follows(explanation: Json) -> str:
    followed = (explanation["interventions"].get("memories_corrupted") or {}).get("followed")
    if not followed or not followed["n"]:
        return ""
    return (
        " Where a memory on the page was made false so that another answer follows, it gave that answer "
        f"{_of(followed['share'], followed['n'], 'time')} ({_percent(followed['share'])})."
    )


def _change(value: float, interval: Sequence[float], p: float | None = None) -> str:
    """What a difference shows, to be written behind the two rates; by its p-value, or where that is not known, by its
    interval."""
    low, high = interval
    tested = "" if p is None else f"; {p_of(p)}"
    points = f"{_signed(value)} percentage points (95% interval {_signed(low)} to {_signed(high)}{tested})"
    shows = low > 0 or high < 0 if p is None else p < 0.05
    if shows:
        return f": a {'gain' if value > 0 else 'loss'}, {points}"
    return f"; so few questions do not show a change, {points}"


def _of(rate: float, n: int, noun: str) -> str:
    return f"{round(rate * n)} of {_count(n, noun)}"


def _count(number: int, noun: str) -> str:
    return f"{number} {noun}{'' if number == 1 else 's'}"


def _verb(number: int, one: str, many: str) -> str:
    return one if number == 1 else many


def _listed(parts: Sequence[str]) -> str:
    return " and ".join(filter(None, [", ".join(parts[:-1]), *parts[-1:]]))


def _percent(rate: float) -> str:
    return f"{_rounded(rate)}%"


def _range(interval: Sequence[float]) -> str:
    return f"{_percent(interval[0])} to {_percent(interval[1])}"


def _signed(value: float) -> str:
    """A difference of rates in points, with its sign; a rounded nothing has none."""
    text = _rounded(abs(value))
    return text if text == "0" else f"{'+' if value > 0 else '−'}{text}"


def _rounded(rate: float) -> str:
    """The rate in per cent, with one decimal where that is not 0."""
    return f"{100 * rate:.1f}".removesuffix(".0")
