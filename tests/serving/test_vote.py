"""The most frequent answer, read as evaluation reads it."""

from memreason.records import Question, Trace
from memreason.serving.vote import vote


def traces(*answers: str | None, options: tuple[str, ...] = ()) -> list[Trace]:
    question = Question("q", "?", "", options)
    return [Trace(question, "", (), answer, True, False) for answer in answers]


def test_answers_are_counted_as_they_are_read_and_not_as_they_are_written() -> None:
    outcome = vote(traces("No", "true.", None, "Yes", "maybe"), "boolean")
    assert (outcome.answer, outcome.first) == ("True", 1)
    assert outcome.to_json() == {"answer": "True", "counts": {"True": 2, "False": 1}, "no_answer": 2}


def test_of_equally_many_the_first_wins() -> None:
    assert vote(traces("B", "A", "A", "B", options=("x", "y")), "choice").answer == "B"


def test_formulas_are_compared_as_evaluation_compares_them() -> None:
    assert vote(traces("1/2", "\\frac{1}{2}", "2"), "math").counts == (("1/2", 2), ("2", 1))


def test_texts_keep_the_wording_of_the_first() -> None:
    assert vote(traces("The Nile.", "the nile", "Amazon"), "text").counts == (("The Nile.", 2), ("Amazon", 1))


def test_no_answer_at_all() -> None:
    assert vote(traces(None, None), "number").to_json() == {"answer": None, "counts": {}, "no_answer": 2}
