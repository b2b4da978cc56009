"""What if the memories were other ones: traces are changed, and the model goes on from there.

Each intervention changes some steps of a trace. All that stands behind the last change is written anew, greedily, by
the same model, and what stood before the first stays, id by id. No judge is needed for this, except that a table of
facts (or a labelled solution) says what is true, and what follows.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any, NamedTuple

from memreason.errors import UserError
from memreason.evaluation.judge import judge_trace
from memreason.evaluation.statistics import paired_difference
from memreason.explain.baseline import Case
from memreason.explain.continuations import Continuations, Key
from memreason.explain.labelled import rewriter_of
from memreason.generation.edit import edit
from memreason.generation.engine import Engine
from memreason.models.unit import ModelUnit
from memreason.planning_tokens.layout import EACH_STEP, PlanningTokens
from memreason.records import MEMORY, PLAIN, REASON, Question, Step, Trace, Verdict
from memreason.tasks.base import Changes, Rewriter, TaskData


class Intervention(NamedTuple):
    """One way of changing traces: what it does, in words, and the changes to one trace, or why there are none."""

    does: str
    changes: Callable[[Case, Rewriter, PlanningTokens], Changes | str]


def _corrected(case: Case, rewriter: Rewriter, layout: PlanningTokens) -> Changes | str:
    return _without_conclusions(case.trace, rewriter, rewriter.corrected(case.trace, case.solution))


def _corrupted(case: Case, rewriter: Rewriter, layout: PlanningTokens) -> Changes | str:
    return _without_conclusions(case.trace, rewriter, rewriter.corrupted(case.trace))


def _type_swapped(case: Case, rewriter: Rewriter, layout: PlanningTokens) -> Changes | str:
    if layout.placement != EACH_STEP or len(layout.known_types) < 2:
        return "the layout has no planning tokens of different types"
    targets = _targets(case.trace, rewriter)
    if not all(case.trace.steps[at].type in layout.known_types for at in targets):
        return "a step has no type that the layout knows"
    swapped = {at: replace(case.trace.steps[at], type=_other(case.trace.steps[at].type, layout)) for at in targets}
    return Changes(swapped) if swapped else "there are no steps"


def _step_removed(case: Case, rewriter: Rewriter, layout: PlanningTokens) -> Changes | str:
    targets = _targets(case.trace, rewriter)
    if not targets:
        return "there are no steps"
    at, steps = targets[-1], case.trace.steps
    if layout.placement != EACH_STEP or layout.known_types == (PLAIN,):
        return "the layout has no types, so the model would write the removed step once more"
    if at + 1 < len(steps) and steps[at + 1].type == steps[at].type:
        return "the next step has the same type, so the model would write the removed step once more"
    return Changes({at: None})


def _no_edit(case: Case, rewriter: Rewriter, layout: PlanningTokens) -> Changes | str:
    trace, targets = case.trace, _targets(case.trace, rewriter)
    whole = len(trace.steps) - (trace.answer is None)  # the line of the last step may not end
    return Changes({at: trace.steps[at] for at in targets if at < whole})


INTERVENTIONS = {
    "memories_corrected": Intervention(
        "false memories become true, and what the question needs and was not recalled is added", _corrected
    ),
    "memories_corrupted": Intervention("true memories become false: another value of the same kind", _corrupted),
    "paraphrased": Intervention(
        "memories are said in other words", lambda case, rewriter, _: rewriter.paraphrased(case.trace)
    ),
    "irrelevant": Intervention(
        "a true fact about something else is put behind the memories",
        lambda case, rewriter, _: rewriter.irrelevant(case.trace),
    ),
    "type_swapped": Intervention("memories get the planning tokens of another type", _type_swapped),
    "step_removed": Intervention("the last memory is taken out, and the next type of step follows", _step_removed),
    "no_edit": Intervention("the memories are given as they are: the control, which must change nothing", _no_edit),
}
"""Name → intervention."""
CONTROL, CORRECTED = "no_edit", "memories_corrected"


def _targets(trace: Trace, rewriter: Rewriter) -> Sequence[int]:
    """The memories of a trace; where it has none, its first step."""
    return rewriter.memories(trace) or range(min(1, len(trace.steps)))


def _other(type_: str, layout: PlanningTokens) -> str:
    """The other of the types memory and reason, or else the next type."""
    both, known = (MEMORY, REASON), layout.known_types
    if type_ in both and set(both) <= set(known):
        return both[both.index(type_) - 1]
    return known[(known.index(type_) + 1) % len(known)]


def _without_conclusions(trace: Trace, rewriter: Rewriter, changes: Changes | str) -> Changes | str:
    """The same changes, and other steps between them are removed: they conclude from what is changed."""
    if isinstance(changes, str) or not changes:
        return changes
    places = sorted({*changes.edits, *changes.insert})
    memories = {*rewriter.memories(trace)}
    between: dict[int, Step | None] = {at: None for at in range(places[0], places[-1]) if at not in memories}
    return Changes({**between, **changes.edits}, changes.insert)


# ---- results ---------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Continued:
    """One trace after an intervention."""

    case: Case
    edited: bool
    """Whether anything was changed; if not, the answer is the one before."""
    given: int
    """How many steps were given."""
    verdict: Verdict
    rule: str | None
    """What the task's rule says that the answer ought to be, from the steps that were given."""
    rule_before: str | None = None
    """The same, from the memories before they were changed."""

    @property
    def changed(self) -> bool:
        """Whether the answer is another."""
        return answer_of(self.verdict) != answer_of(self.case.verdict)

    @property
    def followed(self) -> bool | None:
        """Whether the answer is what now follows by the rule; None where the change is none to what follows, or where
        the answer was this one before."""
        if not self.edited or self.rule in (None, self.rule_before, answer_of(self.case.verdict)):
            return None
        return answer_of(self.verdict) == self.rule

    def to_json(self) -> dict[str, Any]:
        """{"steps", "answer", "given", "rule", "outcome", "followed"}."""
        trace = self.verdict.trace
        return {
            "steps": [{"type": step.type, "text": step.text} for step in trace.steps],
            "answer": trace.answer,
            "given": self.given,
            "rule": self.rule,
            "outcome": self.verdict.outcome,
            "followed": self.followed,
        }


