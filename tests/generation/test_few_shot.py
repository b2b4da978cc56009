"""Demonstrations: which training solutions are shown before a question."""

import pytest
from helpers.tiny import SOLUTIONS

from memreason.config.ablations import SIMILAR, UNIFORM
from memreason.errors import UserError
from memreason.generation.few_shot import Demonstrations
from memreason.records import Question, Solution, Step
from memreason.tasks.base import TaskData

CITIES = ["Paris", "Lyon", "Nice", "Rome", "Milan", "Turin", "Bonn", "Berlin"]
TRAIN = [
    Solution(Question(f"t{i}", f"Is {city} a city in {country}?", "True", split="train"), (Step("memory", "Yes."),))
    for i, (city, country) in enumerate(zip(CITIES, ["France"] * 3 + ["Italy"] * 3 + ["Germany"] * 2, strict=True))
]
BARE = Solution(Question("bare", "Is Rome a city?", "True", split="train"))
HELD_OUT = Solution(Question("h", "Is Genoa a city in Italy?", "True", split="test"), (Step("memory", "Yes."),))
TASK = TaskData("cities", "boolean", {"train": [*TRAIN, BARE], "test": [HELD_OUT]})


@pytest.mark.parametrize("selection", [UNIFORM, SIMILAR])
def test_never_the_question_itself_nor_one_held_out_nor_one_without_steps(selection: str) -> None:
    choose = Demonstrations(TASK, len(TRAIN) - 1, selection)
    for solution in [*TRAIN, HELD_OUT]:
        shown = choose(solution.question)
        assert len({one.question.id for one in shown}) == len(TRAIN) - 1
        assert solution not in shown and HELD_OUT not in shown and BARE not in shown


@pytest.mark.parametrize("selection", [UNIFORM, SIMILAR])
def test_nor_the_same_question_in_other_letters(selection: str) -> None:
    again = Question("other", TRAIN[0].question.text.upper(), "True")
    assert TRAIN[0] not in Demonstrations(TASK, len(TRAIN) - 1, selection)(again)


def test_uniform_draws_anew_for_each_question_and_the_same_for_the_same() -> None:
    choose = Demonstrations(TASK, 2, UNIFORM, seed=3)
    drawn = [tuple(one.question.id for one in choose(s.question)) for s in TRAIN]
    assert len(set(drawn)) > 3
    assert drawn == [tuple(one.question.id for one in Demonstrations(TASK, 2, UNIFORM, 3)(s.question)) for s in TRAIN]
    assert drawn != [tuple(one.question.id for one in Demonstrations(TASK, 2, UNIFORM, 4)(s.question)) for s in TRAIN]


def test_similar_are_the_nearest_questions_first() -> None:
    shown = Demonstrations(TASK, 3, SIMILAR)(HELD_OUT.question)
    assert {one.question.id for one in shown} == {"t3", "t4", "t5"}
    two = Demonstrations(TaskData("", "boolean", {"train": [*SOLUTIONS, TRAIN[3]]}), 2, SIMILAR)
    assert two(Question("q", "Is Rome the capital of Spain?", "False"))[0].question.id == "q2"


def test_too_few_to_choose_from_is_an_error() -> None:
    with pytest.raises(UserError, match=r"--k_shot 8: cities has 8 solutions to train on"):
        Demonstrations(TASK, len(TRAIN))
