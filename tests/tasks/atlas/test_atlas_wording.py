"""Sentences are varied, and each is read back as what it was written for."""

from random import Random

import pytest

from memreason.records import Question
from memreason.tasks.atlas import other_wordings, templates
from memreason.tasks.atlas.claims import BORDER, KINDS, OPEN, Claim, Rule
from memreason.tasks.atlas.facts import Fact, number, pair, rounded, spoken, world
from memreason.tasks.atlas.names import fold
from memreason.tasks.atlas.wording import (
    Inference,
    Said,
    normal_answer,
    read_memory,
    read_question,
    read_reason,
    read_step,
    write_memory,
    write_question,
    write_reason,
)

EXAMPLES = {
    "country": ("Netherlands", "Trinidad and Tobago"),
    "city": ("Paris", "Mexico City"),
    "continent": ("North America", "Asia"),
    "currency": ("euro", "yen"),
    "language": ("Dutch", "English"),
    "number": ("42000", "1400000000"),
    "hemisphere": ("north", "south"),
}


def test_every_kind_of_question_has_four_wordings_or_more():
    for table in (templates.STATEMENTS, templates.LEFT_OPEN, templates.RIGHT_OPEN):
        for predicate, forms in table.items():
            assert len(set(forms)) >= 4, predicate
    assert len(templates.TRUE_FALSE) >= 4


def test_every_memory_and_every_reason_has_three_wordings_or_more():
    for table in (templates.MEMORIES, templates.REASONS, templates.ENDS):
        for relation, forms in table.items():
            assert len(set(forms)) >= 3, relation


@pytest.mark.parametrize("seed", range(5))
@pytest.mark.parametrize("predicate", templates.STATEMENTS)
def test_a_statement_is_read_back(predicate, seed):
    left, right = (EXAMPLES[kind][i] for i, kind in enumerate(KINDS[predicate]))
    claim = Claim(predicate, left, right)
    text = write_question(Random(seed), claim)
    assert read_question(Question("q", text, "True")).claim == claim


@pytest.mark.parametrize("seed", range(5))
@pytest.mark.parametrize("predicate", templates.RIGHT_OPEN)
def test_a_question_with_an_open_right_side_is_read_back(predicate, seed):
    claim = Claim(predicate, EXAMPLES[KINDS[predicate][0]][0], OPEN)
    text = write_question(Random(seed), claim)
    assert read_question(Question("q", text, "A", ("w", "x", "y", "z"))).claim == claim


@pytest.mark.parametrize("seed", range(5))
@pytest.mark.parametrize("predicate", templates.LEFT_OPEN)
def test_a_question_with_an_open_left_side_is_read_back(predicate, seed):
    claim = Claim(predicate, OPEN, EXAMPLES[KINDS[predicate][1]][0])
    text = write_question(Random(seed), claim)
    assert read_question(Question("q", text, "A", ("w", "x", "y", "z"))).claim == claim


def facts():
    for relation in ("continent", "capital", "currency", "language", "area", "population", "hemisphere"):
        subject, value = (EXAMPLES[kind][i] for i, kind in enumerate(KINDS[relation]))
        yield Fact(relation, subject, value)
    for value in ("yes", "no"):
        yield Fact("border", pair("Venezuela", "Trinidad and Tobago"), value)


@pytest.mark.parametrize("seed", range(5))
@pytest.mark.parametrize("fact", list(facts()), ids=lambda fact: fact.relation)
def test_a_memory_is_read_back(fact, seed):
    assert read_memory(write_memory(Random(seed), fact)) == fact


@pytest.mark.parametrize("seed", range(9))
@pytest.mark.parametrize("rule", templates.REASONS)
@pytest.mark.parametrize("answer", ["True", "False", "C"])
def test_a_reason_is_read_back(rule, answer, seed):
    read = read_reason(write_reason(Random(seed), rule, answer, "the yen", "the euro"))
    if rule == "option" and answer != "C":
        return  # a True/False question has no options
    assert (read.rule, read.answer) == (rule, answer)
    assert read.values == ("yen", "euro")[: len(read.values)]


