"""Generation: greedy, the same for one question as for many, and honest about where it was cut."""

from pathlib import Path

import pytest
from tiny import SHAPES, SOLUTIONS

from memreason.config import ModelConfig
from memreason.errors import UserError
from memreason.generate import few_shot_text, generate, stream
from memreason.model import ModelUnit, build, load_base
from memreason.records import Question

QUESTIONS = [s.question for s in SOLUTIONS] + [Question("long", "Is Paris, the city of light, in Italy?", "False")]


@pytest.fixture(params=SHAPES)
def unit(request: pytest.FixtureRequest, bases: dict[str, Path]) -> ModelUnit:
    return build(ModelConfig(model_name_or_path=str(bases[request.param]), dtype="float32"), 80)


def test_a_batch_gives_what_single_questions_give_in_the_order_asked(unit: ModelUnit) -> None:
    together = generate(unit, QUESTIONS, batch_size=3)
    alone = [generate(unit, [question])[0] for question in QUESTIONS]
    assert [trace.question.id for trace in together] == [q.id for q in QUESTIONS]
    assert [trace.text for trace in together] == [trace.text for trace in alone]


def test_a_trace_begins_with_the_prefix_tokens_that_closed_the_prompt(unit: ModelUnit) -> None:
    for trace in generate(unit, QUESTIONS):
        assert trace.text.startswith("<prefix_0><prefix_1>")


def test_text_up_to_the_length_limit_without_end_token_is_truncated(unit: ModelUnit) -> None:
    for trace in generate(unit, QUESTIONS):  # an untrained model never ends by itself but by chance
        prompt = len(unit.layout.encode_prompt(unit.tokenizer, trace.question))
        written = len(unit.tokenizer.encode(trace.text, add_special_tokens=False)) - 2
        assert trace.truncated or prompt + written < 80
        if trace.truncated:
            assert not trace.well_formed


def test_a_prompt_that_leaves_no_room_is_an_error(unit: ModelUnit) -> None:
    with pytest.raises(UserError, match=r"question q: its prompt has \d+ tokens.*--model_max_length 80"):
        generate(unit, [Question("q", "Is Rome " + "very " * 100 + "old?", "True")])


def test_a_stream_is_the_same_text_in_pieces(unit: ModelUnit) -> None:
    pieces = list(stream(unit, QUESTIONS[0]))
    assert "".join(pieces) == generate(unit, QUESTIONS[:1])[0].text
    assert len(pieces) > 2


def test_few_shot_examples_end_with_their_answers_and_an_empty_line(bases: dict[str, Path]) -> None:
    unit = load_base(str(bases["tied"]), "float32", 80)
    text = few_shot_text(unit, SOLUTIONS[:2])
    assert text == (
        "Question: Is Paris the capital of France?\nThe capital of France is Paris.\nParis is Paris.\n"
        "The answer is: True\n\n"
        "Question: Is Lyon the capital of France?\nThe capital of France is Paris.\nLyon is not Paris.\n"
        "The answer is: False\n\n"
    )


def test_examples_in_the_prompt_do_not_count_towards_the_limit(bases: dict[str, Path]) -> None:
    unit = load_base(str(bases["tied"]), "float32", 60)
    shots = few_shot_text(unit, SOLUTIONS * 3)
    traces = generate(unit, QUESTIONS, shots=shots)
    assert len(traces) == len(QUESTIONS)
    assert all("Question" not in trace.text.split("\n")[0] for trace in traces)
