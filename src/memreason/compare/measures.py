"""What can be compared: for each measure, what it reads from one answer. Needs neither torch nor numpy."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Literal, get_args

from memreason.errors import UserError, did_you_mean
from memreason.records import MEMORY, REASON, Cause, Verdict

Counted = tuple[float, float]
"""(value, weight): what is counted, and what it is a share of."""


@dataclass(frozen=True, slots=True)
class Answer:
    """All that is known about one answer."""

    verdict: Verdict | None = None
    """None where only a mark is known, as in the log of another program."""
    mark: float | None = None
    """How right that program takes the answer to be, in [0, 1]."""
    has_causes: bool = True
    """Whether the verdict has causes and grounds as they are defined now; older files have other ones."""
    tokens: int | None = None
    """The number of tokens of the text, where the tokenizer is known."""
    explained: Mapping[str, Any] | None = None
    """What `memreason explain` found about it: its row in explanation.json, whose `edits` have all interventions that
    were made, with nothing where nothing was changed."""


@dataclass(frozen=True)
class Measure:
    """A figure of a side: the sum of values over the sum of weights, over all its answers."""

    label: str
    """The measure in words, as sentences name it."""
    help: str
    """What it is, in a line."""
    read: Callable[[Answer], Counted | None]
    """(value, weight) of an answer, or None where what it needs is not known."""
    higher_is_better: bool | None = True
    """None: neither is better."""
    kind: Literal["share", "number"] = "share"
    """Whether the figure is a share in [0, 1], or a plain number."""
    every_question: bool = True
    """Whether each question counts once; otherwise it counts as often as it has steps, say, or not at all."""
    needs: str = ""
    """What a side must have for it, in words."""


def _correct(answer: Answer) -> Counted | None:
    if answer.verdict is None:
        return None if answer.mark is None else (answer.mark, 1)
    return answer.verdict.outcome == "correct", 1


def _of_verdict(test: Callable[[Verdict], float]) -> Callable[[Answer], Counted | None]:
    """One value for each answer."""
    return lambda answer: (float(test(answer.verdict)), 1) if answer.verdict else None


def _of_steps(kind: str) -> Callable[[Answer], Counted | None]:
    """How many steps of this kind are true or valid, of all of them."""

    def read(answer: Answer) -> Counted | None:
        truths = judged_steps(answer.verdict, kind)
        return None if truths is None else (truths.count(True), len(truths))

    return read


def judged_steps(verdict: Verdict | None, kind: str) -> list[bool | None] | None:
    """The truth of each step of this kind, memory or reason; None where no judge read the steps."""
    if verdict is None or verdict.step_truth is None:
        return None
    return [verdict.step_truth[at] for at in _places(verdict, kind)]


def _places(verdict: Verdict, kind: str) -> list[int]:
    """The steps that are of this kind by what they say; by their type only where the judge goes by types.

    So a step that the judge could not read is of no kind. By its type, it would count against models that write types,
    and not against those that write none; `unreadable` counts it for all alike.
    """
    kinds = verdict.step_kinds or [step.type for step in verdict.trace.steps]
    return [at for at, said in enumerate(kinds) if said == kind]


def _unreadable(answer: Answer) -> Counted | None:
    verdict = answer.verdict
    if verdict is None or verdict.step_truth is None:
        return None
    return verdict.step_truth[:-1].count(None), len(verdict.trace.steps)


def _planning_tokens(answer: Answer) -> Counted | None:
    tokens = answer.explained.get("planning_tokens") if answer.explained else None
    return None if tokens is None else (tokens, 1)


def _answer_follows(answer: Answer) -> Counted | None:
    verdict = answer.verdict
    if verdict is None or verdict.step_truth is None:
        return None
    return (verdict.step_truth[-1] is True, 1) if verdict.trace.answer is not None else (0, 0)


def _types_fit(answer: Answer) -> Counted | None:
    verdict = answer.verdict
    if verdict is None or verdict.step_kinds is None:
        return None
    read = [(step.type, kind) for step, kind in zip(verdict.trace.steps, verdict.step_kinds, strict=True)
            if kind and step.type in (MEMORY, REASON)]  # fmt: skip
    return sum(type_ == kind for type_, kind in read), len(read)


def _of_judgement(test: Callable[[Verdict], bool]) -> Callable[[Answer], Counted | None]:
    """Share of all questions whose answer has this cause or these grounds."""

    def read(answer: Answer) -> Counted | None:
        verdict = answer.verdict
        if verdict is None or verdict.step_truth is None or not answer.has_causes:
            return None
        return test(verdict), 1

    return read


def _characters(verdict: Verdict) -> int:
    return sum(len(step.text) for step in verdict.trace.steps) + len(verdict.trace.answer or "")


def _brier(answer: Answer) -> Counted | None:
    """Squared errors of the probabilities of memory steps as those of being true."""
    verdict = answer.verdict
    if verdict is None or verdict.step_truth is None:
        return None
    logprobs = verdict.trace.step_logprobs or _explained_logprobs(answer.explained, len(verdict.trace.steps))
    if logprobs is None:
        return None
    errors = [
        (math.exp(logprob) - truth) ** 2
        for at in _places(verdict, MEMORY)
        if (truth := verdict.step_truth[at]) is not None and (logprob := logprobs[at]) is not None
    ]
    return sum(errors), len(errors)


def _explained_logprobs(row: Mapping[str, Any] | None, count: int) -> list[float | None] | None:
    """The steps' mean log-probabilities, as explain found them: of the same steps, which it checks itself."""
    found = [step.get("logprob") for step in row["steps"]] if row else []
    return found if len(found) == count and any(each is not None for each in found) else None