THAILAND, BANGKOK = Fact("continent", "Thailand", "Asia"), Fact("capital", "Thailand", "Bangkok")
SO_TRUE = Inference(None, (), "True")


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("Thailand is in Asia.", Said((THAILAND,))),
        ("Thailand is in Asia, so the answer is true.", Said((THAILAND,), SO_TRUE)),
        ("So the statement is true.", Said((), SO_TRUE)),
        ("Therefore, it is true.", Said((), SO_TRUE)),
        ("The capital of Thailand is Bangkok; Thailand is in Asia; so it is true.", Said((BANGKOK, THAILAND), SO_TRUE)),
        ("Thailand is in Asia. It is true. It is false.", Said((THAILAND,), Inference(None, (), "False"))),
        ("Thailand is in Asia and Thailand has Bangkok as its capital.", Said((THAILAND, BANGKOK))),
        ("Bosnia and Herzegovina is in Asia.", Said((Fact("continent", "Bosnia and Herzegovina", "Asia"),))),
        ("Bangkok is the capital of Thailand, so it is option C.", Said((BANGKOK,), Inference(None, (), "C"))),
        ("The two are not the same, so the answer is false.", Said((), Inference(Rule.DIFFER, (), "False"))),
        ("Lima is not in the north, so it is false.", Said((), Inference(Rule.DIFFER, ("lima", "north"), "False"))),
        ("7 million is more than 1 million, so it is choice A.",
         Said((), Inference(Rule.COMPARE, ("7000000", "1000000"), "A"))),
        ("Bangkok is in Asia.", Said((Fact("capital_continent", "Bangkok", "Asia"),))),
        ("Singapore is in Asia.", Said((Fact("continent", "Singapore", "Asia"),))),  # the country
        ("Qonqa is in Asia.", None),
        ("Thailand is not on Asia, so the answer is false.", None),  # "on Asia" is no value
        ("Thailand is in Asia, whatever, so the answer is true.", None),
        ("Thailand is in Asia. Hmm.", None),
        ("Spanish is spoken in Mexico.", None),  # is it the main language?
        ("It is what it is.", None),
        ("", None),
        # What is denied, doubted or asked is not stated.
        ("Bangkok is never the capital of Thailand.", None),
        ("The capital of Thailand is hardly Lima.", None),
        ("The capital of Thailand is definitely Bangkok.", None),
        ("The capital of Thailand is Lima or Bangkok.", None),
        ("The currency of Thailand is unknown.", None),
        ("It is not true that Thailand is in Asia.", None),
        ("Thailand is not in Asia.", None),
        ("Thailand is in Asia?", None),
        ("Asia never agrees with the question, so it is true.", None),
        ("7 million is not less than 1 million, so it is true.", None),
        ("Asia is not the one named, so it is false.", Said((), Inference(Rule.DIFFER, ("asia",), "False"))),
        # Marks around a step do not count, nor do other hyphens, apostrophes and characters without width.
        ("- Thailand is in Asia.", Said((THAILAND,))),
        ("2. **Thailand is in Asia.**", Said((THAILAND,))),
        ("“Thai\u00adland is in \u200bAsia.”", Said((THAILAND,))),
        ("Thailand‘s capital is Bangkok.", Said((BANGKOK,))),
        ("Timor\u2011Leste is in Asia.", Said((Fact("continent", "Timor-Leste", "Asia"),))),
        (" and ".join(["Thailand is in Asia"] * 40), Said((THAILAND,) * 40)),
        (" and ".join(["Thailand is in Asia"] * 3000), None),
    ],
)  # fmt: skip
def test_what_a_step_says(text, said):
    assert read_step(text) == said


@pytest.mark.parametrize("table", ["MEMORIES", "REASONS"])
def test_other_wordings_are_read_and_are_none_of_the_templates(table):
    for what, forms in getattr(other_wordings, table).items():
        assert set(map(fold, getattr(templates, table).get(what, ()))).isdisjoint(map(fold, forms))
        for form in forms:
            if table == "REASONS":
                read = read_step(form.format(a="Lima", b="south", end="it is true"))
                assert read and read.inference and read.inference.rule == what
            else:
                left, right = (EXAMPLES[kind][i] for i, kind in enumerate(KINDS[what]))
                (fact,) = read_step(form.format(left=left, right=right)).facts
                assert fact.relation == ("border" if what in BORDER else what)
                assert fact.subject == (pair(left, right) if what in BORDER else left)


def test_every_country_that_is_asked_about_is_found_by_its_name():
    for name in world().asked:
        assert world().find("country", f"the {name}".upper()) == name


@pytest.mark.parametrize(
    ("text", "digits"),
    [
        ("550 thousand", "550000"),
        ("about 1.4 billion people", "1400000000"),
        ("9,600,000 square kilometres", "9600000"),
        ("42", "42"),
        ("fifty", None),
        ("1.2.3 million", None),
    ],
)
def test_numbers_are_read(text, digits):
    assert number(text) == digits


@pytest.mark.parametrize("value", [7, 42, 999, 41526, 547030, 9984670, 66987244, 1411778724])
def test_a_number_survives_being_spoken(value):
    assert number(spoken(rounded(value))) == rounded(value)
    assert abs(int(rounded(value)) - value) <= 0.05 * value


@pytest.mark.parametrize(
    ("text", "answer"),
    [
        ("True", "True"),
        ("false.", "False"),
        ("B", "B"),
        ("(b)", "B"),
        ("Option C.", "C"),
        ("D. Paris", "D"),
        ("a country", None),
        ("truely", None),
        ("", None),
    ],
)
def test_answers_are_normalised(text, answer):
    assert normal_answer(text) == answer


def test_facts_of_the_table():
    lookup = world().lookup
    assert lookup("capital", "France") == "Paris"
    assert lookup("capital", "Kazakhstan") == "Astana"
    assert lookup("continent", "Turkey") == "Asia"
    assert lookup("currency", "Mexico") == lookup("currency", "Philippines") == "peso"
    assert lookup("language", "Brazil") == "Portuguese"
    assert lookup("hemisphere", "Lima") == "south"
    assert lookup("border", pair("Spain", "France")) == "yes"
    assert lookup("border", pair("Poland", "Spain")) == "no"
    assert lookup("area", "France") == "550000"
    assert lookup("seat", "Paris") == "France"
    assert lookup("hemisphere", "Quito") is None, "too near the equator to ask"
