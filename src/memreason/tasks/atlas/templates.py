"""All sentences of the dataset, as templates; `wording` writes sentences with them and reads them back.

Questions and memories have the slots {left} and {right} (in a memory: subject and value). Reasons have the slots
{a} and {b} (the compared values), {end} (one of `ENDS`) and {answer} (true, false, or a letter).
"""

from memreason.tasks.atlas.claims import Predicate, Rule

STATEMENTS = {
    Predicate.CONTINENT: (
        "{left} is in {right}",
        "{left} lies in {right}",
        "{left} is a country in {right}",
        "{left} belongs to {right}",
    ),
    Predicate.SAME_CONTINENT: (
        "{left} and {right} are on the same continent",
        "{left} is on the same continent as {right}",
        "{left} and {right} belong to one continent",
        "{left} shares its continent with {right}",
    ),
    Predicate.CAPITAL: (
        "{right} is the capital of {left}",
        "the capital of {left} is {right}",
        "{left} has {right} as its capital",
        "{right} is the capital city of {left}",
    ),
    Predicate.CAPITAL_CONTINENT: (
        "{left} is the capital of a country in {right}",
        "the country whose capital is {left} is in {right}",
        "{left} is a capital in {right}",
        "the country with the capital {left} lies in {right}",
    ),
    Predicate.BORDER: (
        "{left} borders {right}",
        "{left} shares a land border with {right}",
        "{left} and {right} are neighbours",
        "one can walk across the border from {left} to {right}",
    ),
    Predicate.MORE_AREA: (
        "{left} is larger than {right}",
        "{right} is smaller than {left}",
        "{left} has more area than {right}",
        "{right} has less area than {left}",
    ),
    Predicate.MORE_PEOPLE: (
        "{left} has more people than {right}",
        "{right} has fewer people than {left}",
        "more people live in {left} than in {right}",
        "fewer people live in {right} than in {left}",
    ),
    Predicate.CURRENCY: (
        "the currency of {left} is the {right}",
        "{left} uses the {right}",
        "people in {left} pay with the {right}",
        "the money of {left} is called the {right}",
    ),
    Predicate.LANGUAGE: (
        "the main language of {left} is {right}",
        "{right} is the main language of {left}",
        "people in {left} mainly speak {right}",
        "{left} has {right} as its main language",
    ),
    Predicate.HEMISPHERE: (
        "{left} is in the {right}ern hemisphere",
        "{left} lies {right} of the equator",
        "{left} is a city {right} of the equator",
        "{left} belongs to the {right}ern hemisphere",
    ),
    Predicate.SAME_HEMISPHERE: (
        "{left} and {right} are in the same hemisphere",
        "{left} is on the same side of the equator as {right}",
        "{left} and {right} lie on one side of the equator",
        "{left} shares its hemisphere with {right}",
    ),
}
"""The statements of True/False questions. `{right}ern` gives "northern" for "north"."""

TRUE_FALSE = (
    "True or false: {statement}.",
    "{statement}. True or false?",
    "Is it true that {statement}?",
    "{statement}. Is this true?",
)
"""The forms of True/False questions around their statement."""

RIGHT_OPEN = {
    Predicate.CONTINENT: (
        "On which continent is {left}?",
        "Which continent does {left} belong to?",
        "{left} lies on which continent?",
        "What continent is {left} in?",
    ),
    Predicate.CAPITAL: (
        "What is the capital of {left}?",
        "Which city is the capital of {left}?",
        "{left} has which capital?",
        "Name the capital of {left}.",
    ),
    Predicate.CAPITAL_CONTINENT: (
        "{left} is the capital of a country on which continent?",
        "On which continent is the country whose capital is {left}?",
        "The country with the capital {left} is on which continent?",
        "Which continent has {left} as a capital?",
    ),
    Predicate.CURRENCY: (
        "What is the currency of {left}?",
        "What do people in {left} pay with?",
        "Which currency does {left} use?",
        "The money of {left} is called what?",
    ),
    Predicate.LANGUAGE: (
        "What is the main language of {left}?",
        "Which language do most people in {left} speak?",
        "What is mainly spoken in {left}?",
        "Which of these is the main language in {left}?",
    ),
    Predicate.AREA: (
        "About how large is {left} in square kilometres?",
        "What is the area of {left} in square kilometres?",
        "About how many square kilometres does {left} cover?",
        "{left} covers about how many square kilometres?",
    ),
    Predicate.POPULATION: (
        "About how many people live in {left}?",
        "What is the population of {left}?",
        "{left} has about how many people?",
        "How many people are there in {left}?",
    ),
    Predicate.MORE_AREA: (
        "Which of these countries is smaller than {left}?",
        "Which country has less area than {left}?",
        "{left} is larger than which of these?",
        "Which one is smaller in area than {left}?",
    ),
    Predicate.MORE_PEOPLE: (
        "Which of these countries has fewer people than {left}?",
        "Fewer people than in {left} live in which country?",
        "{left} has more people than which of these?",
        "Which one has a smaller population than {left}?",
    ),
    Predicate.SAME_CONTINENT: (
        "Which of these countries is on the same continent as {left}?",
        "{left} shares its continent with which country?",
        "Which country is on the continent of {left}?",
        "Which one lies on the same continent as {left}?",
    ),
    Predicate.SAME_HEMISPHERE: (
        "Which of these cities is in the same hemisphere as {left}?",
        "Which city is on the same side of the equator as {left}?",
        "{left} shares its hemisphere with which city?",
        "Which one lies in the hemisphere of {left}?",
    ),
    Predicate.BORDER: (
        "Which of these countries borders {left}?",
        "Which country is a neighbour of {left}?",
        "{left} shares a land border with which country?",
        "From {left} one can walk straight into which country?",
    ),
    Predicate.NO_BORDER: (
        "Which of these countries does not border {left}?",
        "Which country is no neighbour of {left}?",
        "{left} shares no land border with which country?",
        "Which one has no border with {left}?",
    ),
}
"""Multiple-choice questions whose options are names for the right side of the claim."""

