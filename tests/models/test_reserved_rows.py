"""Planning tokens in rows that the base model has and does not use: it grows by no row, and all else is as ever."""

import shutil
from collections.abc import Sequence
from pathlib import Path

import pytest
import torch
from helpers.runs import options
from helpers.tiny import SHAPES, SOLUTIONS, make_base, make_tokenizer
from helpers.units import config, logits, train_a_little
from peft import AutoPeftModelForCausalLM
from tokenizers import AddedToken, Tokenizer, models
from transformers import (
    AutoModelForCausalLM,
    AutoTokenizer,
    GemmaTokenizer,
    PreTrainedTokenizerBase,
    PreTrainedTokenizerFast,
)

from memreason import load as reasoner
from memreason.config.ablations import AblationConfig
from memreason.errors import UserError
from memreason.models.build import build
from memreason.models.load import load
from memreason.models.manifest import MANIFEST, read_manifest
from memreason.models.reserved_rows import rename_reserved, reserved_tokens
from memreason.models.token_embeddings import initialise_rows, planning_tokenizer
from memreason.models.unit import ModelUnit
from memreason.planning_tokens.layout import PlanningTokens
from memreason.training.train import train

LLAMA = [f"<|reserved_special_token_{number}|>" for number in range(9)]
NAMES = ["<prefix_0>", "<memory_0>", "<memory_1>", "<reason_0>", "<reason_1>", "<answer_0>", "<answer_1>"]
"""The planning tokens of `helpers.units.config`."""
PADDING = 3
"""Rows beyond the tokens of the padded model: fewer than there are planning tokens."""


