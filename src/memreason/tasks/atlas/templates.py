"""All sentences of the dataset, as templates; `wording` writes them and reads them back.

Questions and memories have the slots {left} and {right} (for a memory: subject and value), reasons
{a} and {b} (the values compared) and {answer} (true, false, or a letter).
"""

STATEMENTS = {
    "continent": (
        "{left} is in {right}",
        "{left} lies in {right}",
        "{left} is a country in {right}",
        "{left} belongs to {right}",
    ),
    "same_continent": (
        "{left} and {right} are on the same continent",
        "{left} is on the same continent as {right}",
        "{left} and {right} belong to one continent",
        "{left} shares its continent with {right}",
    ),
    "capital": (
        "{right} is the capital of {left}",
        "the capital of {left} is {right}",
        "{left} has {right} as its capital",
        "{right} is the capital city of {left}",
    ),
    "capital_continent": (
        "{left} is the capital of a country in {right}",
        "the country whose capital is {left} is in {right}",
        "{left} is a capital in {right}",
        "the country with the capital {left} lies in {right}",
    ),
    "border": (
        "{left} borders {right}",
        "{left} shares a land border with {right}",
        "{left} and {right} are neighbours",
        "one can walk across the border from {left} to {right}",
    ),
    "more_area": (
        "{left} is larger than {right}",
        "{right} is smaller than {left}",
        "{left} has more area than {right}",
        "{right} has less area than {left}",
    ),
    "more_people": (
        "{left} has more people than {right}",
        "{right} has fewer people than {left}",
        "more people live in {left} than in {right}",
        "fewer people live in {right} than in {left}",
    ),
    "currency": (
        "the currency of {left} is the {right}",
        "{left} uses the {right}",
        "people in {left} pay with the {right}",
        "the money of {left} is called the {right}",
    ),
    "language": (
        "the main language of {left} is {right}",
        "{right} is the main language of {left}",
        "people in {left} mainly speak {right}",
        "{left} has {right} as its main language",
    ),
    "hemisphere": (
        "{left} is in the {right}ern hemisphere",
        "{left} lies {right} of the equator",
        "{left} is a city {right} of the equator",
        "{left} belongs to the {right}ern hemisphere",
    ),
    "same_hemisphere": (
        "{left} and {right} are in the same hemisphere",
        "{left} is on the same side of the equator as {right}",
        "{left} and {right} lie on one side of the equator",
        "{left} shares its hemisphere with {right}",
    ),
}
"""What a True/False question states. `{right}ern` writes "northern" for "north"."""

TRUE_FALSE = (
    "True or false: {statement}.",
    "{statement}. True or false?",
    "Is it true that {statement}?",
    "{statement}. Is this true?",
)
"""How a True/False question puts its statement."""

RIGHT_OPEN = {
    "continent": (
        "On which continent is {left}?",
        "Which continent does {left} belong to?",
        "{left} lies on which continent?",
        "What continent is {left} in?",
    ),
    "capital": (
        "What is the capital of {left}?",
        "Which city is the capital of {left}?",
        "{left} has which capital?",
        "Name the capital of {left}.",
    ),
    "capital_continent": (
        "{left} is the capital of a country on which continent?",
        "On which continent is the country whose capital is {left}?",
        "The country with the capital {left} is on which continent?",
        "Which continent has {left} as a capital?",
    ),
    "currency": (
        "What is the currency of {left}?",
        "What do people in {left} pay with?",
        "Which currency does {left} use?",
        "The money of {left} is called what?",
    ),
    "language": (
        "What is the main language of {left}?",
        "Which language do most people in {left} speak?",
        "What is mainly spoken in {left}?",
        "Which of these is the main language in {left}?",
    ),
    "area": (
        "About how large is {left} in square kilometres?",
        "What is the area of {left} in square kilometres?",
        "About how many square kilometres does {left} cover?",
        "{left} covers about how many square kilometres?",
    ),
    "population": (
        "About how many people live in {left}?",
        "What is the population of {left}?",
        "{left} has about how many people?",
        "How many people are there in {left}?",
    ),
    "more_area": (
        "Which of these countries is smaller than {left}?",
        "Which country has less area than {left}?",
        "{left} is larger than which of these?",
        "Which one is smaller in area than {left}?",
    ),
    "more_people": (
        "Which of these countries has fewer people than {left}?",
        "Fewer people than in {left} live in which country?",
        "{left} has more people than which of these?",
        "Which one has a smaller population than {left}?",
    ),
    "same_continent": (
        "Which of these countries is on the same continent as {left}?",
        "{left} shares its continent with which country?",
        "Which country is on the continent of {left}?",
        "Which one lies on the same continent as {left}?",
    ),
    "same_hemisphere": (
        "Which of these cities is in the same hemisphere as {left}?",
        "Which city is on the same side of the equator as {left}?",
        "{left} shares its hemisphere with which city?",
        "Which one lies in the hemisphere of {left}?",
    ),
    "border": (
        "Which of these countries borders {left}?",
        "Which country is a neighbour of {left}?",
        "{left} shares a land border with which country?",
        "From {left} one can walk straight into which country?",
    ),
    "no_border": (
        "Which of these countries does not border {left}?",
        "Which country is no neighbour of {left}?",
        "{left} shares no land border with which country?",
        "Which one has no border with {left}?",
    ),
}
"""Multiple-choice questions whose options fill the right side of the claim."""

