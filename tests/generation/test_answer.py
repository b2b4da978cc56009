"""Generation: greedy, the same for one question as for many, and honest about where it was cut."""

import json
import shutil
from pathlib import Path

import pytest
import torch
from helpers.tiny import SHAPES, SOLUTIONS

from memreason.config.model import ModelConfig
from memreason.errors import UserError
from memreason.generation.answer import generate
from memreason.generation.engine import Engine
from memreason.generation.few_shot import few_shot_text
from memreason.generation.options import GenerationOptions
from memreason.generation.request import Request
from memreason.generation.stream import stream
from memreason.models.build import build
from memreason.models.load import load_base
from memreason.models.unit import ModelUnit
from memreason.records import Question

QUESTIONS = [s.question for s in SOLUTIONS] + [Question("long", "Is Paris, the city of light, in Italy?", "False")]


@pytest.fixture(params=SHAPES)
def unit(request: pytest.FixtureRequest, bases: dict[str, Path]) -> ModelUnit:
    return build(ModelConfig(model_name_or_path=str(bases[request.param]), dtype="float32"), 80)


def test_a_batch_gives_what_single_questions_give_in_the_order_asked(unit: ModelUnit) -> None:
    together = generate(unit, QUESTIONS, GenerationOptions(batch_size=3))
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


def test_a_prompt_that_leaves_no_room_gives_an_empty_truncated_trace_and_a_warning(
    unit: ModelUnit, caplog: pytest.LogCaptureFixture
) -> None:
    full = Question("q", "Is Rome " + "very " * 100 + "old?", "True")
    before, empty, after = generate(unit, [QUESTIONS[0], full, QUESTIONS[1]])
    assert (empty.text, empty.steps, empty.answer, empty.truncated) == ("", (), None, True)
    assert [before.text, after.text] == [trace.text for trace in generate(unit, QUESTIONS[:2])]
    assert "question q is not answered" in caplog.text and "--model_max_length 80" in caplog.text


def test_a_stream_is_the_same_text_in_pieces(unit: ModelUnit) -> None:
    pieces = list(stream(Engine(unit), Request(QUESTIONS[0])))
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
    traces = generate(unit, QUESTIONS, GenerationOptions(shots=shots))
    assert len(traces) == len(QUESTIONS)
    assert all("Question" not in trace.text.split("\n")[0] for trace in traces)


@pytest.mark.parametrize("shape", SHAPES)
def test_reading_the_examples_once_changes_nothing(bases: dict[str, Path], shape: str) -> None:
    """Greedy answers, row by row, from the plain concatenation of examples and question."""
    unit = load_base(str(bases[shape]), "float32", 50)
    shots = few_shot_text(unit, SOLUTIONS[:2])
    for trace in generate(unit, QUESTIONS, GenerationOptions(shots=shots)):
        ids = unit.layout.encode_shots(unit.tokenizer, shots)
        ids += unit.layout.encode_prompt(unit.tokenizer, trace.question, first=False)
        start, room = len(ids), 50 - len(unit.layout.encode_prompt(unit.tokenizer, trace.question, first=False))
        for _ in range(room):
            best = int(unit.model(input_ids=torch.tensor([ids])).logits[0, -1].argmax())
            if best == unit.tokenizer.eos_token_id:
                break
            ids.append(best)
        assert unit.tokenizer.decode(ids[start:]).startswith(trace.text)
        assert trace.text or ids[start:] == []


def test_nothing_of_the_base_models_own_generation_settings_is_taken_over(
    bases: dict[str, Path], tmp_path: Path
) -> None:
    """Qwen2.5's instruct models penalise repetition; greedy decoding must not."""
    shutil.copytree(bases["padded"], tmp_path / "penalising")
    settings = json.loads((tmp_path / "penalising" / "generation_config.json").read_text())
    settings |= {"repetition_penalty": 5.0, "do_sample": True, "temperature": 2.0}
    (tmp_path / "penalising" / "generation_config.json").write_text(json.dumps(settings))
    plain, penalising = (load_base(str(path), "float32", 80) for path in (bases["padded"], tmp_path / "penalising"))
    assert [t.text for t in generate(plain, QUESTIONS)] == [t.text for t in generate(penalising, QUESTIONS)]


def test_a_stream_nobody_listens_to_any_more_leaves_the_model_as_it_was(unit: ModelUnit) -> None:
    state = {name: tensor.clone() for name, tensor in unit.model.state_dict().items()}
    expected = generate(unit, QUESTIONS[:1])[0].text
    abandoned = stream(Engine(unit), Request(QUESTIONS[0]))
    next(abandoned)
    assert generate(unit, QUESTIONS[:1])[0].text == expected  # waits for the stream's thread
    abandoned.close()
    assert all(torch.equal(tensor, state[name]) for name, tensor in unit.model.state_dict().items())


def test_a_question_too_long_to_stream_is_an_error(unit: ModelUnit) -> None:
    with pytest.raises(UserError, match="80 is the most this model takes"):
        list(stream(Engine(unit), Request(Question("q", "Is Rome " + "very " * 100 + "old?", "True"))))
