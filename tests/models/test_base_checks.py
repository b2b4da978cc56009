"""What does not go together is refused by name before anything is spent, and what does is let through."""

import json
import shutil
from pathlib import Path

import pytest
import torch
from helpers.tiny import SHAPES, SOLUTIONS, make_tokenizer
from safetensors.torch import load_file, save_file
from tokenizers import Tokenizer, decoders, models, normalizers, pre_tokenizers, trainers
from transformers import (
    AutoModelForCausalLM,
    BloomConfig,
    FalconConfig,
    Gemma3TextConfig,
    GPT2Config,
    GPTJConfig,
    LlamaConfig,
    MambaConfig,
    MptConfig,
    OPTConfig,
    PreTrainedConfig,
    PreTrainedTokenizerFast,
)

from memreason.config.checks import PREFIX_TUNING
from memreason.config.model import ModelConfig
from memreason.errors import UserError
from memreason.models.base_checks import check_length, check_texts, position_limit
from memreason.models.build import build
from memreason.models.load import load_base
from memreason.models.token_embeddings import add_tokens
from memreason.models.weights import load_causal_lm, load_tokenizer
from memreason.planning_tokens.layout import PLAN_FIRST, PlanningTokens
from memreason.records import MEMORY, REASON


@pytest.fixture
def base(bases: dict[str, Path], tmp_path: Path) -> Path:
    """An untied base model, to be damaged."""
    return shutil.copytree(bases["untied"], tmp_path / "base")


def change(base: Path, **entries: object) -> Path:
    """The base with other entries in its config."""
    config = json.loads((base / "config.json").read_text())
    (base / "config.json").write_text(json.dumps({**config, **entries}))
    return base


def rewrite(base: Path, **tensors: torch.Tensor | None) -> Path:
    """The base with some tensors changed, or left out."""
    file = base / "model.safetensors"
    found = {**load_file(file), **tensors}
    save_file({name: tensor for name, tensor in found.items() if tensor is not None}, file, {"format": "pt"})
    return base


