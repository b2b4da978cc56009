"""What a program renders and tokenizes at once is what training tokenized piece by piece."""

from dataclasses import replace
from pathlib import Path

import pytest
from helpers.tiny import SOLUTIONS, make_tokenizer
from jinja2.exceptions import TemplateError
from tokenizers import Tokenizer, models, normalizers, pre_tokenizers, processors, trainers
from transformers import AutoTokenizer, PreTrainedTokenizerBase, PreTrainedTokenizerFast

from memreason.errors import UserError
from memreason.export.chat_template import with_chat_template
from memreason.export.questions import questions_of
from memreason.models.token_embeddings import add_tokens
from memreason.planning_tokens.layout import PlanningTokens
from memreason.planning_tokens.prompt import CHAT, PROMPT_TEMPLATES, message_text
from memreason.records import Question

LAYOUT = PlanningTokens(1, 2, ("memory", "reason"))
OURS = list(questions_of(Path("there is no such folder")))
ODD = [
    Question(str(number), text, "", options)
    for number, (text, options) in enumerate([
        ("a", ()), ("quotes \" ' and \\n and \\", ()), ("{{ 1 }}{% if %}{# no #}", ()), ("ends with <", ()),
        ("<|end|> in <|begin|> it", ()), ("tab\tand\nline\n\n breaks", ("x\ny", "z")), ("prefix_0> <prefix_", ()),
        ("\u200bñ 漢字 \U0001f600 \u2028 e\u0301", ("é", "A")), ("a" * 300, ()), ("Question: a\nOptions: A. b", ()),
    ])
]  # fmt: skip
BASE = (
    "{% for message in messages %}{% if loop.first and message.role != 'system' %}<|begin|>system\nBe kind.<|end|>\n"
    "{% endif %}<|begin|>{{ message.role }}\n{{ message.content }}<|end|>\n{% endfor %}\n"
    "{% if add_generation_prompt %}<|begin|>assistant\n{% endif %}\n"
)


def prepared(layout: PlanningTokens, bos: bool = False) -> PreTrainedTokenizerBase:
    tokenizer = make_tokenizer(bos)
    tokenizer.chat_template = BASE if layout.prompt_template == CHAT else None
    add_tokens(tokenizer, layout)
    return tokenizer


def metaspace(scheme: str | None) -> PreTrainedTokenizerBase:
    """A tokenizer in SentencePiece's manner; a space goes before the first piece, or (None) before every piece."""
    tokenizer = Tokenizer(models.BPE(unk_token="<unk>", byte_fallback=True))
    if scheme:
        tokenizer.pre_tokenizer = pre_tokenizers.Metaspace(prepend_scheme=scheme)
    else:
        tokenizer.normalizer = normalizers.Sequence([normalizers.Prepend("▁"), normalizers.Replace(" ", "▁")])
    bytes_ = [f"<0x{value:02X}>" for value in range(256)]
    texts = [f"Question: {s.question.text}\n" for s in SOLUTIONS]
    trainer = trainers.BpeTrainer(vocab_size=600, special_tokens=["<unk>", "<s>", "</s>", *bytes_], show_progress=False)
    tokenizer.train_from_iterator(texts, trainer)
    tokenizer.post_processor = processors.TemplateProcessing(single="<s> $A", special_tokens=[("<s>", 1)])
    return PreTrainedTokenizerFast(tokenizer_object=tokenizer, bos_token="<s>", eos_token="</s>", pad_token="<unk>")


def rendered(tokenizer: PreTrainedTokenizerBase, *messages: tuple[str, str], **options: object) -> str:
    chat = [{"role": role, "content": content} for role, content in messages]
    return tokenizer.apply_chat_template(chat, tokenize=False, **{"add_generation_prompt": True, **options})