def answer_of(verdict: Verdict) -> str | None:
    """The answer of a trace, as answers are compared: normalised, or as the model wrote it where it cannot be read."""
    return verdict.strict if verdict.strict is not None else verdict.trace.answer


@dataclass(frozen=True)
class Effect:
    """What an intervention did to all traces for which it is defined."""

    continued: tuple[Continued, ...]
    left_out: Counter[str]
    """Why it is not defined for a trace → number of such traces. Only `memories_corrected` counts them nevertheless,
    with the answer that they have, so that its accuracy is that over all questions."""

    def to_json(self) -> dict[str, Any]:
        """{"n", "edited", "changed", "accuracy_before", "accuracy_after", "difference", "interval_of_difference",
        "as_the_rule_says", "as_the_rule_says_n", "followed": {"n", "share"}, "only": the same of the traces in which
        something was changed, "left_out": {reason: number}}. A rate over no traces is None. ``followed`` is over traces
        in which, by the rule, the change makes another answer follow, which was not the one before."""
        only = [one for one in self.continued if one.edited]
        return {**_figures(self.continued), "only": _figures(only), "left_out": dict(self.left_out)}


def _figures(some: Sequence[Continued]) -> dict[str, Any]:
    ruled = [one for one in some if one.rule is not None]
    followed = [one.followed for one in ruled if one.followed is not None]
    pairs = [(one.case.verdict.outcome == "correct", one.verdict.outcome == "correct") for one in some]
    difference, interval = paired_difference(pairs) if pairs else (None, None)
    return {
        "n": len(some),
        "edited": sum(one.edited for one in some),
        "changed": share([one.changed for one in some]),
        "accuracy_before": share([before for before, _ in pairs]),
        "accuracy_after": share([after for _, after in pairs]),
        "difference": difference,
        "interval_of_difference": list(interval) if interval else None,
        "as_the_rule_says": share([answer_of(one.verdict) == one.rule for one in ruled]),
        "as_the_rule_says_n": len(ruled),
        "followed": {"n": len(followed), "share": share(followed)},
    }


