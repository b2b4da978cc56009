"""Which repair makes a wrong answer right."""

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from helpers.tiny import SOLUTIONS

from memreason.config.model import ModelConfig
from memreason.evaluation.judge import judge_trace
from memreason.explain.baseline import Case
from memreason.explain.causal import REPAIRS, Attribution, Tried, attribute, with_inference
from memreason.generation.engine import Engine
from memreason.models.build import build
from memreason.planning_tokens.layout import PlanningTokens
from memreason.records import Question, Solution, Step, Trace
from memreason.tasks.atlas import judge
from memreason.tasks.atlas.rewrite import AtlasRewriter
from memreason.tasks.base import Changes, TaskData

LAYOUT = PlanningTokens(1, 1, ("memory", "reason"))
ASIA = Question("asia", "Is it true that France is in Asia?", "False")
GOLD = Solution(ASIA, (Step("memory", "France is in Europe."), Step("reason", "Europe is not Asia, so it is false.")))
TASK = TaskData("atlas", "mixed", {"test": [GOLD]}, judge=judge, rewriter=AtlasRewriter())


def trace(*steps: Step, answer: str = "True") -> Trace:
    return LAYOUT.parse(ASIA, LAYOUT.solution_text(steps, answer))


FALSE = trace(Step("memory", "France is in Asia."), Step("reason", "Asia is what is stated, so it is true."))
INVALID = trace(GOLD.steps[0], Step("reason", "Europe is what is stated, so it is true."))


def case(trace: Trace) -> Case:
    return Case(GOLD, judge_trace(trace, "mixed", judge))


@pytest.fixture(scope="module")
def engine(bases: dict[str, Path]) -> Iterator[Engine]:
    options = {"num_general_prefix_tokens": 1, "num_special_prefix_tokens": 1}
    with Engine(build(ModelConfig(model_name_or_path=str(bases["tied"]), dtype="float32", **options), 128)) as engine:
        yield engine


@pytest.mark.parametrize(
    ("memories", "inference", "both", "repair"),
    [
        (True, False, False, "memories"),
        (False, True, True, "inference"),
        (True, True, True, "either"),
        (False, False, True, "both_only"),
        (False, False, False, "neither"),
    ],
)
def test_each_wrong_answer_has_one_class(memories: bool, inference: bool, both: bool, repair: str) -> None:
    assert Tried(case(FALSE), memories, inference, both).repair == repair


def test_the_table_and_the_agreement_with_the_judge() -> None:
    false, invalid = case(FALSE), case(INVALID)
    assert (false.verdict.cause, invalid.verdict.cause) == ("false_memory", "wrong_inference")
    tried = (
        Tried(false, True, False, True), Tried(false, False, False, True), Tried(invalid, False, True, True),
        Tried(invalid, False, True, True), Tried(invalid, True, True, True), Tried(invalid, False, False, False),
    )  # fmt: skip
    row = Attribution(tried, True).to_json()
    assert row["n"] == 6
    assert row["repaired"] == {"memories": 1, "inference": 2, "either": 1, "both_only": 1, "neither": 1}
    assert row["table"] == [[1, 1], [2, 2]]
    assert row["by_cause"]["false_memory"] == dict.fromkeys(REPAIRS, 0) | {"memories": 1, "both_only": 1}
    assert row["agreement"]["n"] == 6 and row["agreement"]["share"] == 0.5
    assert row["agreement"]["kappa"] == pytest.approx((0.5 - 10 / 36) / (1 - 10 / 36))
    assert row["reason"] is None


def test_a_valid_inference_stands_behind_the_memories_alone() -> None:
    rewriter = AtlasRewriter()
    own = with_inference(FALSE, Changes(), rewriter, LAYOUT)
    assert own and own.edits == {}
    ((at, (step,)),) = own.insert.items()
    assert at == 1 and step.type == "reason" and step.text.endswith("true.")
    corrected = rewriter.corrected(FALSE, GOLD)
    both = with_inference(FALSE, corrected, rewriter, LAYOUT)
    assert both and both.edits[0] == Step("memory", "France is in Europe.") and "false" in both.insert[1][0].text
    late = trace(Step("reason", "So it is true."), *FALSE.steps)
    found = with_inference(late, Changes(), rewriter, LAYOUT)
    assert found and found.edits == {0: None} and 2 in found.insert  # what it concluded too early is taken out
    missing = trace(Step("memory", "Spain is in Asia."))
    assert with_inference(missing, Changes(), rewriter, LAYOUT) is None
    added = with_inference(missing, rewriter.corrected(missing, GOLD), rewriter, LAYOUT)
    assert added and added.insert[1][0].text == "France is in Europe."
    untyped = with_inference(FALSE, Changes(), rewriter, PlanningTokens(1, 1, ("a", "b")))
    assert untyped and untyped.insert[1][0].type == "reason"  # that of the trace's own last inference


def test_only_wrong_answers_are_repaired(engine: Engine) -> None:
    right = case(trace(*GOLD.steps, answer="False"))
    none = case(LAYOUT.parse(ASIA, "<prefix_0><memory_0> France is in Europe."))
    baseline = (right, none, case(FALSE), case(INVALID))
    found = attribute(engine, TASK, baseline, progress=False)
    assert [one.case for one in found.tried] == [case(FALSE), case(INVALID)]
    assert sum(found.to_json()["repaired"].values()) == 2 and found.has_table
    assert not found.tried[1].memories  # nothing is false or missing there


def test_without_a_table_only_memories_are_tried(engine: Engine) -> None:
    task = TaskData("capitals", "boolean", {"test": SOLUTIONS})
    text = LAYOUT.solution_text((Step("memory", "Lyon is big."),), "True")
    wrong = Case(SOLUTIONS[1], judge_trace(LAYOUT.parse(SOLUTIONS[1].question, text), "boolean"))
    row = attribute(engine, task, (wrong, replace(wrong)), progress=False).to_json()
    assert row["n"] == 2 and set(row["repaired"]) == {"memories", "neither"}
    assert row["table"] is None and row["agreement"] is None and "no table" in row["reason"]
