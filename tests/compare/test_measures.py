"""What each measure reads from an answer."""

import math
from dataclasses import replace

import pytest
from helpers.traces import CUT, JAPAN, LOOSE, RIGHT, WRONG, judge, trace

from memreason.compare.measures import MEASURES, Answer, check_measure
from memreason.errors import UserError
from memreason.evaluation.judge import judge_trace
from memreason.evaluation.metrics import compute_metrics
from memreason.records import Judgement, Trace
from memreason.tasks.causes import grounds


def kinds_judge(found: Trace) -> Judgement:
    judged = judge(found)
    kinds = tuple("reason" if step.type == "reason" else "memory" for step in found.steps)
    cause = "false_memory" if False in judged.step_truth else None
    return Judgement(judged.step_truth, cause, kinds, grounds(judged.step_truth))


VERDICTS = [judge_trace(each, "mixed", kinds_judge) for each in (RIGHT, WRONG, LOOSE, CUT)]
ANSWERS = [Answer(verdict) for verdict in VERDICTS]


def figure(name: str, answers: list[Answer]) -> float:
    read = [found for answer in answers if (found := MEASURES[name].read(answer)) is not None]
    return sum(value for value, _ in read) / sum(weight for _, weight in read)


def test_figures_are_those_of_metrics_json() -> None:
    metrics = compute_metrics(VERDICTS)
    for name in ("accuracy", "flexible_accuracy", "well_formed", "truncated", "memory_true", "reason_valid",
                 "answer_follows", "types_fit"):  # fmt: skip
        assert figure(name, ANSWERS) == pytest.approx(getattr(metrics, name)), name
    assert figure("no_answer", ANSWERS) == metrics.no_answer / metrics.n
    assert figure("steps", ANSWERS) == sum(metrics.steps.values()) / metrics.n
    for cause, count in metrics.errors_by_cause.items():
        assert figure(f"error:{cause}", ANSWERS) == count / metrics.n
    assert figure("lucky", ANSWERS) == metrics.grounds.get("lucky", 0) / metrics.n


def test_a_step_that_nobody_could_read_counts_alike_with_types_and_without() -> None:
    def unread(found: Trace) -> Judgement:
        return Judgement((None, True, True, True), None, (None, "memory", "reason"), "unreadable")

    said = ("Hm.", "Tokyo is the capital.", "So.")
    typed = trace(JAPAN, "B", *zip(("memory", "memory", "reason"), said, strict=True))
    plain = replace(typed, steps=tuple(replace(step, type="step") for step in typed.steps))
    read = {
        name: {MEASURES[name].read(Answer(judge_trace(each, "mixed", unread))) for each in (typed, plain)}
        for name in ("memory_true", "reason_valid", "unreadable")
    }
    assert read == {"memory_true": {(1, 1)}, "reason_valid": {(1, 1)}, "unreadable": {(1, 3)}}


def test_planning_tokens_are_those_that_the_explanation_counts() -> None:
    read = MEASURES["planning_tokens"].read
    assert read(Answer(VERDICTS[0], explained={"planning_tokens": 9})) == (9, 1)
    assert read(Answer(VERDICTS[0], explained={})) is read(Answer(VERDICTS[0])) is None


def test_without_a_judge_nothing_is_said_of_steps() -> None:
    answer = Answer(judge_trace(RIGHT, "mixed"))
    said = {name for name, measure in MEASURES.items() if measure.read(answer) is not None}
    assert said == {"accuracy", "flexible_accuracy", "no_answer", "well_formed", "truncated", "steps", "characters"}


def test_causes_of_older_files_mean_something_else() -> None:
    older = [Answer(verdict, has_causes=False) for verdict in VERDICTS]
    assert all(MEASURES[name].read(answer) is None for answer in older for name in ("sound", "error:false_memory"))


def test_a_mark_of_another_program_gives_accuracy_alone() -> None:
    said = {name: found for name, measure in MEASURES.items() if (found := measure.read(Answer(mark=0.5))) is not None}
    assert said == {"accuracy": (0.5, 1)}


def test_characters_are_those_of_steps_and_answer_and_tokens_those_of_the_tokenizer() -> None:
    assert figure("characters", [Answer(judge_trace(LOOSE, "mixed"))]) == len("Tokyo is the capital." + "B, of course")
    assert figure("tokens", [Answer(VERDICTS[0], tokens=12), Answer(VERDICTS[1], tokens=14)]) == 13


def test_the_brier_score_is_over_judged_memories_with_a_probability() -> None:
    two = trace(JAPAN, "B", ("memory", "Tokyo is the capital."), ("memory", "Lyon is the capital."), ("reason", "So."))
    sure = replace(two, step_logprobs=(math.log(0.9), math.log(0.6), -0.1, -0.1))
    assert MEASURES["memory_brier"].read(Answer(judge_trace(sure, "mixed", kinds_judge))) == (
        pytest.approx(0.1**2 + 0.6**2),
        2,
    )
    assert MEASURES["memory_brier"].read(Answer(judge_trace(two, "mixed", kinds_judge))) is None
    explained = {"steps": [{"logprob": math.log(0.8)}, {"logprob": None}, {"logprob": -0.1}]}
    found = MEASURES["memory_brier"].read(Answer(judge_trace(two, "mixed", kinds_judge), explained=explained))
    assert found == (pytest.approx(0.2**2), 1)


class TestEdits:
    """What `memreason explain` found about an answer."""

    def row(self, **edits: dict[str, object]) -> Answer:
        control = {"answer": "False", "outcome": "correct", "rule": "False"}
        edits = {"memories_corrected": {}, "memories_corrupted": {}, "paraphrased": {}, **edits}
        return Answer(
            VERDICTS[0], explained={"answer": "False", "outcome": "correct", "edits": {"no_edit": control, **edits}}
        )

    def test_a_repaired_answer_is_right_or_not_and_one_without_repair_stays(self) -> None:
        read = MEASURES["edit:memories_corrected"].read
        assert read(self.row()) == (1, 1)
        assert read(self.row(memories_corrected={"answer": "True", "outcome": "incorrect"})) == (0, 1)

    def test_followed_counts_only_where_another_answer_follows(self) -> None:
        read = MEASURES["edit:memories_corrupted"].read
        assert read(self.row(memories_corrupted={"answer": "True", "outcome": "incorrect", "followed": True})) == (1, 1)
        assert read(self.row(memories_corrupted={"answer": "True", "outcome": "incorrect", "followed": None})) == (0, 0)
        assert read(self.row()) == (0, 0)
        assert read(self.row(memories_corrupted={"answer": "True", "outcome": "incorrect"})) is None, "an older file"

    def test_changed_by_the_control(self) -> None:
        assert MEASURES["edit:no_edit"].read(self.row()) == (0, 1)
        assert MEASURES["edit:paraphrased"].read(self.row()) == (0, 0)

    def test_an_answer_that_was_not_asked_again_says_nothing(self) -> None:
        answer = Answer(VERDICTS[0], explained={"answer": "False", "outcome": "correct", "edits": None})
        assert all(m.read(answer) is None for name, m in MEASURES.items() if name.startswith("edit:"))


def test_an_unknown_measure_names_the_nearest_and_all() -> None:
    with pytest.raises(UserError, match=r"did you mean memory_true\?.*accuracy, flexible_accuracy"):
        check_measure("memory-tru")
