"""Sentences that are read and never written: other ways in which models say what a template says.

Only wordings whose meaning is certain stand here. "Spanish is spoken in Mexico" does not say that it is the main
language, so it does not. The slots are those of `templates`; in a sentence about a capital's continent, {left} is the
capital.
"""

from memreason.tasks.atlas.claims import Predicate, Rule
from memreason.tasks.atlas.templates import STATEMENTS

MEMORIES = {
    Predicate.CONTINENT: (
        *(f"the country of {statement}" for statement in STATEMENTS[Predicate.CONTINENT]),
        "{left} is located in {right}",
        "{left} is on the continent of {right}",
        "{left} is part of {right}",
    ),
    Predicate.CAPITAL_CONTINENT: (
        *STATEMENTS[Predicate.CAPITAL_CONTINENT],
        "{left} is in {right}",
        "{left} lies in {right}",
        "{left} is a city in {right}",
        "{left} belongs to {right}",
    ),
    Predicate.CAPITAL: (
        "{left}'s capital is {right}",
        "the capital city of {left} is {right}",
        "{right} is {left}'s capital",
    ),
    Predicate.CURRENCY: (
        "{left}'s currency is the {right}",
        "the {right} is the currency of {left}",
        "the money of {left} is the {right}",
        "{left} has the {right} as its currency",
    ),
    Predicate.LANGUAGE: (
        "{left}'s main language is {right}",
        "the main language in {left} is {right}",
        "{right} is the main language in {left}",
        "most people in {left} speak {right}",
    ),
    Predicate.HEMISPHERE: (
        "{left} is {right} of the equator",
        "{left} lies in the {right}ern hemisphere",
        "{left} is located {right} of the equator",
        "{left} is located in the {right}ern hemisphere",
    ),
    Predicate.AREA: (
        "{left} covers {right} square kilometres",
        "{left} has {right} square kilometres",
        "{left} has an area of {right} square kilometres",
        "{left} has an area of about {right} square kilometres",
        "the area of {left} is {right} square kilometres",
    ),
    Predicate.POPULATION: (
        "{left} has {right} people",
        "{left} has a population of {right}",
        "{left} has a population of about {right}",
        "{right} people live in {left}",
        "the population of {left} is {right}",
    ),
    Predicate.BORDER: (
        "{left} shares a border with {right}",
        "{left} has a border with {right}",
        "{left} and {right} share a border",
        "{left} and {right} share a land border",
        "{left} is a neighbour of {right}",
    ),
    Predicate.NO_BORDER: (
        "{left} shares no border with {right}",
        "{left} has no border with {right}",
        "{left} does not share a border with {right}",
        "{left} does not share a land border with {right}",
        "{left} and {right} share no border",
        "{left} and {right} do not share a border",
        "{left} is not a neighbour of {right}",
    ),
}
"""More sentences that state one fact."""

REASONS = {
    Rule.DIFFER: (
        "The two are not the same, so {end}.",
        "They are not the same, so {end}.",
        "The two differ, so {end}.",
        "They differ, so {end}.",
        "{a} is not what is stated, so {end}.",
        "{a} is not the one named, so {end}.",
        "{a} does not agree with the question, so {end}.",
        "{a} is not in {b}, so {end}.",
        "{a} is not in the {b}ern hemisphere, so {end}.",
    ),
    Rule.BOTH: (
        "The two are the same, so {end}.",
        "They are the same, so {end}.",
    ),
}
"""More sentences that draw a conclusion. Some do not name the values that they compare; in "Lima is not in the north",
the first value is named by its subject."""

ENDS = (
    "it is choice {answer}",
    "choice {answer} is right",
    "the answer is option {answer}",
    "the answer is choice {answer}",
)
"""More ends of reason steps."""
