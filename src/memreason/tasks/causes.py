"""Why an answer is wrong, and what a right one rests on: the definitions, for tasks whose facts and rules are tables.

Let F be the facts that a trace states, wherever they stand; of two statements about the same subject the last counts.
C(F) is the answer that the task's rules give from F; there is none where F does not decide the question. The trace's
conclusion is that of its last step that could be read as a conclusion; where it has no such step, its answer line.

A wrong answer has exactly one cause, the first in this order whose condition holds:

- ``unreadable``: something that no rule can read stands in the way: the question; a step, where F does not decide, or
  where no other step draws a conclusion; or a step after the last conclusion, where the answer line differs from it.
- ``missing_memory``: F does not decide the question: a fact that it needs was not recalled.
- ``answer_slip``: the answer line contradicts the trace's conclusion.
- ``false_memory``: the trace concluded C(F), which is wrong, so that some fact in F must be false.
- ``wrong_inference``: C(F) would have been right, and the trace concluded something else; whether each fact in F is
  true does not matter.
- ``both``: C(F) is wrong by a false fact, and the trace did not conclude it either, but another wrong answer.

So a false memory that changes nothing is not blamed, and neither is an unreadable step that nothing hangs on.

A right answer rests on ``sound`` ground where all steps are true or valid; it is ``lucky`` where a memory is false or a
step, the answer line included, does not follow from what stands before it; and it is ``unreadable`` where nothing is
false, but something could not be judged.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from memreason.records import Cause, Grounds


@dataclass(frozen=True)
class Findings:
    """What the cause of a wrong answer depends on, as a judge reads it from a trace.

    ``answer`` is the answer line's, and ``concluded`` that of the last step that draws a conclusion (None where no step
    does). ``follows`` is C(F), and None where F does not decide. ``unread`` says whether there is a step that no rule
    can read, and ``unread_after`` whether one stands after the last conclusion. ``asked`` says whether the question
    could be read.
    """

    answer: str
    gold: str
    concluded: str | None
    follows: str | None
    unread: bool
    unread_after: bool
    asked: bool = True


def cause(found: Findings) -> Cause | None:
    """Why the answer is wrong; None where it is right."""
    if found.answer == found.gold:
        return None
    concluded = found.concluded or found.answer
    if not found.asked or (found.unread and not (found.follows and found.concluded)):
        return "unreadable"
    if found.unread_after and found.answer != concluded:
        return "unreadable"
    if not found.follows:
        return "missing_memory"
    if found.answer != concluded:
        return "answer_slip"
    if concluded == found.follows:
        return "false_memory"
    return "wrong_inference" if found.follows == found.gold else "both"


def grounds(step_truth: Sequence[bool | None]) -> Grounds:
    """What a right answer rests on; ``step_truth`` is as in `Judgement`."""
    if False in step_truth:
        return "lucky"
    return "unreadable" if None in step_truth else "sound"