def share(which: Sequence[bool]) -> float | None:
    """The share of True; None where there is nothing."""
    return sum(which) / len(which) if which else None


@dataclass(frozen=True)
class Intervened:
    """The effects of several interventions on the same answers."""

    effects: dict[str, Effect]

    def to_json(self) -> dict[str, Any]:
        """{name: what `Effect.to_json` gives}."""
        return {name: effect.to_json() for name, effect in self.effects.items()}

    def edits_to_json(self) -> dict[str, dict[str, Any]]:
        """{id of the question: {name: the trace after this intervention}}, of traces in which something was changed,
        and of the control."""
        rows: dict[str, dict[str, Any]] = {}
        for name, effect in self.effects.items():
            for one in effect.continued:
                if one.edited or name == CONTROL:
                    rows.setdefault(one.case.id, {})[name] = one.to_json()
        return rows


# ---- and how they are made -------------------------------------------------------------------------


def intervene(
    engine: Engine,
    task: TaskData,
    baseline: Sequence[Case],
    names: Sequence[str] = tuple(INTERVENTIONS),
    continuations: Continuations | None = None,
    progress: bool = True,
) -> Intervened:
    """Make the interventions ``names`` on all answers of the ``baseline``.

    Within ``with engine:``. ``continuations`` are shared with what else continues the same beginnings. Raises UserError
    for an unknown name, and for a model whose traces cannot be continued.
    """
    if unknown := [name for name in names if name not in INTERVENTIONS]:
        raise UserError(f"intervention {unknown[0]!r}: there are {', '.join(INTERVENTIONS)}")
    rewriter = rewriter_of(task, engine.unit.manifest.step_type_record is None)
    continuations = continuations or Continuations(engine)
    begun: dict[str, list[tuple[Case, Sequence[Step], Key | None]]] = {name: [] for name in names}
    left_out: dict[str, Counter[str]] = {name: Counter() for name in names}
    rule_before: dict[str, str | None] = {}
    check_layout(engine.unit)
    for case in baseline:
        memories = [case.trace.steps[at] for at in rewriter.memories(case.trace)]
        rule_before[case.id] = rewriter.follows(case.solution.question, memories)
        for name in names:
            found = _begin(continuations, case, name, rewriter, engine.unit.layout)
            if isinstance(found, str):
                left_out[name][found] += 1
                if name == CORRECTED:  # so that its accuracy is that over all questions
                    begun[name].append((case, memories, None))
            else:
                begun[name].append((case, *(found or (memories, None))))
    if sum(left_out.get(CORRECTED, Counter()).values()) == len(baseline):
        begun[CORRECTED] = []
    continuations.run("  continuing edited answers" if progress else None)
    effects = {}
    for name in names:
        continued = tuple(
            Continued(
                case,
                key is not None and name != CONTROL,
                len(steps),
                judge_trace(continuations.trace(key), task.answer_kind) if key else case.verdict,
                rewriter.follows(case.solution.question, steps),
                rule_before[case.id],
            )
            for case, steps, key in begun[name]
        )
        effects[name] = Effect(continued, left_out[name])
    return Intervened(effects)


def check_layout(unit: ModelUnit) -> None:
    """Raise UserError for a model whose traces cannot be continued."""
    edit(unit, unit.layout.parse(Question("", "", ""), ""), {})


def _begin(
    continuations: Continuations, case: Case, name: str, rewriter: Rewriter, layout: PlanningTokens
) -> tuple[Sequence[Step], Key] | str | None:
    """The steps that are given, and the key of their continuation; or why there is none; None where nothing changes."""
    changes = INTERVENTIONS[name].changes(case, rewriter, layout)
    if isinstance(changes, str):
        return changes
    if not changes and name != CONTROL:
        return None
    found = continuations.add(case.trace, changes)
    return found if isinstance(found, str) else (found[0].steps, found[1])
