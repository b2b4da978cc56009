"""The facts of a sentence, in words that people read."""

import pytest

from memreason.tasks.atlas.stated import stated_facts
from memreason.tasks.base import StatedFact


@pytest.mark.parametrize(
    ("text", "fact"),
    [
        ("The capital of Kenya is Nairobi.", StatedFact("the capital of Kenya", "Nairobi", "Nairobi", True)),
        ("The capital of Kenya is Emerald City.", StatedFact("the capital of Kenya", "Emerald City", "Nairobi", False)),
        ("The main language of Gambia is Klingon.",
         StatedFact("the main language of the Gambia", "Klingon", "English", False)),
        ("The currency of Kenya is the RUPEE.", StatedFact("the currency of Kenya", "rupee", "shilling", False)),
        ("Kenya and Peru share a border.",
         StatedFact("whether Kenya and Peru share a border", "yes", "no", False)),
    ],
)  # fmt: skip
def test_names_are_written_as_in_a_sentence_those_in_no_list_too(text: str, fact: StatedFact) -> None:
    assert stated_facts(text) == [fact]


def test_what_cannot_be_read_states_nothing() -> None:
    assert stated_facts("Hm.") == []