LEFT_OPEN = {
    "continent": (
        "Which of these countries is in {right}?",
        "Which country lies in {right}?",
        "Which one is a country in {right}?",
        "Which of these belongs to {right}?",
    ),
    "capital": (
        "{right} is the capital of which country?",
        "Which country has {right} as its capital?",
        "Which of these countries has the capital {right}?",
        "Whose capital is {right}?",
    ),
    "capital_continent": (
        "Which of these cities is the capital of a country in {right}?",
        "Which capital belongs to a country in {right}?",
        "Which one is a capital in {right}?",
        "Which city is the capital of some country in {right}?",
    ),
    "currency": (
        "Which of these countries uses the {right}?",
        "In which country do people pay with the {right}?",
        "The {right} is the currency of which country?",
        "Which country calls its money the {right}?",
    ),
    "language": (
        "In which of these countries is {right} the main language?",
        "Which country has {right} as its main language?",
        "{right} is the main language of which country?",
        "Where do people mainly speak {right}?",
    ),
    "hemisphere": (
        "Which of these cities is in the {right}ern hemisphere?",
        "Which city lies {right} of the equator?",
        "Which one is {right} of the equator?",
        "Which of these is a city of the {right}ern hemisphere?",
    ),
    "more_area": (
        "Which of these countries is larger than {right}?",
        "Which country has more area than {right}?",
        "{right} is smaller than which of these?",
        "Which one is larger in area than {right}?",
    ),
    "more_people": (
        "Which of these countries has more people than {right}?",
        "More people than in {right} live in which country?",
        "{right} has fewer people than which of these?",
        "Which one has a larger population than {right}?",
    ),
}
"""Multiple-choice questions whose options fill the left side of the claim."""

MEMORIES = {
    relation: tuple(f"{statement}." for statement in STATEMENTS[relation])
    for relation in ("continent", "capital", "currency", "language", "hemisphere")
} | {
    "area": (
        "{left} covers about {right} square kilometres.",
        "The area of {left} is about {right} square kilometres.",
        "{left} has about {right} square kilometres.",
    ),
    "population": (
        "{left} has about {right} people.",
        "About {right} people live in {left}.",
        "The population of {left} is about {right}.",
    ),
    "border yes": (
        "{left} borders {right}.",
        "{left} shares a land border with {right}.",
        "{left} and {right} are neighbours.",
    ),
    "border no": (
        "{left} does not border {right}.",
        "{left} shares no land border with {right}.",
        "{left} and {right} are not neighbours.",
    ),
}
"""What a memory step states: one fact of the table."""

REASONS = {
    "differ": (
        "{a} is not {b}, so {end}.",
        "{a} and {b} are not the same, so {end}.",
        "{a} differs from {b}, so {end}.",
    ),
    "match": (
        "{a} is what is stated, so {end}.",
        "{a} is the one named, so {end}.",
        "{a} agrees with the question, so {end}.",
    ),
    "both": (
        "Both lie in {a}, so {end}.",
        "They share {a}, so {end}.",
        "The two are both in {a}, so {end}.",
    ),
    "compare": (
        "{a} is more than {b}, so {end}.",
        "{b} is less than {a}, so {end}.",
        "{a} is greater than {b}, so {end}.",
    ),
    "border yes": (
        "They share a border, so {end}.",
        "The two countries touch, so {end}.",
        "They are next to each other, so {end}.",
    ),
    "border no": (
        "They share no border, so {end}.",
        "The two countries do not touch, so {end}.",
        "They are not next to each other, so {end}.",
    ),
    "option": (
        "{a} is option {answer}.",
        "{a} is choice {answer}.",
        "{a} stands at {answer}.",
    ),
}
"""What a reason step says, by rule."""

ENDS = {
    "truth": ("the answer is {answer}", "the statement is {answer}", "it is {answer}"),
    "letter": ("the answer is {answer}", "option {answer} is right", "it is option {answer}"),
}
"""How a reason step ends in its conclusion: a True/False question's, and a multiple-choice one's."""
