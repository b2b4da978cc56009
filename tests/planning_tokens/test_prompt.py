"""Prompt templates: the text around a question, and the token that ends a solution."""

from pathlib import Path

import pytest
from helpers.tiny import SHAPES, SOLUTIONS
from transformers import AutoModelForCausalLM, AutoTokenizer, PreTrainedTokenizerBase

from memreason.config.ablations import AblationConfig
from memreason.config.model import ModelConfig
from memreason.errors import UserError
from memreason.generation.answer import generate
from memreason.generation.engine import Engine
from memreason.generation.request import Request
from memreason.generation.stream import stream
from memreason.models.build import build
from memreason.models.load import load
from memreason.models.token_embeddings import add_tokens
from memreason.planning_tokens.layout import IGNORE, PlanningTokens
from memreason.planning_tokens.prompt import ALPACA, CHAT, INSTRUCTION
from memreason.records import MEMORY, REASON

TEMPLATE = (
    "{% if messages[0].role != 'system' %}<|turn|>system\nBe helpful.<|over|>\n{% endif %}"
    "{% for message in messages %}<|turn|>{{ message.role }}\n{{ message.content }}<|over|>\n{% endfor %}"
    "{% if add_generation_prompt %}<|turn|>assistant\n{% endif %}"
)
QUESTION = "Question: Is Paris the capital of France?"


@pytest.fixture(params=SHAPES)
def base(request: pytest.FixtureRequest, bases: dict[str, Path], tmp_path: Path) -> Path:
    """A tiny chat model, whose turns end with another token than its texts."""
    folder = tmp_path / "chat"
    tokenizer = AutoTokenizer.from_pretrained(bases[request.param])
    model = AutoModelForCausalLM.from_pretrained(bases[request.param])
    tokenizer.add_special_tokens({"extra_special_tokens": ["<|turn|>", "<|over|>"]})
    tokenizer.chat_template = TEMPLATE
    if len(tokenizer) > model.get_input_embeddings().weight.shape[0]:
        model.resize_token_embeddings(len(tokenizer))
    model.save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    return folder


@pytest.fixture
def tokenizer(base: Path) -> PreTrainedTokenizerBase:
    tokenizer = AutoTokenizer.from_pretrained(base)
    add_tokens(tokenizer, PlanningTokens(1, 1, (MEMORY, REASON)))
    return tokenizer


def layout(template: str) -> PlanningTokens:
    return PlanningTokens(1, 1, (MEMORY, REASON), prompt_template=template)


def test_alpaca_puts_the_question_under_an_instruction(tokenizer: PreTrainedTokenizerBase) -> None:
    text = layout(ALPACA).prompt_text(SOLUTIONS[0].question)
    assert text.endswith(f"### Instruction:\n{INSTRUCTION}\n\n{QUESTION}\n\n### Response:\n")
    ids = layout(ALPACA).encode_prompt(tokenizer, SOLUTIONS[0].question)
    assert tokenizer.decode(ids).endswith(text + "<prefix_0>")


def test_a_chat_prompt_is_the_template_s_up_to_the_answer(tokenizer: PreTrainedTokenizerBase) -> None:
    ids = layout(CHAT).encode_prompt(tokenizer, SOLUTIONS[0].question)
    assert tokenizer.decode(ids) == (
        "<|turn|>system\nBe helpful.<|over|>\n"
        f"<|turn|>user\n{QUESTION}<|over|>\n<|turn|>assistant\n<prefix_0>"
    )  # fmt: skip


def test_a_chat_solution_ends_with_the_token_that_ends_a_turn(tokenizer: PreTrainedTokenizerBase) -> None:
    encoded = layout(CHAT).encode(tokenizer, SOLUTIONS[0])
    assert tokenizer.convert_ids_to_tokens(encoded.ids[-1]) == "<|over|>" != tokenizer.eos_token
    assert encoded.labels[: encoded.prompt_length] == [IGNORE] * encoded.prompt_length
    assert layout(ALPACA).encode(tokenizer, SOLUTIONS[0]).ids[-1] == tokenizer.eos_token_id


def test_a_template_that_ends_turns_with_words_falls_back_on_the_end_token(tokenizer: PreTrainedTokenizerBase) -> None:
    tokenizer.chat_template = "{% for message in messages %}{{ message.role }}: {{ message.content }}\n{% endfor %}"
    assert layout(CHAT).end_id(tokenizer) == tokenizer.eos_token_id


