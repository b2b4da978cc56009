"""What went wrong, where no table says what follows from what: a coarser rule than `tasks.causes`, from the truth of
the steps alone.

The exact rule asks whether a false memory mattered: what would have followed from the facts as stated. Without a table
nobody can tell, so here a fault that was found counts as the cause, and what could not be judged only where no fault
was found. For a wrong answer, tried in this order:

- `both`: a memory is false and an inference invalid;
- `false_memory`: a memory is false;
- `wrong_inference`: an inference is invalid;
- `answer_slip`: the answer line contradicts the last step that names an answer;
- `unreadable`: no fault was found, and a step could not be judged, or there is none;
- `missing_memory`: everything was judged and nothing is false; so the steps, true as they are, do not lead to the
  right answer.

A right answer is `lucky` where any step or the answer line is false, else `unreadable` where a step could not be
judged or there is none, else `sound`.
"""

from __future__ import annotations

from collections.abc import Sequence

from memreason.answers.extract import extract_flexible, extract_strict, kind_of, outcome
from memreason.records import MEMORY, REASON, AnswerKind, Cause, Judgement, Kind, Question, Trace
from memreason.tasks.causes import grounds


def coarse_judgement(
    trace: Trace, kind: AnswerKind, truths: Sequence[bool | None], kinds: Sequence[Kind | None]
) -> Judgement:
    """The judgement from the truth of each step and of the answer line (last), and from what each step says.

    ``kind`` is how answers are compared. Where it is not known what a step says, its type counts.
    """
    answer = extract_strict(trace.answer, trace.question, kind)
    if answer is None:
        return Judgement(tuple(truths), None, tuple(kinds))
    if outcome(answer, trace.question.answer, kind) == "correct":
        # An answer line that cannot be compared, because no step names an answer, is no reason for doubt.
        rests_on = grounds([*truths[:-1], truths[-1] is not False]) if trace.steps else "unreadable"
        return Judgement(tuple(truths), None, tuple(kinds), rests_on)
    false = {says(s.type, k) for s, k, true in zip(trace.steps, kinds, truths, strict=False) if true is False}
    return Judgement(tuple(truths), _cause(false, truths), tuple(kinds))


def _cause(false: set[Kind], truths: Sequence[bool | None]) -> Cause:
    if len(false) > 1:
        return "both"
    if false:
        return "false_memory" if MEMORY in false else "wrong_inference"
    if truths[-1] is False:
        return "answer_slip"
    return "unreadable" if None in truths[:-1] or len(truths) == 1 else "missing_memory"


def says(type_: str, kind: Kind | None) -> Kind:
    """What a step says: ``kind``, where it is known; else what its type says; a step of no such type recalls a fact."""
    return kind or (REASON if type_ == REASON else MEMORY)  # type: ignore[return-value]


def concluded(text: str, question: Question, kind: AnswerKind) -> str | None:
    """The answer that a step names, as the flexible extractor reads it; None where it names none, and where any text
    could be an answer."""
    return None if kind_of(question, kind) == "text" else extract_flexible(text, question, kind)


def answer_follows(trace: Trace, kind: AnswerKind) -> bool | None:
    """Whether the answer line gives the answer that the last step names; None where one of the two gives none."""
    answer = extract_strict(trace.answer, trace.question, kind)
    named = concluded(trace.steps[-1].text, trace.question, kind) if trace.steps else None
    return None if answer is None or named is None else outcome(named, answer, kind) == "correct"
