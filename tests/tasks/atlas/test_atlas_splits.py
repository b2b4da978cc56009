"""What is seen and what is not, read out of the steps' own text."""

import pytest

from memreason.tasks.atlas import build
from memreason.tasks.atlas.facts import world
from memreason.tasks.atlas.judge import facts_of
from memreason.tasks.atlas.wording import read_question

ARGUMENTS = (
    {},
    {"seed": 5, "num_train": 300, "num_validation": 30, "num_test": 40, "num_countries": 45},
    {"seed": 2, "num_train": 600, "num_validation": 50, "num_test": 100, "num_countries": 120},
)


@pytest.fixture(scope="module", params=ARGUMENTS, ids=str)
def splits(request):
    return build(**request.param).splits


def facts(solutions):
    return {fact for solution in solutions for fact in facts_of(solution.steps)}


def meanings(solutions):
    """What each question asks, wording left out; which of two is named first is no matter."""
    asked = []
    for solution in solutions:
        claim = read_question(solution.question).claim
        sides = (claim.left, claim.right)
        if not solution.question.options and claim.predicate != "capital_continent":
            sides = tuple(sorted(sides))
        right = solution.question.options["ABCD".index(solution.question.answer)] if "?" in sides else ""
        asked.append((claim.predicate, sides, right))
    return asked


def test_every_memory_step_states_a_fact(splits):
    for solutions in splits.values():
        for solution in solutions:
            memories = [step for step in solution.steps if step.type == "memory"]
            assert len(facts_of(memories)) == len(memories)


def test_unseen_facts_are_in_no_memory_step_of_train_or_validation(splits):
    assert facts(splits["test_unseen"]).isdisjoint(facts(splits["train"]) | facts(splits["validation"]))


def test_seen_facts_are_all_in_memory_steps_of_train(splits):
    assert facts(splits["test_seen"]) <= facts(splits["train"])
    assert facts(splits["validation"]) <= facts(splits["train"])


def test_held_out_countries_are_not_even_mentioned_in_training(splits):
    countries = world().countries

    def subjects(split):
        named = {fact.subject for fact in facts(splits[split])}
        return {part for subject in named for part in subject.split(" / ")}

    held_out = {name for name in subjects("test_unseen") if name in countries} - subjects("train")
    assert held_out
    for solution in splits["train"] + splits["validation"] + splits["test_seen"]:
        options = set(solution.question.options)
        assert options.isdisjoint(held_out)
        assert options.isdisjoint(countries[name].capital for name in held_out)


def test_no_question_is_asked_twice(splits):
    asked = [meaning for solutions in splits.values() for meaning in meanings(solutions)]
    assert len(set(asked)) == len(asked)


def test_no_text_is_asked_twice(splits):
    texts = [(solution.question.text, solution.question.options) for split in splits.values() for solution in split]
    assert len(set(texts)) == len(texts)


def test_every_continent_is_held_out_somewhere():
    unseen = facts(build().splits["test_unseen"])
    assert {fact.value for fact in unseen if fact.relation == "continent"} == {
        "Africa",
        "Asia",
        "Europe",
        "North America",
        "South America",
        "Oceania",
    }


def test_facts_come_up_again_and_again_with_few_countries():
    train = build().splits["train"]
    stated = [fact for solution in train for fact in facts_of(solution.steps)]
    assert len(stated) / len(set(stated)) > 2.5
