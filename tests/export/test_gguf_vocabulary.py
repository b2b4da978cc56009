"""Tokenizers of transformers as vocabularies of llama.cpp."""

import json
from pathlib import Path

import pytest
from gguf import GGUFWriter, TokenType
from helpers.tiny import SOLUTIONS, make_tokenizer
from tokenizers import AddedToken, Regex, Tokenizer, decoders, models, normalizers, pre_tokenizers, trainers
from tokenizers.processors import TemplateProcessing
from transformers import PreTrainedTokenizerFast
from transformers.models.qwen2.tokenization_qwen2 import PRETOKENIZE_REGEX as QWEN2

from memreason.errors import UserError
from memreason.export.chat_template import with_chat_template
from memreason.export.gguf_verify import TEXTS
from memreason.export.gguf_vocabulary import Vocabulary, vocabulary
from memreason.planning_tokens.layout import PlanningTokens

PLANNING = ["<memory_0>", "<reason_0>"]
PROMPT = "Question: Is Lyon the capital of France?\n<memory_0>"
LLAMA3 = QWEN2.replace(r"|\p{N}|", r"|\p{N}{1,3}|")


def split(pattern: str) -> pre_tokenizers.PreTokenizer:
    cut = pre_tokenizers.Split(Regex(pattern), "isolated")
    return pre_tokenizers.Sequence([cut, pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False)])


def byte_level(cut: pre_tokenizers.PreTokenizer | None = None, ignore_merges: bool = False) -> PreTrainedTokenizerFast:
    """A byte-level tokenizer that cuts texts as ``cut`` does, with planning tokens."""
    tokenizer = make_tokenizer(bos=False)
    parts = json.loads(tokenizer.backend_tokenizer.to_str())
    parts["model"]["ignore_merges"] = ignore_merges
    tokenizer = PreTrainedTokenizerFast(
        tokenizer_object=Tokenizer.from_str(json.dumps(parts)), eos_token="<|end|>", pad_token="<|pad|>"
    )
    if cut:
        tokenizer.backend_tokenizer.pre_tokenizer = cut
    return with_planning_tokens(tokenizer)


def sentencepiece(whole: bool = True) -> PreTrainedTokenizerFast:
    """A tokenizer like Llama 2's; with ``whole``, each token has all its merges, as those from sentencepiece have."""
    tokenizer = Tokenizer(models.BPE(unk_token="<unk>", byte_fallback=True, fuse_unk=True))
    tokenizer.normalizer = normalizers.Sequence([normalizers.Prepend("▁"), normalizers.Replace(" ", "▁")])
    tokenizer.decoder = decoders.Sequence([decoders.Replace("▁", " "), decoders.ByteFallback(), decoders.Fuse()])
    special = ["<unk>", "<s>", "</s>", *(f"<0x{byte:02X}>" for byte in range(256))]
    texts = [f"{s.question.text} {step.text}" for s in SOLUTIONS for step in s.steps]
    trainer = trainers.BpeTrainer(vocab_size=420, special_tokens=special, show_progress=False, max_token_length=12)
    tokenizer.train_from_iterator(texts, trainer)
    parts = json.loads(tokenizer.to_str())
    vocab = parts["model"]["vocab"]
    if whole:
        pieces = list(dict.fromkeys("".join(merge) for merge in parts["model"]["merges"]))
        parts["model"]["merges"] = [
            [piece[:at], piece[at:]] for piece in pieces for at in range(1, len(piece))
            if piece[:at] in vocab and piece[at:] in vocab
        ]  # fmt: skip
    parts["added_tokens"] = [token for token in parts["added_tokens"] if not token["content"].startswith("<0x")]
    tokenizer = PreTrainedTokenizerFast(
        tokenizer_object=Tokenizer.from_str(json.dumps(parts)), unk_token="<unk>", bos_token="<s>", eos_token="</s>"
    )
    return with_planning_tokens(tokenizer)


def with_planning_tokens(tokenizer: PreTrainedTokenizerFast) -> PreTrainedTokenizerFast:
    tokenizer.add_tokens([AddedToken(name, normalized=False, special=False) for name in PLANNING])
    return tokenizer


def written(tokenizer: PreTrainedTokenizerFast, unused: int = 0):
    """Its vocabulary, for a model with so many rows more than it has tokens."""
    planning = set(tokenizer.convert_tokens_to_ids(PLANNING))
    return vocabulary(tokenizer, len(tokenizer) + unused, planning, tokenizer.eos_token_id, False, "runs/x")


def vocabulary_file(ours: Vocabulary, folder: Path) -> Path:
    writer = GGUFWriter(folder / "vocabulary.gguf", "llama")
    ours.write(writer)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.close()
    return folder / "vocabulary.gguf"