class TestModelFiles:
    def test_a_head_that_is_missing_is_not_drawn_at_random(self, base: Path) -> None:
        rewrite(base, **{"lm_head.weight": None})
        with pytest.raises(UserError, match=r"lack weights that its config.json asks for: lm_head\.weight"):
            load_base(str(base), "float32", 64)
        with pytest.raises(UserError, match="lack weights"):
            build(ModelConfig(model_name_or_path=str(base)), 64)

    def test_a_head_that_is_tied_need_not_be_there(self, bases: dict[str, Path]) -> None:
        assert "lm_head.weight" not in load_file(bases["tied"] / "model.safetensors")
        load_base(str(bases["tied"]), "float32", 64)

    def test_weights_of_another_shape(self, base: Path) -> None:
        rewrite(base, **{"model.norm.weight": torch.ones(31)})
        with pytest.raises(UserError, match=r"other shapes .* model\.norm\.weight \(\(31,\) instead of \(32,\)\)"):
            load_base(str(base), "float32", 64)

    def test_weights_for_another_task_are_let_through_but_not_in_a_checkpoint_of_ours(self, base: Path) -> None:
        rewrite(base, score=torch.ones(2, 32))
        load_base(str(base), "float32", 64)
        with pytest.raises(UserError, match="does not ask for: score"):
            load_causal_lm(str(base), torch.float32, exact=True)

    def test_two_matrices_that_are_said_to_be_one_are_not_trained(self, base: Path) -> None:
        change(base, tie_word_embeddings=True)
        load_base(str(base), "float32", 64)  # which takes them as they are in the file
        with pytest.raises(UserError, match='two that differ; write "tie_word_embeddings": false'):
            build(ModelConfig(model_name_or_path=str(base)), 64)

    def test_a_file_that_is_cut_off(self, base: Path) -> None:
        whole = (base / "model.safetensors").read_bytes()
        (base / "model.safetensors").write_bytes(whole[: len(whole) // 2])
        with pytest.raises(UserError, match="no causal language model that transformers can load"):
            load_base(str(base), "float32", 64)


class TestVocabulary:
    def test_tokens_without_a_row(self, base: Path) -> None:
        tokenizer = load_tokenizer(str(base))
        rows = len(tokenizer)
        tokenizer.add_tokens(["<extra>", "<more>"])
        tokenizer.save_pretrained(base)
        message = (
            rf"has {rows + 2} tokens, and the model's embedding {rows} rows, .*resize_token_embeddings\({rows + 2}\)"
        )
        with pytest.raises(UserError, match=message):
            load_base(str(base), "float32", 64)
        with pytest.raises(UserError, match=message):
            build(ModelConfig(model_name_or_path=str(base)), 64)
        model = AutoModelForCausalLM.from_pretrained(base)
        model.resize_token_embeddings(rows + 2)
        model.save_pretrained(base)
        build(ModelConfig(model_name_or_path=str(base)), 64)

    @pytest.mark.parametrize("shape", SHAPES)
    def test_rows_without_a_token_are_fine_and_so_are_our_own_tokens(self, bases: dict[str, Path], shape: str) -> None:
        load_base(str(bases[shape]), "float32", 64)
        build(ModelConfig(model_name_or_path=str(bases[shape])), 64)


SIZES = {"hidden_size": 32, "num_hidden_layers": 1, "num_attention_heads": 4}
GPT2 = {"n_embd": 32, "n_layer": 1, "n_head": 4, "n_positions": 96}


def scaled(rope_type: str, factor: float, **more: float) -> dict[str, object]:
    return {"rope_type": rope_type, "rope_theta": 10000.0, "factor": factor, **more}


class TestPositions:
    @pytest.mark.parametrize(
        ("config", "limit"),
        [
            (GPT2Config(**GPT2), 96),
            (GPTJConfig(**GPT2), 96),
            (OPTConfig(max_position_embeddings=96), 96),
            (MptConfig(max_seq_len=96), 96),
            (LlamaConfig(max_position_embeddings=96), 96),
            (BloomConfig(), None),
            (FalconConfig(alibi=True), None),
            (MambaConfig(), None),
            (LlamaConfig(max_position_embeddings=96, rope_parameters=scaled("linear", 4.0)), 384),
            (LlamaConfig(max_position_embeddings=96, rope_parameters=scaled("dynamic", 2.0)), 192),
            (LlamaConfig(max_position_embeddings=96, rope_scaling={"rope_type": "linear", "factor": 4.0}), 384),
            (
                LlamaConfig(
                    max_position_embeddings=512,
                    rope_parameters=scaled(
                        "llama3", 8.0, low_freq_factor=1, high_freq_factor=4, original_max_position_embeddings=32
                    ),
                ),
                512,
            ),
            (
                LlamaConfig(
                    max_position_embeddings=128,
                    rope_parameters=scaled("yarn", 4.0, original_max_position_embeddings=128),
                ),
                512,
            ),
            (Gemma3TextConfig(max_position_embeddings=96), 96),
        ],
        ids=lambda value: type(value).__name__ if isinstance(value, PreTrainedConfig) else str(value),
    )
    def test_what_a_config_says(self, config: PreTrainedConfig, limit: int | None) -> None:
        assert position_limit(config) == limit
        check_length(config, limit or 10**9)
        if limit:
            message = f"--model_max_length {limit + 1}: the base model has {limit} positions; give at most"
            with pytest.raises(UserError, match=message):
                check_length(config, limit + 1)

    def test_a_trained_prefix_takes_some(self, base: Path) -> None:
        change(base, max_position_embeddings=96)
        config = ModelConfig(
            model_name_or_path=str(base),
            parameter_efficient_mode=PREFIX_TUNING,
            num_virtual_tokens=10,
            add_soft_prompts=False,
        )
        build(config, 86)
        with pytest.raises(UserError, match=r"prefix takes 10 \(--num_virtual_tokens\).*--model_max_length 86"):
            build(config, 87)

    def test_it_holds_for_base_models_and_for_training(self, base: Path) -> None:
        change(base, max_position_embeddings=96)
        for use in (
            lambda length: load_base(str(base), "float32", length),
            lambda length: build(ModelConfig(model_name_or_path=str(base)), length),
        ):
            use(96)
            with pytest.raises(UserError, match="--model_max_length 512: the base model has 96 positions"):
                use(512)

    @torch.no_grad()
    @pytest.mark.parametrize(
        "config",
        [
            GPT2Config(**GPT2, vocab_size=300),
            GPTJConfig(**GPT2, rotary_dim=8, vocab_size=300),
            OPTConfig(
                **SIZES, max_position_embeddings=96, vocab_size=300, word_embed_proj_dim=32, ffn_dim=48, pad_token_id=1
            ),
            MptConfig(d_model=32, n_layers=1, n_heads=4, max_seq_len=96, vocab_size=300),
        ],
        ids=lambda config: type(config).__name__,
    )
    def test_a_model_with_a_table_of_positions_computes_up_to_the_limit_and_no_further(
        self, config: PreTrainedConfig
    ) -> None:
        model = AutoModelForCausalLM.from_config(config).eval()
        limit = position_limit(config)
        assert limit
        ids = torch.arange(2, limit + 3)[None]
        model(input_ids=ids[:, :limit])
        with pytest.raises((IndexError, RuntimeError)):
            model(input_ids=ids)


def byte_level(normalizer: normalizers.Normalizer | None = None, prefix_space: bool = False) -> PreTrainedTokenizerFast:
    """Like that of `tiny`, with something done to texts before."""
    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=prefix_space)
    tokenizer.decoder = decoders.ByteLevel()
    if normalizer:
        tokenizer.normalizer = normalizer
    trainer = trainers.BpeTrainer(
        special_tokens=["<|end|>"], initial_alphabet=pre_tokenizers.ByteLevel.alphabet(), show_progress=False
    )
    tokenizer.train_from_iterator([], trainer)
    return PreTrainedTokenizerFast(tokenizer_object=tokenizer, eos_token="<|end|>")


def sentence_pieces(legacy: bool) -> PreTrainedTokenizerFast:
    """Bytes under pieces that begin with ▁, as Llama 2's; a space comes before each text."""
    names = ["<unk>", "</s>", *(f"<0x{byte:02X}>" for byte in range(256)), "▁"]
    tokenizer = Tokenizer(
        models.BPE({name: i for i, name in enumerate(names)}, [], unk_token="<unk>", byte_fallback=True)
    )
    if legacy:
        tokenizer.normalizer = normalizers.Sequence([normalizers.Prepend("▁"), normalizers.Replace(" ", "▁")])
    else:
        tokenizer.pre_tokenizer = pre_tokenizers.Metaspace(replacement="▁", prepend_scheme="always", split=False)
    tokenizer.decoder = decoders.Sequence(
        [decoders.Replace("▁", " "), decoders.ByteFallback(), decoders.Fuse(), decoders.Strip(" ", 1, 0)]
    )
    return PreTrainedTokenizerFast(tokenizer_object=tokenizer, unk_token="<unk>", eos_token="</s>")


def words_of_lower_case() -> PreTrainedTokenizerFast:
    """As BERT's: words, no line ends."""
    words = {"[UNK]", "[SEP]", *["?", ".", ":", ",", "is", "the", "capital", "of", "answer"]}
    words |= {word.strip("?.").lower() for s in SOLUTIONS for word in f"{s.question.text} {s.steps[0].text}".split()}
    tokenizer = Tokenizer(models.WordPiece({word: i for i, word in enumerate(sorted(words))}, unk_token="[UNK]"))
    tokenizer.normalizer = normalizers.BertNormalizer(lowercase=True)
    tokenizer.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    tokenizer.decoder = decoders.WordPiece()
    return PreTrainedTokenizerFast(tokenizer_object=tokenizer, unk_token="[UNK]", eos_token="[SEP]")


LAYOUTS = {
    "tokens": PlanningTokens(1, 2, (MEMORY, REASON)),
    "plain": PlanningTokens(),
    "plan": PlanningTokens(1, 2, (MEMORY, REASON), PLAN_FIRST),
    "words": PlanningTokens(0, 0, (MEMORY, REASON), words=True),
}


@pytest.mark.parametrize("layout", LAYOUTS.values(), ids=LAYOUTS)
class TestTexts:
    @pytest.mark.parametrize(
        "tokenizer",
        [
            lambda: make_tokenizer(bos=True),
            byte_level,
            lambda: byte_level(prefix_space=True),
            lambda: byte_level(normalizers.NFKC()),
            lambda: sentence_pieces(legacy=True),
            lambda: sentence_pieces(legacy=False),
        ],
        ids=["tiny", "bytes", "prefix-space", "nfkc", "llama2", "metaspace"],
    )
    def test_tokenizers_that_keep_what_is_parsed(self, layout: PlanningTokens, tokenizer) -> None:
        made = tokenizer()
        add_tokens(made, layout)
        check_texts(layout, made, SOLUTIONS)

    @pytest.mark.parametrize(
        ("tokenizer", "comes_back"),
        [
            (lambda: byte_level(normalizers.Lowercase()), "the answer is: true"),
            (lambda: byte_level(normalizers.Strip()), r"capital of France is Paris\.\S"),
            (words_of_lower_case, "the capital of france is paris"),
        ],
        ids=["lowercase", "strip", "words"],
    )
    def test_tokenizers_that_do_not_are_refused_and_it_is_shown(
        self, layout: PlanningTokens, tokenizer, comes_back: str
    ) -> None:
        made = tokenizer()
        add_tokens(made, layout)
        with pytest.raises(UserError, match=rf"(?s)tokenizer changes texts.*solution q0 .*came back as.*{comes_back}"):
            check_texts(layout, made, SOLUTIONS)

    def test_an_answer_here_and_there_may_be_lost(self, layout: PlanningTokens) -> None:
        made = byte_level(normalizers.Replace("True", "Yes"))
        add_tokens(made, layout)
        check_texts(layout, made, SOLUTIONS)
        with pytest.raises(UserError, match="cannot be read back"):
            check_texts(layout, made, [s for s in SOLUTIONS if s.question.answer == "True"])


def test_every_weight_in_float16(bases: dict[str, Path]) -> None:
    config = {"model_name_or_path": str(bases["tied"]), "dtype": "float16"}
    build(ModelConfig(**config), 64)
    with pytest.raises(UserError, match="use --dtype bfloat16 or float32, or float32 with --fp16 True"):
        build(ModelConfig(**config, parameter_efficient_mode="none"), 64)