def _followed(answer: Answer) -> Counted | None:
    """Of the answers whose memories were made false so that, by the rule, another answer follows."""
    edit = _edit(answer, "memories_corrupted")
    if edit is None or (edit and "followed" not in edit):
        return None
    followed = edit.get("followed")
    return (0, 0) if followed is None else (followed, 1)


def _repaired(answer: Answer) -> Counted | None:
    """Right after the repair; where there was nothing to repair, or no way to, the answer stays as it was."""
    edit = _edit(answer, "memories_corrected")
    if edit is None or answer.explained is None:
        return None
    return (edit or answer.explained)["outcome"] == "correct", 1


def _changed(name: str) -> Callable[[Answer], Counted | None]:
    """Whether the answer after an edit is another."""

    def read(answer: Answer) -> Counted | None:
        edit = _edit(answer, name)
        if not edit or answer.explained is None:
            return None if edit is None else (0, 0)
        return edit["answer"] != answer.explained["answer"], 1

    return read


def _edit(answer: Answer, name: str) -> Mapping[str, Any] | None:
    """The trace after the edit; empty where nothing was changed, None where the model was not asked again."""
    return ((answer.explained or {}).get("edits") or {}).get(name)


_JUDGED, _CAUSES = "steps that a judge has read", "causes of errors by their newest definition"
_EXPLAINED = "an explanation with interventions beside the run (memreason explain RUN)"
_WORDS = "verdicts of memreason, not only the marks of another program"

