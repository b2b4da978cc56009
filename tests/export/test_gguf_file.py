"""Models of transformers as GGUF files: read back by transformers, and run by llama.cpp where it is installed."""

from pathlib import Path

import numpy as np
import pytest
import torch
from gguf import GGUFReader
from helpers.architectures import ARCHITECTURES, make
from transformers import AutoModelForCausalLM, AutoTokenizer

from memreason.errors import UserError
from memreason.export.gguf_file import open_source, read_back, write_gguf

NAMED = {architecture.name: architecture for architecture in ARCHITECTURES}
WRITTEN = (
    "llama", "llama_tied", "llama3", "llama_linear", "mistral", "mistral_window", "qwen2", "qwen2_yarn",
    "qwen2_window", "qwen3", "gemma", "gemma2", "gemma3_text", "gemma3",
)  # fmt: skip
TEXT = "Question: Is Lyon the capital of France?\nThe capital of France is Paris.\n"


def source_of(folder: Path, planning: tuple[int, ...] = ()):
    return open_source(folder, set(planning), AutoTokenizer.from_pretrained(folder).eos_token_id, False, "runs/x")


def model_of(folder: Path, **more) -> torch.nn.Module:
    return AutoModelForCausalLM.from_pretrained(folder, dtype=torch.float32, **more).eval()


def written(folder: Path, gguf_type: str = "f16"):
    """(what was written, the file)."""
    source, path = source_of(folder), folder / "model.gguf"
    write_gguf(source, path, gguf_type, "a tiny model")
    return source, path


@pytest.mark.parametrize("name", ["llama3", "qwen2", "gemma2"])
def test_transformers_reads_the_same_model(name: str, tmp_path: Path):
    written(make(NAMED[name], tmp_path))
    ours, theirs = model_of(tmp_path), model_of(tmp_path, gguf_file="model.gguf")
    for (key, weight), read in zip(ours.state_dict().items(), theirs.state_dict().values(), strict=True):
        assert torch.allclose(weight, read, rtol=1e-3, atol=1e-4), key
    settings = ("hidden_size", "num_key_value_heads", "max_position_embeddings", "head_dim", "vocab_size")
    assert all(getattr(ours.config, key, None) == getattr(theirs.config, key, None) for key in settings)


def test_transformers_reads_the_same_tokens(bases: dict[str, Path], tmp_path: Path):
    """The padded shape: rows beyond the tokenizer's tokens are unused tokens."""
    path = tmp_path / "model.gguf"
    write_gguf(source_of(bases["padded"]), path, "f16", "x")
    ours, theirs = (
        AutoTokenizer.from_pretrained(bases["padded"]), AutoTokenizer.from_pretrained(tmp_path, gguf_file=path.name)
    )  # fmt: skip
    assert theirs.encode(TEXT) == ours.encode(TEXT)
    assert len(theirs.get_vocab()) > len(ours.get_vocab())


@pytest.mark.parametrize("name", WRITTEN)
def test_llama_cpp_computes_the_same_logits(name: str, tmp_path: Path):
    llama_cpp = pytest.importorskip("llama_cpp", reason="llama-cpp-python is not installed")
    source, path = written(make(NAMED[name], tmp_path))
    context = source.context_length
    ids = AutoTokenizer.from_pretrained(tmp_path).encode(TEXT)[:context]
    model = llama_cpp.Llama(str(path), n_ctx=context, logits_all=True, verbose=False)
    model.eval(ids)
    theirs = torch.tensor(np.array(model.scores[: len(ids)]))
    with torch.no_grad():
        ours = model_of(tmp_path)(input_ids=torch.tensor([ids])).logits[0]
    assert (theirs - ours).norm() < 0.004 * ours.norm()  # float16 has 11 bits
    assert context == (16 if "_window" in name else 256)


def test_types_of_the_tensors(tmp_path: Path):
    make(NAMED["qwen2"], tmp_path)
    largest = {"f16": 3e-4, "bf16": 3e-3, "q8_0": 1e-2}
    for gguf_type, limit in largest.items():
        source, path = written(tmp_path, gguf_type)
        count, error = read_back(source, path)
        types = {tensor.name: tensor.tensor_type.name for tensor in GGUFReader(path).tensors}
        assert count == len(types) == 27 and 0 < error < limit
        assert types["output_norm.weight"] == types["blk.0.attn_q.bias"] == "F32"
        assert types["token_embd.weight"] == gguf_type.upper()
        # 48 numbers a row are no whole number of blocks of 32.
        assert types["blk.0.ffn_down.weight"] == ("F16" if gguf_type == "q8_0" else gguf_type.upper())


def test_the_file_says_what_llama_cpp_must_know(tmp_path: Path):
    _, path = written(make(NAMED["gemma3_text"], tmp_path))
    fields = {name: field.contents() for name, field in GGUFReader(path).fields.items()}
    assert fields["general.architecture"] == "gemma3" and fields["general.name"] == "a tiny model"
    assert fields["gemma3.attention.sliding_window"] == 16
    assert fields["gemma3.attention.sliding_window_pattern"] == [True, False]
    assert fields["tokenizer.ggml.add_bos_token"] is False and fields["general.sampling.temp"] == 0


def test_damage_is_found_on_reading_back(tmp_path: Path):
    source, path = written(make(NAMED["llama"], tmp_path))
    whole = path.read_bytes()
    path.write_bytes(whole[:-64] + bytes([0x40]) * 64)
    with pytest.raises(UserError, match="is not what was written"):
        read_back(source, path)
    with pytest.raises(UserError, match="another file"):
        read_back(source_of(make(NAMED["llama_tied"], tmp_path / "tied")), path)


def test_weights_beyond_float16_need_bf16(tmp_path: Path):
    model = model_of(make(NAMED["llama"], tmp_path))
    with torch.no_grad():
        model.lm_head.weight[0, 0] = 1e5
    model.save_pretrained(tmp_path)
    with pytest.raises(UserError, match=r"output.weight: some weights are too large.*--gguf_type bf16"):
        written(tmp_path)
    written(tmp_path, "bf16")


@pytest.mark.parametrize(
    ("name", "why"),
    [
        ("phi3", "the architectures known here are llama, mistral"),
        ("llama_dynamic", "rotary positions are of type dynamic"),
    ],
)
def test_other_architectures_are_referred_to_llama_cpps_converter(name: str, why: str, tmp_path: Path):
    with pytest.raises(UserError, match=f"runs/x: .*{why}.*convert_hf_to_gguf.py"):
        source_of(make(NAMED[name], tmp_path))
