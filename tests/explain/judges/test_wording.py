"""Where two sentences that are about the same differ, by their words."""

import pytest

from memreason.explain.judges.wording import differences, names, normal_form, numbers

LONG = "Kane, whose real name is Glenn Jacobs, is a wrestler best known for his time in the league{}."


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("France borders Spain.", "France does not border Spain."),
        ("Pi is in 1912.", "Pi is in 1921."),
        ("She won four prizes.", "She won 6 prizes."),
        ("Nairobi is in Kenya.", "Nairobi is in Uganda."),
        ("Kenya has Nairobi as its capital.", "The capital of Kenya is Kampala."),
        ("Lima lies north of the equator.", "Lima is in the southern hemisphere."),
        ("About 1.4 billion people live there.", "About 140 million people live there."),
    ],
)
def test_one_difference_is_evened_out(one: str, other: str) -> None:
    found = differences(one, other)
    assert found.ways == 1 and found.evened
    assert differences(*found.evened).ways == 0


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("Nairobi is in Kenya.", "Kenya's capital is Nairobi."),
        ("It has about 1.4 billion people.", "It has about 1,410 million people."),
        ("The United States is large.", "The States are large."),
        ("It is not in Asia.", "It is never in Asia."),
        ("Binoculars are handy.", "People like binoculars."),
        ("Nairobi is in Kenya.", "Nairobi is in Kenya, and has 4 million people."),
    ],
)
def test_other_words_for_the_same_and_more_of_it_are_no_difference(one: str, other: str) -> None:
    assert differences(one, other).ways == 0


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("Nairobi is in Kenya.", "Kampala is in Uganda."),  # about another thing
        ("Lima is in Peru.", "Lima is not in Chile."),  # which agree
        ("It is unlikely that it cannot.", "It can."),
        (LONG.format(""), LONG.format(", not in the other one")),  # a remark besides
        (LONG.format(" of Ohio"), LONG.format(", before Utah")),
    ],
)
def test_where_more_differs_neither_denies_the_other(one: str, other: str) -> None:
    assert differences(one, other).ways > 1


def test_a_long_sentence_denies_what_stands_in_the_other() -> None:
    pear = "Given that the density of a pear is less than that of water, it would {} in the water."
    assert differences(pear.format("sink"), pear.format("not sink")).ways == 1


def test_numbers_and_names_as_they_are_written() -> None:
    assert numbers("About 1.4 billion in 1,000 towns, and two more") == {1.4e9: "1.4 billion", 1000: "1,000", 2: "two"}
    assert set(names("The United Kingdom's queen met Ana, Bob and New York")) == {
        "united kingdom",
        "ana",
        "bob",
        "new york",
    }


def test_the_normal_form_leaves_case_marks_accents_and_articles_out() -> None:
    assert normal_form("The capital, of Brazil: is Brasília!") == normal_form("capital of Brazil is brasilia")
    assert normal_form("about 1.4 people") != normal_form("about 14 people")