@pytest.mark.parametrize("prompt_template", PROMPT_TEMPLATES)
@pytest.mark.parametrize("tokens", [0, 1, 3])
@pytest.mark.parametrize("bos", [False, True])
def test_the_ids_are_those_of_training(prompt_template: str, tokens: int, bos: bool, tmp_path: Path) -> None:
    layout = PlanningTokens(tokens, tokens, ("memory", "reason"), prompt_template=prompt_template)
    tokenizer = prepared(layout, bos)
    expected = [layout.encode_prompt(tokenizer, question) for question in OURS + ODD]
    assert with_chat_template(tokenizer, layout, OURS + ODD) == []
    tokenizer.save_pretrained(tmp_path)
    tokenizer = AutoTokenizer.from_pretrained(tmp_path)
    for question, ids in zip(OURS + ODD, expected, strict=True):
        chat = [{"role": "user", "content": message_text(question)}]
        assert tokenizer.apply_chat_template(chat, add_generation_prompt=True, return_dict=False) == ids
        # memreason itself still sees the base model's own template below it.
        assert layout.encode_prompt(tokenizer, question) == ids
    assert layout.end_id(tokenizer) == tokenizer.eos_token_id


@pytest.mark.parametrize("scheme", ["first", "always", None])
def test_a_tokenizer_that_puts_spaces_before_texts_gets_them_where_training_did(scheme: str | None) -> None:
    tokenizer = metaspace(scheme)
    add_tokens(tokenizer, LAYOUT)
    assert with_chat_template(tokenizer, LAYOUT, OURS) == []


def test_white_space_around_a_message_is_taken_away_and_said_to_differ() -> None:
    tokenizer = prepared(LAYOUT)
    padded = Question("padded", " Is it? ", "")
    assert with_chat_template(tokenizer, LAYOUT, [OURS[0], padded]) == [padded]
    assert rendered(tokenizer, ("user", "\n Is it?\n")) == rendered(tokenizer, ("user", "Is it?"))
    with pytest.raises(UserError, match="no chat template can put a question as training did"):
        with_chat_template(tokenizer, LAYOUT, [padded])


def test_earlier_questions_and_answers_become_solved_examples() -> None:
    tokenizer = prepared(LAYOUT)
    with_chat_template(tokenizer, LAYOUT, OURS)
    solution = SOLUTIONS[0]
    answer = LAYOUT.solution_text(solution.steps, solution.question.answer)
    for given in (answer, answer.removeprefix("<prefix_0>")):  # as written, and as a program returns it
        text = rendered(tokenizer, ("user", solution.question.text), ("assistant", given), ("user", "Is it?"))
        assert text == f"Question: {solution.question.text}\n{answer}\n\nQuestion: Is it?\n<prefix_0>"
    whole = rendered(tokenizer, ("user", "Is it?"), ("assistant", answer), add_generation_prompt=False)
    assert whole == f"Question: Is it?\n{answer}<|end|>"


def test_a_base_template_keeps_its_turns_and_its_system_message() -> None:
    layout = replace(LAYOUT, prompt_template=CHAT)
    tokenizer = prepared(layout)
    demonstrated = layout.encode_prompt(tokenizer, OURS[0], demonstrations=SOLUTIONS[:2])
    with_chat_template(tokenizer, layout, OURS)
    turns = [
        turn
        for s in SOLUTIONS[:2]
        for turn in (("user", s.question.text), ("assistant", layout.solution_text(s.steps, s.question.answer)))
    ]
    text = rendered(tokenizer, *turns, ("user", message_text(OURS[0])))
    assert tokenizer.encode(text, add_special_tokens=False) == demonstrated
    assert "Be kind" in text
    assert "Be kind" not in rendered(tokenizer, ("system", "Be brief."), ("user", "Is it?"))


@pytest.mark.parametrize(
    ("messages", "why"),
    [
        ([("system", "Be brief."), ("user", "Is it?")], "without a system message"),
        ([("user", "Is it?"), ("user", "Or not?")], "in turn"),
        ([("assistant", "Yes.")], "in turn"),
        ([("user", [{"type": "text", "text": "Is it?"}])], "must be a text"),
        ([("user", "Is <memory_0> one?")], "a planning token of the model"),
    ],
)
def test_what_training_never_saw_is_a_clear_error(messages: list, why: str) -> None:
    tokenizer = prepared(LAYOUT)
    with_chat_template(tokenizer, LAYOUT, OURS)
    with pytest.raises(TemplateError, match=why):
        rendered(tokenizer, *messages)
