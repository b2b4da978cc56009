"""`memreason export --to gguf`: from a checkpoint to a file, read back, and run where llama.cpp is installed."""

from dataclasses import replace
from pathlib import Path

import pytest
from gguf import GGUFReader
from helpers.architectures import ARCHITECTURES, make, train_a_little

from memreason.errors import UserError
from memreason.export.base import MARKER
from memreason.export.config import ExportConfig
from memreason.export.gguf import export
from memreason.export.gguf_file import open_source, write_gguf
from memreason.export.gguf_run import Request, is_installed, replies
from memreason.export.gguf_verify import compare
from memreason.export.merged import write_merged
from memreason.models.load import load

NAMED = {architecture.name: architecture for architecture in ARCHITECTURES}
runs_files = pytest.mark.skipif(not is_installed(), reason="llama-cpp-python is not installed")


def checkpoint_of(name: str, folder: Path) -> Path:
    """A tiny model with LoRA and new tokens, trained for a few steps."""
    trained = train_a_little(make(NAMED[name], folder / "base"), "lora+prompt-tuning", steps=3)
    trained.unit.save(folder / "run")
    return folder / "run"


@pytest.fixture(scope="module")
def checkpoint(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return checkpoint_of("llama", tmp_path_factory.mktemp("gguf"))


def config_of(checkpoint: Path, folder: Path, **more) -> ExportConfig:
    return ExportConfig(str(checkpoint), to="gguf", output_dir=str(folder), device="cpu", **more)


def test_an_export_is_one_file_with_what_was_verified(checkpoint: Path, tmp_path: Path):
    exported = export(config_of(checkpoint, tmp_path / "out", gguf_type="q8_0", verify_questions=3))
    assert exported.files == (MARKER, "run-Q8_0.gguf")
    assert exported.checks["tensors"].startswith("21 read back")
    ran = [note for note in exported.notes if "The file was not run" in note]
    assert bool(ran) != is_installed() and ("traces" in exported.checks) == is_installed()
    fields = {name: field.contents() for name, field in GGUFReader(tmp_path / "out" / "run-Q8_0.gguf").fields.items()}
    unit = load(checkpoint)
    assert {
        fields["tokenizer.ggml.tokens"][id]: id for id in unit.manifest.token_ids.values()
    } == unit.manifest.token_ids
    assert fields["tokenizer.ggml.eos_token_id"] == unit.end_id
    assert "Question: " in fields["tokenizer.chat_template"]  # a user's message is put as in training
    assert list(tmp_path.iterdir()) == [tmp_path / "out"]


def test_nothing_is_left_where_the_model_cannot_be_written(tmp_path: Path):
    with pytest.raises(UserError, match=r"run: .*of type phi3.*convert_hf_to_gguf.py"):
        export(config_of(checkpoint_of("phi3", tmp_path), tmp_path / "out"))
    assert {path.name for path in tmp_path.iterdir()} == {"base", "run"}


@runs_files
@pytest.mark.parametrize("name", ["qwen2", "gemma3_text"])
def test_llama_cpp_does_what_the_model_does(name: str, tmp_path: Path):
    checks = export(config_of(checkpoint_of(name, tmp_path), tmp_path / "out", verify_questions=4)).checks
    assert checks["token_ids"].startswith("equal for ")
    assert checks["traces"].startswith("4 of 4") and checks["answers"].startswith("4 of 4")


@runs_files
def test_weights_in_a_wrong_order_are_found(checkpoint: Path, tmp_path: Path):
    merged, path = tmp_path / "merged", tmp_path / "wrong.gguf"
    write_merged(checkpoint, merged)
    unit = load(merged)
    source = open_source(merged, set(unit.manifest.token_ids.values()), unit.end_id, False, checkpoint)
    source.tensors.kind = replace(source.kind, paired=False)
    write_gguf(source, path, "f16", "x")
    with pytest.raises(UserError, match=r"wrong.gguf: llama.cpp computes something else than the model"):
        compare(unit, config_of(checkpoint, tmp_path / "out", verify_questions=2), path, source.words.chat_template)


@runs_files
def test_a_file_that_llama_cpp_cannot_load_is_reported_with_its_words(tmp_path: Path):
    (tmp_path / "broken.gguf").write_bytes(b"GGUF" + bytes(60))
    with pytest.raises(UserError, match=r"broken.gguf: llama.cpp cannot run this file .*[Ff]ailed to load model"):
        list(replies(Request(str(tmp_path / "broken.gguf"), ["?"], [], [], [], 0, 16)))
