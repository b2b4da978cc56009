"""The judges by name. To add one, write a file with its class, a function here that makes it, and a line in `JUDGES`.

The file of a judge is imported only when it is opened.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

from memreason.errors import UserError, did_you_mean
from memreason.explain.judges.base import Judge
from memreason.explain.judges.config import JudgeConfig
from memreason.records import Step
from memreason.tasks.base import TaskData

MEASURED_ON = 400
"""On how many made traces a judge is measured, where neither the options nor its kind say otherwise."""
Opener = Callable[[JudgeConfig, TaskData], Judge]


class JudgeKind(NamedTuple):
    """One kind of judge.

    ``open`` makes it for a task. ``measured_on``: on how many made atlas traces it is measured. ``for_measuring`` makes
    the judge that is measured there, from the options, the atlas task and the judge of the user's task; where it is
    missing, ``open`` does.
    """

    open: Opener
    measured_on: int = MEASURED_ON
    for_measuring: Callable[[JudgeConfig, TaskData, Judge], Judge] | None = None


def open_judge(config: JudgeConfig, task: TaskData) -> Judge:
    """The judge that the options name. Raises UserError for an unknown name, and where it cannot judge this task."""
    return kind_of_judge(config).open(config, task)


def kind_of_judge(config: JudgeConfig) -> JudgeKind:
    """The entry in `JUDGES` that the options name. Raises UserError for an unknown name."""
    name = config.judge or "atlas"
    if name not in JUDGES:
        raise UserError(f"--judge {name}: must be one of {', '.join(JUDGES)}{did_you_mean(name, JUDGES)}")
    return JUDGES[name]


def labelled_steps(task: TaskData) -> dict[str, tuple[Step, ...]]:
    """Question id → the steps of its labelled solution, for all questions that have one."""
    return {s.question.id: s.steps for solutions in task.splits.values() for s in solutions if s.steps}


def _atlas(config: JudgeConfig, task: TaskData) -> Judge:
    from memreason.explain.judges.atlas import ExactJudge

    if task.judge is None:
        raise UserError(
            f"--judge atlas: the facts of {task.name} are in no table, so it has no exact judge; use --judge "
            "reference, facts or llm"
        )
    return ExactJudge(task.judge)


def _reference(config: JudgeConfig, task: TaskData) -> Judge:
    from memreason.explain.judges.reference import ReferenceJudge
    from memreason.explain.judges.sameness import sentences

    solutions = labelled_steps(task)
    if not solutions:
        raise UserError(f"--judge reference: {task.name} has no labelled solutions to compare with; use another judge")
    return ReferenceJudge(solutions, task.answer_kind, sentences(config.encoder))


def _llm(config: JudgeConfig, task: TaskData) -> Judge:
    from memreason.explain.judges.llm import LlmJudge

    return LlmJudge(config, task.answer_kind, f"judge {task.name}")


def _facts(config: JudgeConfig, task: TaskData) -> Judge:
    from memreason.explain.judges.facts import read_facts

    return _facts_judge(config, task, read_facts(Path(str(config.facts)).expanduser()))


def _facts_of_atlas(config: JudgeConfig, task: TaskData, _: Judge) -> Judge:
    """The same way of matching, with a table of atlas: the user's own says nothing about it."""
    from memreason.explain.judges.made_traces import made_facts

    return _facts_judge(config, task, made_facts(task))


def _facts_judge(config: JudgeConfig, task: TaskData, held: dict[str, bool]) -> Judge:
    from memreason.explain.judges.facts import FactsJudge

    if config.facts_match == "text":
        return FactsJudge(held, task.answer_kind)
    from memreason.explain.judges.sameness import sentences

    return FactsJudge(held, task.answer_kind, sentences(config.encoder))


JUDGES: dict[str, JudgeKind] = {
    "atlas": JudgeKind(_atlas, measured_on=0),
    "reference": JudgeKind(_reference),
    "facts": JudgeKind(_facts, for_measuring=_facts_of_atlas),
    "llm": JudgeKind(_llm, measured_on=40, for_measuring=lambda config, task, judge: judge),
}
"""Name of a judge → how it is made, and how it is measured."""