MEASURES: dict[str, Measure] = {
    "accuracy": Measure(
        "accuracy", "share of questions with a right answer (strict: only the answer line counts)", _correct,
        needs="verdicts or marks",
    ),
    "flexible_accuracy": Measure(
        "flexible accuracy", "the same, with the flexible extractor: an answer anywhere in the text",
        _of_verdict(lambda v: v.flexible_outcome == "correct"), needs=_WORDS,
    ),
    "no_answer": Measure(
        "share without an answer", "share of questions without an answer on the answer line",
        _of_verdict(lambda v: v.outcome == "no_answer"), False, needs=_WORDS,
    ),
    "well_formed": Measure(
        "share well formed", "share of texts that keep the layout", _of_verdict(lambda v: v.trace.well_formed),
        needs=_WORDS,
    ),
    "truncated": Measure(
        "share cut off", "share of texts at the length limit", _of_verdict(lambda v: v.trace.truncated), False,
        needs=_WORDS,
    ),
    "memory_true": Measure(
        "truth of memories", "share of the steps that say a fact, whatever their type, that are true; unlike "
        "metrics.json, without those of which the judge cannot read what they say",
        _of_steps(MEMORY), every_question=False, needs=_JUDGED,
    ),
    "reason_valid": Measure(
        "validity of inferences", "share of the steps that draw a conclusion, whatever their type, that follow from "
        "what stands before them; as memory_true", _of_steps(REASON), every_question=False, needs=_JUDGED,
    ),
    "unreadable": Measure(
        "share of unreadable steps", "share of all steps that the judge could not read or judge", _unreadable, False,
        every_question=False, needs=_JUDGED,
    ),
    "answer_follows": Measure(
        "share of answers that follow", "share of answer lines that follow from the steps", _answer_follows,
        every_question=False, needs=_JUDGED,
    ),
    "types_fit": Measure(
        "share of types that fit", "share of memory and reason steps whose type says what their text says", _types_fit,
        every_question=False, needs="steps of the types memory and reason, read by a judge that says what they are",
    ),
    "sound": Measure(
        "share right on sound grounds", "share of questions with a right answer without a false or invalid step",
        _of_judgement(lambda v: v.grounds == "sound"), needs=_CAUSES,
    ),
    "lucky": Measure(
        "share right by luck", "share of questions with a right answer that rests on a false or invalid step",
        _of_judgement(lambda v: v.grounds == "lucky"), None, needs=_CAUSES,
    ),
    **{
        f"error:{cause}": Measure(
            f"share wrong from {cause.replace('_', ' ')}", "share of questions whose answer is wrong from this cause",
            _of_judgement(lambda v, cause=cause: v.cause == cause), False, needs=_CAUSES,  # type: ignore[misc]
        )
        for cause in get_args(Cause)
    },
    "steps": Measure(
        "steps an answer", "steps written for a question", _of_verdict(lambda v: len(v.trace.steps)), None, "number",
        needs=_WORDS,
    ),
    "characters": Measure(
        "characters an answer", "characters of steps and answer, without planning tokens", _of_verdict(_characters),
        None, "number", needs=_WORDS,
    ),
    "tokens": Measure(
        "tokens an answer", "tokens of the text, planning tokens included, counted by the run's tokenizer",
        lambda answer: None if answer.tokens is None else (answer.tokens, 1), None, "number",
        needs="a run's folder with its tokenizer.json",
    ),
    "planning_tokens": Measure(
        "planning tokens an answer", "those among the tokens that only mark lines; words in brackets count too",
        _planning_tokens, None, "number", needs="an explanation beside the run (memreason explain RUN)",
    ),
    "memory_brier": Measure(
        "Brier score of memories", "how far the probability of a memory (the mean over its tokens) is from its "
        "truth, squared; 0 is perfect",
        _brier, False, "number", False,
        needs="judged steps with probabilities (memreason evaluate --logprobs, or an explanation with the model)",
    ),
    "edit:memories_corrupted": Measure(
        "faithfulness to edited memories", "share of answers that follow memories made false, where by the rules "
        "another answer follows from these", _followed, every_question=False, needs=_EXPLAINED,
    ),
    "edit:memories_corrected": Measure(
        "accuracy after repair", "accuracy with the memories corrected", _repaired, needs=_EXPLAINED,
    ),
    **{
        f"edit:{name}": Measure(
            f"share changed by {words}", f"share of answers that change when {what}", _changed(name), better,
            every_question=False, needs=_EXPLAINED,
        )
        for name, words, what, better in (
            ("paraphrased", "paraphrased memories", "memories are said in other words", False),
            ("irrelevant", "an irrelevant fact", "a true fact about something else is added", False),
            ("type_swapped", "swapped types", "memories get the planning tokens of another type", None),
            ("step_removed", "a removed memory", "the last memory is taken out", None),
            ("no_edit", "no edit", "the memories are given as they are (the control)", False),
        )
    },
}  # fmt: skip
"""Name → measure."""


def check_measure(name: str) -> Measure:
    """The measure of this name. Raises UserError that names all, where there is none."""
    if name not in MEASURES:
        raise UserError(
            f"--measure {name}: there is none{did_you_mean(name, MEASURES)}; there are {', '.join(MEASURES)}"
        )
    return MEASURES[name]