LEFT_OPEN = {
    Predicate.CONTINENT: (
        "Which of these countries is in {right}?",
        "Which country lies in {right}?",
        "Which one is a country in {right}?",
        "Which of these belongs to {right}?",
    ),
    Predicate.CAPITAL: (
        "{right} is the capital of which country?",
        "Which country has {right} as its capital?",
        "Which of these countries has the capital {right}?",
        "Whose capital is {right}?",
    ),
    Predicate.CAPITAL_CONTINENT: (
        "Which of these cities is the capital of a country in {right}?",
        "Which capital belongs to a country in {right}?",
        "Which one is a capital in {right}?",
        "Which city is the capital of some country in {right}?",
    ),
    Predicate.CURRENCY: (
        "Which of these countries uses the {right}?",
        "In which country do people pay with the {right}?",
        "The {right} is the currency of which country?",
        "Which country calls its money the {right}?",
    ),
    Predicate.LANGUAGE: (
        "In which of these countries is {right} the main language?",
        "Which country has {right} as its main language?",
        "{right} is the main language of which country?",
        "Where do people mainly speak {right}?",
    ),
    Predicate.HEMISPHERE: (
        "Which of these cities is in the {right}ern hemisphere?",
        "Which city lies {right} of the equator?",
        "Which one is {right} of the equator?",
        "Which of these is a city of the {right}ern hemisphere?",
    ),
    Predicate.MORE_AREA: (
        "Which of these countries is larger than {right}?",
        "Which country has more area than {right}?",
        "{right} is smaller than which of these?",
        "Which one is larger in area than {right}?",
    ),
    Predicate.MORE_PEOPLE: (
        "Which of these countries has more people than {right}?",
        "More people than in {right} live in which country?",
        "{right} has fewer people than which of these?",
        "Which one has a larger population than {right}?",
    ),
}
"""Multiple-choice questions whose options are names for the left side of the claim."""

MEMORIES = {
    predicate: tuple(f"{statement}." for statement in STATEMENTS[predicate])
    for predicate in (
        Predicate.CONTINENT,
        Predicate.CAPITAL,
        Predicate.CURRENCY,
        Predicate.LANGUAGE,
        Predicate.HEMISPHERE,
    )
} | {
    Predicate.AREA: (
        "{left} covers about {right} square kilometres.",
        "The area of {left} is about {right} square kilometres.",
        "{left} has about {right} square kilometres.",
    ),
    Predicate.POPULATION: (
        "{left} has about {right} people.",
        "About {right} people live in {left}.",
        "The population of {left} is about {right}.",
    ),
    Predicate.BORDER: (
        "{left} borders {right}.",
        "{left} shares a land border with {right}.",
        "{left} and {right} are neighbours.",
    ),
    Predicate.NO_BORDER: (
        "{left} does not border {right}.",
        "{left} shares no land border with {right}.",
        "{left} and {right} are not neighbours.",
    ),
}
"""The sentences of memory steps; each states one fact. The two values of a border fact are two predicates."""

REASONS = {
    Rule.DIFFER: (
        "{a} is not {b}, so {end}.",
        "{a} and {b} are not the same, so {end}.",
        "{a} differs from {b}, so {end}.",
    ),
    Rule.MATCH: (
        "{a} is what is stated, so {end}.",
        "{a} is the one named, so {end}.",
        "{a} agrees with the question, so {end}.",
    ),
    Rule.BOTH: (
        "Both lie in {a}, so {end}.",
        "They share {a}, so {end}.",
        "The two are both in {a}, so {end}.",
    ),
    Rule.COMPARE: (
        "{a} is more than {b}, so {end}.",
        "{b} is less than {a}, so {end}.",
        "{a} is greater than {b}, so {end}.",
    ),
    Rule.TOUCH: (
        "They share a border, so {end}.",
        "The two countries touch, so {end}.",
        "They are next to each other, so {end}.",
    ),
    Rule.APART: (
        "They share no border, so {end}.",
        "The two countries do not touch, so {end}.",
        "They are not next to each other, so {end}.",
    ),
    Rule.OPTION: (
        "{a} is option {answer}.",
        "{a} is choice {answer}.",
        "{a} stands at {answer}.",
    ),
}
"""The sentences of reason steps, by rule."""

ENDS = {
    "truth": ("the answer is {answer}", "the statement is {answer}", "it is {answer}"),
    "letter": ("the answer is {answer}", "option {answer} is right", "it is option {answer}"),
}
"""How a reason step ends, with its conclusion, for a True/False question and for a multiple-choice one."""
