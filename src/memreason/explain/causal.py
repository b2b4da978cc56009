"""Why an answer is wrong, found by trying: which repair makes the model answer right?

Two repairs are tried on each wrong answer, alone and together: the memories become true (as in the intervention
`memories_corrected`), and a valid inference is drawn from the memories as the trace states them. The model then writes
the rest. This needs no judgement of what went wrong, only of what is true and what follows; beside it stands what the
judge holds for the cause.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal

from memreason.evaluation.judge import judge_trace
from memreason.evaluation.statistics import cohens_kappa
from memreason.explain.baseline import Case
from memreason.explain.continuations import Continuations, Key
from memreason.explain.interventions import INTERVENTIONS, check_layout
from memreason.explain.labelled import NO_TABLE, rewriter_of
from memreason.generation.engine import Engine
from memreason.planning_tokens.layout import PlanningTokens
from memreason.records import REASON, Step, Trace
from memreason.tasks.base import Changes, Rewriter, TaskData

Repair = Literal["memories", "inference", "either", "both_only", "neither"]
REPAIRS: tuple[Repair, ...] = ("memories", "inference", "either", "both_only", "neither")
"""What makes a wrong answer right: true memories alone, a valid inference alone, each of the two alone, only both
together, or none of these."""
EXPECTED: dict[str, Repair] = {
    "false_memory": "memories",
    "missing_memory": "memories",
    "wrong_inference": "inference",
    "answer_slip": "inference",
    "both": "both_only",
}
"""Cause by the judge → the repair that should help if the judge and the model's behaviour agree."""


@dataclass(frozen=True)
class Tried:
    """One wrong answer, and which repairs made it right."""

    case: Case
    memories: bool
    inference: bool
    both: bool

    @property
    def repair(self) -> Repair:
        """The class of this answer."""
        if self.memories:
            return "either" if self.inference else "memories"
        return "inference" if self.inference else "both_only" if self.both else "neither"


@dataclass(frozen=True)
class Attribution:
    """The wrong answers of a baseline, and what repairs them."""

    tried: tuple[Tried, ...]
    has_table: bool
    """Whether valid inferences could be written at all; if not, only true memories were tried."""

    def to_json(self) -> dict[str, Any]:
        """{"n", "repaired": {repair: number}, "table": [[either, memories], [inference, both_only + neither]],
        "by_cause": {cause: {repair: number}}, "agreement": {"share", "kappa", "n"} | None, "reason": str | None}.

        The rows of the table say whether true memories repair the answer (yes, no), its columns whether a valid
        inference does. The agreement is between the judge's cause (as `EXPECTED`) and the repair found, over the
        answers whose cause the judge could read. Without a table of facts, ``table`` and ``agreement`` are None.
        """
        counts = Counter(one.repair for one in self.tried)
        by_cause: dict[str, Counter[str]] = {}
        for one in self.tried:
            if cause := one.case.verdict.cause:
                by_cause.setdefault(cause, Counter())[one.repair] += 1
        names = REPAIRS if self.has_table else ("memories", "neither")
        return {
            "n": len(self.tried),
            "repaired": {name: counts[name] for name in names},
            "table": [
                [counts["either"], counts["memories"]],
                [counts["inference"], counts["both_only"] + counts["neither"]],
            ]
            if self.has_table
            else None,
            "by_cause": {cause: {name: some[name] for name in names} for cause, some in by_cause.items()},
            "agreement": self._agreement() if self.has_table else None,
            "reason": None if self.has_table else f"no valid inference can be written: {NO_TABLE}",
        }

    def _agreement(self) -> dict[str, Any]:
        pairs = [
            (EXPECTED[cause], one.repair) for one in self.tried if (cause := one.case.verdict.cause or "") in EXPECTED
        ]
        same = sum(expected == found for expected, found in pairs)
        return {"share": same / len(pairs) if pairs else None, "kappa": cohens_kappa(pairs), "n": len(pairs)}


def attribute(
    engine: Engine,
    task: TaskData,
    baseline: Sequence[Case],
    continuations: Continuations | None = None,
    progress: bool = True,
) -> Attribution:
    """Try the repairs on each wrong answer of the ``baseline``; answers that cannot be read are none.

    Within ``with engine:``. Where no valid inference follows from a trace's own memories, inference does not repair it.
    ``continuations`` are shared with the interventions. Raises UserError for a model whose traces cannot be continued.
    """
    check_layout(engine.unit)
    rewriter = rewriter_of(task, engine.unit.manifest.step_type_record is None)
    continuations = continuations or Continuations(engine)
    wrong = [case for case in baseline if case.verdict.outcome == "incorrect"]
    begun: list[tuple[Case, list[Key | None]]] = []
    written = 0
    for case in wrong:
        corrected = INTERVENTIONS["memories_corrected"].changes(case, rewriter, engine.unit.layout)
        corrected = Changes() if isinstance(corrected, str) else corrected
        plans = (
            corrected or None,
            with_inference(case.trace, Changes(), rewriter, engine.unit.layout),
            with_inference(case.trace, corrected, rewriter, engine.unit.layout),
        )
        written += any(plans[1:])
        begun.append((case, [_begin(continuations, case, changes) for changes in plans]))
    continuations.run("  repairing wrong answers" if progress else None)

    def is_right(key: Key | None) -> bool:
        return key is not None and judge_trace(continuations.trace(key), task.answer_kind).outcome == "correct"

    return Attribution(
        tuple(Tried(case, *(is_right(key) for key in keys)) for case, keys in begun),
        has_table=bool(written) or task.rewriter is not None,
    )


def with_inference(trace: Trace, changes: Changes, rewriter: Rewriter, layout: PlanningTokens) -> Changes | None:
    """The changed memories of a trace, and behind them a valid inference from these, and nothing else; None where no
    valid inference can be written."""
    memories = rewriter.memories(trace)
    behind = memories[-1] + 1 if memories else 0
    known: list[Step] = []
    for at in range(behind + 1):
        known += changes.insert.get(at, ())
        if at in memories and (step := changes.edits.get(at, trace.steps[at])):
            known.append(step)
    text = rewriter.inference(trace.question, known)
    if text is None:
        return None
    between: dict[int, Step | None] = {at: None for at in range(behind) if at not in memories}
    inference = Step(_inference_type(trace, memories, layout), text)
    return Changes(
        {**changes.edits, **between},
        {**changes.insert, behind: (*changes.insert.get(behind, ()), inference)},
    )


def _inference_type(trace: Trace, memories: Sequence[int], layout: PlanningTokens) -> str:
    """The type for a step that concludes: `reason`, or that of the trace's own last such step."""
    if REASON in layout.known_types:
        return REASON
    own = [step.type for at, step in enumerate(trace.steps) if at not in memories]
    return own[-1] if own else layout.known_types[-1]


def _begin(continuations: Continuations, case: Case, changes: Changes | None) -> Key | None:
    if changes is None:
        return None
    found = continuations.add(case.trace, changes)
    return None if isinstance(found, str) else found[1]
