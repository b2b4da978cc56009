"""Changing memories by the labelled solutions alone."""

from dataclasses import replace

from helpers.tiny import SOLUTIONS

from memreason.explain.labelled import NO_TABLE, LabelledRewriter, rewriter_of
from memreason.planning_tokens.layout import PlanningTokens
from memreason.records import Solution, Step, Trace
from memreason.tasks.atlas.rewrite import AtlasRewriter
from memreason.tasks.base import Changes, TaskData

LAYOUT = PlanningTokens(1, 1, ("memory", "reason"))
TASK = TaskData("capitals", "boolean", {"test": SOLUTIONS})
REWRITER = LabelledRewriter(TASK)
LYON = SOLUTIONS[1]


def trace(*steps: Step) -> Trace:
    return LAYOUT.parse(LYON.question, LAYOUT.solution_text(steps, "True"))


def test_a_task_has_its_own_rewriter_or_this_one() -> None:
    assert isinstance(rewriter_of(TASK), LabelledRewriter)
    own = AtlasRewriter()
    assert rewriter_of(TaskData("atlas", "mixed", {}, rewriter=own)) is own


def test_the_labelled_memories_stand_in_place_of_the_models() -> None:
    gold, reason = LYON.steps
    own = trace(Step("reason", "Well."), Step("memory", "Lyon is in Italy."), reason)
    assert REWRITER.corrected(own, LYON) == Changes(insert={1: [gold]})
    assert REWRITER.corrected(trace(reason), LYON) == Changes(insert={0: [gold]})
    assert REWRITER.corrected(trace(Step("memory", gold.text.upper()), reason), LYON) == Changes()
    assert REWRITER.corrected(own, Solution(LYON.question, (reason,))) == "the labelled solution has no memory steps"


def test_other_words_and_other_facts() -> None:
    gold, reason = LYON.steps
    own = trace(gold, reason)
    assert REWRITER.paraphrased(own) == Changes({0: Step("memory", "It is true that the capital of France is Paris.")})
    assert REWRITER.paraphrased(trace(reason)) == "no step has the type memory"
    added = REWRITER.irrelevant(own)
    assert isinstance(added, Changes) and added.insert[1][0] in [s.steps[0] for s in SOLUTIONS]
    alone = LabelledRewriter(TaskData("one", "boolean", {"test": [LYON]}))
    assert alone.irrelevant(own) == "no other labelled solution has a memory step"


def test_types_that_are_no_labels_say_nothing() -> None:
    gold, reason = LYON.steps
    shuffled = trace(replace(gold, type="reason"), replace(reason, type="memory"))
    rewriter = rewriter_of(TASK, types_are_labels=False)
    assert rewriter.memories(shuffled) == []
    assert rewriter.corrected(shuffled, LYON) == Changes(insert={0: [gold]}), "first, whatever stands there"
    assert rewriter.paraphrased(shuffled) == "no step has the type memory"


def test_without_a_table_nothing_is_false_and_nothing_follows() -> None:
    own = trace(*LYON.steps)
    assert REWRITER.corrupted(own) == NO_TABLE
    assert REWRITER.follows(LYON.question, own.steps) is None
    assert REWRITER.inference(LYON.question, own.steps) is None