@pytest.fixture(scope="module")
def reserving(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """Shape → a tiny base model with nine reserved tokens."""
    root = tmp_path_factory.mktemp("reserving")
    return {shape: make_base(root / shape, shape, reserved=LLAMA, padding=PADDING) for shape in SHAPES}


def built(base: Path, mode: str = "lora+prompt-tuning", **options: bool) -> ModelUnit:
    return build(config(base, mode, reuse_reserved_tokens=True, **options), 128)


@pytest.mark.parametrize(
    ("shape", "mode"),
    [*((shape, "lora+prompt-tuning") for shape in SHAPES),
     ("untied", "prompt-tuning"), ("padded", "none"), ("tied", "lora"), ("tied", "none")],
)  # fmt: skip
def test_the_vocabulary_does_not_grow_and_a_checkpoint_is_the_trained_model_for_us_for_peft_and_merged(
    reserving: dict[str, Path], tmp_path: Path, shape: str, mode: str
) -> None:
    base = AutoModelForCausalLM.from_pretrained(reserving[shape])
    unit = built(reserving[shape], mode)
    rows = base.get_input_embeddings().weight.shape[0]
    assert unit.model.get_input_embeddings().weight.shape[0] == unit.manifest.rows == rows
    before = unit.model.get_input_embeddings().weight.detach().clone()
    train_a_little(unit)
    trained = logits(unit.model, unit)
    unit.save(tmp_path)
    again = load(tmp_path)
    assert torch.equal(logits(again.model, again), trained)
    assert again.manifest == unit.manifest == read_manifest(tmp_path)
    if mode != "none":  # of the base model, only the rows that were taken have changed
        others = [row for row in range(rows) if row not in unit.manifest.token_ids.values()]
        assert torch.equal(before[others], base.get_input_embeddings().weight[others])
        stock = AutoPeftModelForCausalLM.from_pretrained(tmp_path)
        assert torch.allclose(logits(stock, unit), trained, atol=1e-5)
    unit.merge().save_pretrained(tmp_path / "merged")
    merged = AutoModelForCausalLM.from_pretrained(tmp_path / "merged")
    assert merged.config.vocab_size == rows
    assert torch.allclose(logits(merged, unit), trained, atol=1e-5)


@pytest.mark.parametrize("shape", SHAPES)
def test_our_names_stand_in_the_files_at_the_ids_of_the_reserved_tokens(
    reserving: dict[str, Path], tmp_path: Path, shape: str
) -> None:
    had = AutoTokenizer.from_pretrained(reserving[shape])
    unit = built(reserving[shape])
    unit.save(tmp_path)
    padding = unit.manifest.rows - len(had)
    assert bool(padding) == (shape == "padded")
    taken = dict(zip(NAMES[: len(NAMES) - padding], LLAMA, strict=False))
    assert unit.manifest.reused_tokens == taken
    assert [unit.manifest.token_ids[name] for name in taken] == had.convert_tokens_to_ids(list(taken.values()))
    assert list(unit.manifest.token_ids.values()) == sorted(unit.manifest.token_ids.values())
    tokenizer = AutoTokenizer.from_pretrained(tmp_path)
    assert len(tokenizer) == len(had) + padding
    assert not [name for name in taken.values() if name in tokenizer.get_vocab()]
    solution = SOLUTIONS[0]
    text = unit.layout.solution_text(solution.steps, solution.question.answer)
    ids = tokenizer.encode(text, add_special_tokens=False)
    assert set(ids) >= set(unit.manifest.token_ids.values()) and text == tokenizer.decode(ids, skip_special_tokens=True)
    assert tokenizer.encode("Is Rome in Italy?") == had.encode("Is Rome in Italy?")


def test_with_enough_padding_nothing_is_renamed_and_all_is_as_without_the_option(
    bases: dict[str, Path], tmp_path: Path
) -> None:
    usual = build(config(bases["padded"]), 128)
    reusing = built(bases["padded"])
    assert usual.manifest == reusing.manifest and not reusing.manifest.reused_tokens
    assert torch.equal(logits(usual.model, usual), logits(reusing.model, reusing))
    reusing.save(tmp_path)
    assert "reused_tokens" not in (tmp_path / MANIFEST).read_text()


def test_too_few_unused_rows_are_counted(bases: dict[str, Path], reserving: dict[str, Path], tmp_path: Path) -> None:
    for base, counted in (
        (bases["tied"], r"7, and the base model has 0 unused rows \(0 reserved tokens, and 0 rows"),
        (make_base(tmp_path, "padded", reserved=LLAMA[:2], padding=4), r"5 unused rows \(2 reserved .* and 3 rows"),
    ):
        with pytest.raises(UserError, match=f"--reuse_reserved_tokens: the planning tokens are .*{counted}.*lower"):
            built(base)


@pytest.mark.parametrize("options", [{"add_soft_prompts": False}, {}], ids=["none", "words"])
def test_where_there_are_no_planning_tokens_it_is_refused(reserving: dict[str, Path], options: dict[str, bool]) -> None:
    with pytest.raises(UserError, match="--reuse_reserved_tokens: there are no planning tokens"):
        chosen = config(reserving["tied"], "lora", reuse_reserved_tokens=True, **options)
        build(chosen, 128, ablations=AblationConfig(add_hard_prompts=True))


def test_a_name_of_ours_that_the_base_model_has_is_refused(tmp_path: Path) -> None:
    base = make_base(tmp_path, "tied", reserved=[*LLAMA, "<memory_1>"])
    with pytest.raises(UserError, match="already holds <memory_1>"):
        built(base)


def with_tokens(tokenizer: PreTrainedTokenizerBase, names: Sequence[str]) -> PreTrainedTokenizerBase:
    tokenizer.add_tokens([AddedToken(name, special=True, normalized=False) for name in names])
    return tokenizer


def gemma(names: Sequence[str]) -> PreTrainedTokenizerBase:
    """Reserved tokens in its vocabulary, near its start; transformers builds this class anew from the vocabulary."""
    pieces = ["<pad>", "<eos>", "<bos>", "<unk>", "<mask>", *names, "▁", "a", "b", "ab", "▁ab"]
    vocabulary = {piece: id for id, piece in enumerate(pieces)}
    return with_tokens(GemmaTokenizer(vocab=vocabulary, merges=[("a", "b"), ("▁", "ab")]), names)


def unigram(names: Sequence[str]) -> PreTrainedTokenizerBase:
    pieces = [("<unk>", 0.0), *((name, 0.0) for name in names), ("a", -1.0), ("b", -1.0)]
    backend = Tokenizer(models.Unigram(pieces, unk_id=0))
    return with_tokens(PreTrainedTokenizerFast(tokenizer_object=backend, eos_token="<unk>"), names)


TOKENIZERS = {
    "beyond the vocabulary": (lambda names: with_tokens(make_tokenizer(bos=True), names), LLAMA),
    "in the vocabulary": (lambda names: make_tokenizer(False, names), [f"<|placeholder{n}|>" for n in range(1, 7)]),
    "gemma": (gemma, [f"<unused{number}>" for number in range(5)]),
    "unigram": (unigram, [f"[control_{number}]" for number in range(5)]),
}


@pytest.mark.parametrize("kind", TOKENIZERS)
def test_tokenizers_of_each_kind_take_our_names(tmp_path: Path, kind: str) -> None:
    make, names = TOKENIZERS[kind]
    had = make(names)
    had.save_pretrained(tmp_path / "base")
    had = AutoTokenizer.from_pretrained(tmp_path / "base")
    ids = had.convert_tokens_to_ids(names)
    renamed, reused = rename_reserved(had, ["<memory_0>", "<reason_0>"], rows=len(had))
    assert reused == {"<memory_0>": names[0], "<reason_0>": names[1]}
    renamed.save_pretrained(tmp_path / "checkpoint")
    renamed = AutoTokenizer.from_pretrained(tmp_path / "checkpoint")
    assert renamed.convert_tokens_to_ids(["<memory_0>", "<reason_0>", *names[2:]]) == ids
    assert len(renamed) == len(had)
    encoded = renamed.encode("ab<reason_0> ab<memory_0>", add_special_tokens=False)
    assert encoded == [*had.encode("ab", add_special_tokens=False), ids[1],
                       *had.encode(" ab", add_special_tokens=False), ids[0]]  # fmt: skip
    assert "<reason_0>" in renamed.decode(encoded, skip_special_tokens=True)


def test_reserved_tokens_that_somebody_uses_are_left_alone() -> None:
    tokenizer = make_tokenizer(False, LLAMA)
    tokenizer.pad_token = LLAMA[0]
    tokenizer.chat_template = "{{ messages }}" + LLAMA[2]
    assert list(reserved_tokens(tokenizer)) == [LLAMA[1], *LLAMA[3:]]


def test_the_noise_on_new_rows_is_measured_on_all_old_rows_wherever_the_new_ones_are(tmp_path: Path) -> None:
    """Reserved tokens can be the first of all, with hardly a row before them."""
    path = str(make_base(tmp_path, "tied", reserved=LLAMA))
    model = AutoModelForCausalLM.from_pretrained(path)
    layout = PlanningTokens(1, 2, ("memory", "reason"))
    tokenizer, ids, _ = planning_tokenizer(path, layout, reuse=True)
    weight = model.get_input_embeddings().weight
    weight.data[:3] = 0  # the rows before the new ones, by which nothing can be measured
    initialise_rows(model, tokenizer, ids, seed=0)
    assert min(ids.values()) == 3
    assert not torch.equal(weight[ids["<memory_0>"]], weight[ids["<memory_1>"]])  # of the same words: noise is the rest


@pytest.mark.slow
def test_what_was_learnt_is_written_with_our_tokens(tmp_path: Path, data: Path) -> None:
    """The run is stopped before its end, and goes on."""
    base, run = make_base(tmp_path / "base", "tied", reserved=LLAMA), tmp_path / "run"
    given = dict(
        parameter_efficient_mode="none", learning_rate=1e-2, num_train_epochs=60, eval_strategy="no",
        save_strategy="steps", save_steps=50, per_device_train_batch_size=4, reuse_reserved_tokens=True,
        num_special_prefix_tokens=2, num_general_prefix_tokens=1, model_max_length=64,
    )  # fmt: skip
    train(*options(base, data, run, **given))
    shutil.rmtree(run / "checkpoint-60", ignore_errors=True)
    (run / "metrics.json").unlink()
    train(*options(base, data, run, **given, resume=True))
    traces = reasoner(run).answer([s.question.text for s in SOLUTIONS])
    assert all(trace.well_formed and trace.text.startswith("<prefix_0><memory_0><memory_1> The") for trace in traces)
