"""The family and the country of a question."""

from pathlib import Path

import pytest
from helpers.compared import paired, row

from memreason.compare.fields import values_of
from memreason.records import Question
from memreason.tasks.atlas import build
from memreason.tasks.atlas.about import country_of, family_of


@pytest.mark.parametrize(
    ("text", "options", "answer", "country"),
    [
        ("Is it true that Rabat is the capital of Kenya?", (), "False", "Kenya"),
        ("Uganda is smaller than Kenya. True or false?", (), "False", "Kenya"),  # the left side of "Kenya is larger"
        ("Kenya borders Uganda. True or false?", (), "True", "Kenya"),
        ("On which continent is the country whose capital is Baghdad?", ("Asia", "Africa"), "A", "Iraq"),
        ("True or false: Madrid lies north of the equator.", (), "True", "Spain"),
        ("Where do people mainly speak Uzbek?", ("France", "Uzbekistan"), "B", "Uzbekistan"),
        ("Which one is north of the equator?", ("Nairobi", "Warsaw"), "B", "Poland"),
        ("Who wrote this?", (), "True", None),
    ],
)
def test_the_country_is_the_one_that_is_named_or_that_of_the_right_option(
    text: str, options: tuple[str, ...], answer: str, country: str | None
) -> None:
    assert country_of(Question("q", text, answer, options)) == country


def test_every_question_of_the_dataset_has_both() -> None:
    task = build(num_train=100, num_validation=10, num_test=12, num_countries=30)
    questions = [solution.question for split in task.splits.values() for solution in split]
    assert all(country_of(question) and family_of(question) for question in questions)


def test_other_questions_have_no_family() -> None:
    assert family_of(Question("atlas-test-capital-000000", "…", "True", (), "other")) is None


def test_comparisons_cluster_by_the_country(tmp_path: Path) -> None:
    asked = [row(0, question="Is it true that Rabat is the capital of Kenya?")]
    assert values_of(paired(tmp_path, a=asked, b=asked), "country") == ["Kenya"]
