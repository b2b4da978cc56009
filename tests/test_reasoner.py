"""From Python: `load(path).answer("…")`, for one question, for many, and as a stream."""

import warnings
from pathlib import Path

import pytest
from helpers.tiny import SOLUTIONS

import memreason
from memreason import Reasoner, load
from memreason.config.model import ModelConfig
from memreason.errors import UserError
from memreason.generation.decoding import Decoding
from memreason.models.build import build
from memreason.records import Question, Step, Trace


@pytest.fixture(scope="module")
def reasoner(bases: dict[str, Path], tmp_path_factory: pytest.TempPathFactory) -> Reasoner:
    folder = tmp_path_factory.mktemp("checkpoint")
    build(ModelConfig(model_name_or_path=str(bases["padded"]), dtype="float32"), 90).save(folder)
    return load(folder)


def test_one_question_gives_a_trace(reasoner: Reasoner) -> None:
    trace = reasoner.answer("Is Rome the capital of Italy?")
    assert isinstance(trace, Trace)
    assert trace == reasoner.unit.layout.parse(trace.question, trace.text, trace.truncated)


def test_a_batch_gives_the_traces_that_single_questions_give(reasoner: Reasoner) -> None:
    questions: list[str | Question] = [s.question.text for s in SOLUTIONS]
    batch = reasoner.answer(questions, batch_size=3)
    assert [trace.text for trace in batch] == [reasoner.answer(str(question)).text for question in questions]


def test_options_become_part_of_the_question(reasoner: Reasoner) -> None:
    plain = reasoner.answer("Which is a city?")
    choice = reasoner.answer("Which is a city?", options=["Japan", "Tokyo"])
    assert choice.question.options == ("Japan", "Tokyo")
    assert choice.text != plain.text
    assert reasoner.answer([choice.question])[0] == choice


def test_a_stream_adds_up_to_the_answer(reasoner: Reasoner) -> None:
    pieces = list(reasoner.stream("Is Rome old?"))
    assert "".join(pieces) == reasoner.answer("Is Rome old?").text and all(pieces)


def test_a_changed_step_stays_and_what_follows_is_written_anew(reasoner: Reasoner) -> None:
    trace = reasoner.answer("Is Rome old?")
    other = reasoner.intervene(trace, {0: Step("memory", "Rome is old.")})
    assert other.steps[0] == Step("memory", "Rome is old.") and other.ids
    again = reasoner.intervene(other, insert={1: [Step("reason", "So it is.")]})
    assert again.steps[:2] == (other.steps[0], Step("reason", "So it is."))
    with pytest.raises(UserError, match="give n=1"):
        reasoner.intervene(trace, {0: "Rome is old."}, decoding=Decoding(n=2))


def test_a_question_over_several_lines_is_asked_as_one(reasoner: Reasoner) -> None:
    assert reasoner.answer("Is Rome\n  old?").question.text == "Is Rome old?"


def test_what_the_package_does_not_have_is_an_attribute_error() -> None:
    with pytest.raises(AttributeError, match="no attribute 'nothing'"):
        memreason.nothing  # noqa: B018


LONG = "Is Rome old? " * 40


@pytest.mark.parametrize(
    ("question", "options", "message"),
    [
        ("", (), "the question is empty"),
        (" \n", (), "the question is empty"),
        (LONG, (), "the question has .* tokens, and 90 is the most"),
        ("Which?", "abc", "give a list of texts"),
        ("Which?", ["a", 2], "give a list of texts"),
        ("Which?", ["a", ""], "give a list of texts"),
        ("Which?", ["a"], "give 2 to 26"),
        (7, (), "int"),
        (["Is it?", ""], (), "question 1: the question is empty"),
        (["Is it?", LONG], (), "question 1 has .* tokens"),
        (["Is it?", 7], (), "question 1: a question is a text or a Question, and not int"),
        (None, (), "or a list of them, and not NoneType"),
        (["Is it?"], ["a", "b"], "options belong to one question"),
    ],
)
def test_what_cannot_be_asked_is_an_error_and_no_invented_answer(
    reasoner: Reasoner, question: object, options: object, message: str
) -> None:
    with pytest.raises((UserError, TypeError), match=message):
        reasoner.answer(question, options=options)  # type: ignore[call-overload]


def test_a_stream_refuses_the_same(reasoner: Reasoner) -> None:
    for question, options in (("", ()), (LONG, ()), ("Which?", "abc")):
        with pytest.raises(UserError):
            list(reasoner.stream(question, options))


def test_a_question_record_is_answered_alone(reasoner: Reasoner) -> None:
    assert reasoner.answer(Question("q", "Is Rome old?", "")).text == reasoner.answer("Is Rome old?").text


def test_a_question_record_brings_its_own_options_and_is_not_empty(reasoner: Reasoner) -> None:
    with pytest.raises(UserError, match="a Question has its own"):
        reasoner.answer(Question("q", "Is Rome old?", ""), ["Yes", "No"])
    with pytest.raises(UserError, match="the question is empty"):
        reasoner.answer(Question("q", " ", ""))


def test_what_stands_in_the_config_about_training_does_not_matter(bases: dict[str, Path], tmp_path: Path) -> None:
    build(ModelConfig(model_name_or_path=str(bases["padded"]), dtype="float32"), 90).save(tmp_path)
    (tmp_path / "config.yaml").write_text(
        "learning_rate: 1e-4\nuse_calculator: true\ngeneration_backend: a later one\n"
    )
    assert load(tmp_path).use_calculator


def test_loading_says_nothing(bases: dict[str, Path], tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    build(ModelConfig(model_name_or_path=str(bases["padded"]), dtype="float32"), 90).save(tmp_path)
    capfd.readouterr()
    with warnings.catch_warnings():
        warnings.simplefilter("error", FutureWarning)
        load(tmp_path)
    assert capfd.readouterr() == ("", "")