@pytest.mark.parametrize("template", ["plain", ALPACA, CHAT])
def test_solutions_parse_back_whatever_the_prompt(tokenizer: PreTrainedTokenizerBase, template: str) -> None:
    for solution in SOLUTIONS:
        encoded = layout(template).encode(tokenizer, solution)
        text = "<prefix_0>" + tokenizer.decode(encoded.ids[encoded.prompt_length : -1])
        trace = layout(template).parse(solution.question, text)
        assert trace.well_formed and trace.steps == solution.steps


@pytest.mark.parametrize("template", ["plain", ALPACA])
def test_demonstrations_stand_before_the_question_as_they_are_trained_on(
    tokenizer: PreTrainedTokenizerBase, template: str
) -> None:
    shape, shown = layout(template), SOLUTIONS[1:3]
    texts = [shape.prompt_text(s.question) + shape.solution_text(s.steps, s.question.answer) + "\n\n" for s in shown]
    prompt = shape.encode_prompt(tokenizer, SOLUTIONS[0].question, demonstrations=shown)
    text = "".join(texts) + shape.prompt_text(SOLUTIONS[0].question) + "<prefix_0>"
    assert tokenizer.decode(prompt, skip_special_tokens=True) == text


def test_in_a_chat_demonstrations_are_earlier_turns(tokenizer: PreTrainedTokenizerBase) -> None:
    shape, shown = layout(CHAT), SOLUTIONS[1]
    text = tokenizer.decode(shape.encode_prompt(tokenizer, SOLUTIONS[0].question, demonstrations=[shown]))
    assert f"<|turn|>assistant\n{shape.solution_text(shown.steps, 'False')}<|over|>\n<|turn|>user\n{QUESTION}" in text
    memory = tokenizer.convert_tokens_to_ids("<memory_0>")
    assert memory in shape.encode_prompt(tokenizer, SOLUTIONS[0].question, demonstrations=[shown])


def test_demonstrations_bear_no_loss(tokenizer: PreTrainedTokenizerBase) -> None:
    with_, without = (layout(ALPACA).encode(tokenizer, SOLUTIONS[0], shown) for shown in (SOLUTIONS[1:], ()))
    assert [i for i in with_.labels if i != IGNORE] == [i for i in without.labels if i != IGNORE]


def test_a_tokenizer_without_chat_template_is_refused(bases: dict[str, Path]) -> None:
    tokenizer = AutoTokenizer.from_pretrained(bases["tied"])
    with pytest.raises(UserError, match=r"--prompt_template chat: the tokenizer of .* has no chat template"):
        PlanningTokens(prompt_template=CHAT).encode_prompt(tokenizer, SOLUTIONS[0].question)
    with pytest.raises(UserError, match="has no chat template"):
        build(ModelConfig(model_name_or_path=str(bases["tied"])), 64, 0, AblationConfig(prompt_template=CHAT))


@pytest.mark.parametrize(
    "template",
    ["{{ messages.x.y }}", "{% for", "{{ raise_exception('no') }}", "{{ ''.__class__.__mro__ }}", "{{ 1/0 }}"],
)
def test_a_chat_template_that_cannot_be_used_is_named(base: Path, template: str) -> None:
    tokenizer = AutoTokenizer.from_pretrained(base)
    tokenizer.chat_template = template
    with pytest.raises(UserError, match=r"the chat template of .* cannot be used: .*; use another model"):
        PlanningTokens(prompt_template=CHAT).encode_prompt(tokenizer, SOLUTIONS[0].question)


def test_a_chat_model_stops_at_the_end_of_its_turn_and_a_checkpoint_remembers(base: Path, tmp_path: Path) -> None:
    unit = build(
        ModelConfig(model_name_or_path=str(base), dtype="float32"), 96, 0, AblationConfig(prompt_template=CHAT)
    )
    unit.save(tmp_path / "checkpoint")
    loaded = load(tmp_path / "checkpoint")
    assert loaded.layout.prompt_template == CHAT and loaded.end_id == unit.end_id
    assert unit.tokenizer.convert_ids_to_tokens(unit.end_id) == "<|over|>"
    for trace in generate(loaded, [s.question for s in SOLUTIONS]):
        assert "<|over|>" not in trace.text
        assert "".join(stream(Engine(loaded), Request(trace.question))) == trace.text
