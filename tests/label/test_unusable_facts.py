"""What says nothing is known for it, in whatever words; what only holds such words passes."""

import pytest

from memreason.label.unusable_facts import what_it_lacks

REFUSED = [
    "I'm sorry, but I can't help with that request.", "I cannot help.", "I can't assist you with this.", "Sorry.",
    "I am sorry, but I cannot comply.", "I won't discuss that.", "I must decline.", "I'm unable to assist with this.",
    "As an AI, I cannot engage in this.", "Unfortunately, I cannot fulfill this request.", "对不起，我不能回答。",
]  # fmt: skip
UNKNOWN = [
    "I do not have any information on Ruritania.", "Not available", "not available.", "No information available.",
    "I'm not sure.", "As an AI language model, I don't have access to live data.", "Insufficient information.", "?",
    "-", "N/A", "n/a", "NA", "Unknown.", "**Unknown**", "None", "null", "I don't know", "I don’t know who that is.",
    "Sorry, I don't know.", "Sorry, but that is not known.", "No data available", "Information unavailable",
    "There is no reliable information available about Ruritania.", "The requested information could not be found.",
    "It is not known.", "Cannot be determined from the query.", "Unable to determine.", "I have no data on that.",
    "I am not aware of any such person.", "I lack the knowledge to say.", "Unknown (no such person)",
    "Unknown - there is no such film.", "N/A: there is no such film.", "I'm afraid I have no idea.",
    "My knowledge cutoff is in 2021.", "I would need more context.", "I'm just an AI.", "Not sure", "No records found.",
    "There is not enough information to say.", "I can't recall.", "I am uncertain about this.", "No idea.", "不知道",
    "Je ne sais pas.", "Not applicable", "I was unable to find that.", "I currently have no access to the news.",
]  # fmt: skip
PLACEHOLDERS = [
    "the query", "The conclusion.", "the fact for query 1", "The fact for query 12", "...", "…", "<query>",
    "[conclusion]", "{fact}", "Query if [rag], else empty/omitted", "the given answer", "[your query here]", "query 1",
    "Step 2", "string", "text", "the query that would fetch it", "Insert fact here", "placeholder", "“the query”",
    "<name of the city>", "The first fact",
]  # fmt: skip
FACTS = [
    "The unknown soldier is buried in Paris.", "Unknown Pleasures is an album by Joy Division.", "7", "π", "Na",
    "Unknown, a 2011 film, stars Liam Neeson.", "None of the planets is flat.", "Sorry is a song by Justin Bieber.",
    "Sorry, Wrong Number is a 1948 film.", "Sorry! is a board game.", '"Sorry" is a song.', "No.", "True.",
    "I Don't Know How to Love Him is a song.", '"I don\'t know" is what he said.', "I'm Sorry is a song by Brenda Lee.",
    "No information can travel faster than light.", "It is not known whether P equals NP.",
    "It is unknown who built Stonehenge.", "There is no evidence that vaccines cause autism.", "Not all birds fly.",
    "I is the Roman numeral for one.", "I, Robot is a 2004 film.", "I Am Legend is a novel.", "An AI cannot vote.",
    "As an AI research lab, OpenAI was founded in 2015.", "Na is the symbol for sodium.", "In 1969 no one knew that.",
    "A query is a question.", "The fact is that Paris is large.", "The first step of mitosis is prophase.",
    "Not known for its beaches, Kansas lies inland.", "The exact date of his birth is unknown.",
    "Available light is used in photography.", "Hamlet says that he does not know.", "Paris.",
    "Conclusions follow from premises.",
    "Help! is an album by the Beatles.", "What is a query?", "x < 5 and y > 3", "<b> is a tag of HTML.",
]  # fmt: skip


@pytest.mark.parametrize(
    ("text", "lacks"),
    [*((text, "refused") for text in REFUSED), *((text, "unknown_fact") for text in UNKNOWN),
     *((text, "placeholder") for text in PLACEHOLDERS), *((text, None) for text in FACTS)],
)  # fmt: skip
def test_what_a_text_lacks(text: str, lacks: str | None) -> None:
    assert what_it_lacks(text) == lacks


@pytest.mark.parametrize(
    "text",
    ["We do not have that data.", "Nothing is known about it.", "(unknown)", "Error: quota", "Please provide details.",
     "The passage doesn't mention this.", "The search found no results.", "That is beyond my expertise.", "n.a.",
     "The query cannot be answered.", "There's no information about that.", "This prompt violates the rules."],
)  # fmt: skip
def test_more_words_for_no_fact(text: str) -> None:
    assert what_it_lacks(text) in ("unknown_fact", "refused")


@pytest.mark.parametrize(
    "text",
    ["The text of the law does not mention dogs.", "Errors are human.", "Searching is slow.", "[1, 2] is an interval.",
     "Nothing is known of Homer's birth.", "The document does not give women the vote."],
)  # fmt: skip
def test_facts_that_hold_such_words(text: str) -> None:
    assert what_it_lacks(text) is None