def test_planning_tokens_are_printed_special_ones_are_not_and_rows_without_a_token_are_unused():
    tokenizer = byte_level()
    ours = written(tokenizer, unused=3)
    types = dict(zip(ours.tokens, ours.types, strict=True))
    assert [types[name] for name in PLANNING] == [TokenType.USER_DEFINED] * 2
    assert [ours.tokens[id] for id in tokenizer.convert_tokens_to_ids(PLANNING)] == PLANNING
    assert types["<|end|>"] == TokenType.CONTROL and types["Ġcapital"] == TokenType.NORMAL
    assert ours.types[-3:] == [TokenType.UNUSED] * 3 and len(set(ours.tokens)) == len(tokenizer) + 3
    assert ours.special == {"eos": tokenizer.eos_token_id, "pad": tokenizer.pad_token_id}
    assert not ours.opens and written(with_planning_tokens(make_tokenizer(bos=True))).opens


BYTE_LEVEL = pre_tokenizers.ByteLevel(add_prefix_space=False)
KINDS = {
    "gpt-2": lambda: byte_level(BYTE_LEVEL),
    "smollm": lambda: byte_level(pre_tokenizers.Sequence([pre_tokenizers.Digits(individual_digits=True), BYTE_LEVEL])),
    "qwen2": lambda: byte_level(split(QWEN2)),
    "llama-bpe": lambda: byte_level(split(LLAMA3), ignore_merges=True),
    "smaug-bpe": lambda: byte_level(split(LLAMA3)),
    "default": sentencepiece,
}


@pytest.mark.parametrize("pre", KINDS)
def test_how_texts_are_cut_is_chosen_by_what_the_tokenizer_does(pre: str):
    ours = written(KINDS[pre]())
    assert (ours.model, ours.pre) == ("llama" if pre == "default" else "gpt2", pre)
    assert bool(ours.merges) != bool(ours.scores)


def test_scores_give_the_order_of_the_merges():
    tokenizer = sentencepiece()
    ours = written(tokenizer)
    merges = json.loads(tokenizer.backend_tokenizer.to_str())["model"]["merges"]
    scores = dict(zip(ours.tokens, ours.scores, strict=True))
    in_order = [scores["".join(merge)] for merge in merges]
    assert in_order == sorted(in_order, reverse=True) and len(set(in_order)) > 50
    assert ours.types[ours.tokens.index("<0x0A>")] == TokenType.BYTE
    assert ours.space_first and "space before" in ours.notes[0]


@pytest.mark.parametrize("pre", KINDS)
def test_llama_cpp_gives_the_same_ids(pre: str, tmp_path: Path):
    llama_cpp = pytest.importorskip("llama_cpp", reason="llama-cpp-python is not installed")
    tokenizer = KINDS[pre]()
    model = llama_cpp.Llama(str(vocabulary_file(written(tokenizer), tmp_path)), vocab_only=True, verbose=False)
    for text in (*TEXTS, PROMPT):
        ids = model.tokenize(text.encode(), add_bos=False, special=True)
        assert ids == tokenizer.encode(text, add_special_tokens=False), text


def test_the_space_after_the_begin_token_is_llama_cpps_own(tmp_path: Path):
    """Llama 2 in transformers: only the first text gets a space, so a chat template writes it; llama.cpp adds one."""
    llama_cpp = pytest.importorskip("llama_cpp", reason="llama-cpp-python is not installed")
    tokenizer, layout = sentencepiece(), PlanningTokens()
    tokenizer.backend_tokenizer.normalizer = None
    tokenizer.backend_tokenizer.pre_tokenizer = pre_tokenizers.Metaspace(prepend_scheme="first", split=False)
    begin = ("<s>", tokenizer.bos_token_id)
    tokenizer.backend_tokenizer.post_processor = TemplateProcessing(single="<s> $A", special_tokens=[begin])
    question = SOLUTIONS[0].question
    assert with_chat_template(tokenizer, layout, [question]) == []
    ours = written(tokenizer)
    assert ours.opens and ours.space_first
    model = llama_cpp.Llama(str(vocabulary_file(ours, tmp_path)), vocab_only=True, verbose=False)
    for template, equal in ((ours.chat_template, True), (tokenizer.chat_template, False)):
        messages = [{"role": "user", "content": question.text}]
        text = tokenizer.apply_chat_template(messages, chat_template=template, tokenize=False)
        ids = model.tokenize(text.encode(), add_bos=False, special=True)
        assert (ids == layout.encode_prompt(tokenizer, question)) == equal


@pytest.mark.parametrize(
    ("tokenizer", "why"),
    [
        (byte_level(split(r"\w+|\W+")), r"it cuts texts by \\w\+"),
        (byte_level(pre_tokenizers.ByteLevel(add_prefix_space=True)), "add_prefix_space"),
        (sentencepiece(whole=False), "it does not merge"),
        (
            with_planning_tokens(
                PreTrainedTokenizerFast(tokenizer_object=Tokenizer(models.Unigram([("a", 0.0)])), eos_token="</s>")
            ),
            "its model is Unigram",
        ),
    ],
)
def test_a_tokenizer_that_llama_cpp_lacks_is_refused(tokenizer, why):
    with pytest.raises(UserError, match=rf"runs/x: llama.cpp has no tokenizer.*{why}.*convert_hf_to_gguf.py"):
        written(tokenizer)
