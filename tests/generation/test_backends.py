"""Other engines write what decoding by transformers writes, or say why they cannot."""

import importlib.util
import shutil
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from helpers.tiny import SHAPES, SOLUTIONS, teach
from transformers import AutoModelForCausalLM, LlamaConfig, LlamaForCausalLM, MistralConfig, MistralForCausalLM

from memreason.config.model import ModelConfig
from memreason.errors import UserError
from memreason.generation.answer import generate
from memreason.generation.backends import check_backend, plain
from memreason.generation.few_shot import few_shot_text
from memreason.generation.options import GenerationOptions
from memreason.models.build import build
from memreason.models.load import load_base
from memreason.models.unit import ModelUnit

QUESTIONS = [solution.question for solution in SOLUTIONS]
HERE = [
    pytest.param(name, marks=pytest.mark.skipif(importlib.util.find_spec(module) is None, reason=f"no {module} here"))
    for name, module in (("transformers", "transformers"), ("openvino", "openvino_genai"))
]


@pytest.fixture(scope="module")
def taught(bases: dict[str, Path], tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    root = tmp_path_factory.mktemp("taught")
    return {shape: teach(shutil.copytree(bases[shape], root / shape), steps=60) for shape in SHAPES}


def unit_of(base: Path, mode: str = "lora+prompt-tuning", **options: object) -> ModelUnit:
    """A unit whose adapters and new rows are not what they start as."""
    unit = build(ModelConfig(model_name_or_path=str(base), parameter_efficient_mode=mode, **options), 96)
    torch.manual_seed(1)
    with torch.no_grad():
        for parameter in unit.model.parameters():
            if parameter.requires_grad and mode != "none":
                parameter += 0.05 * torch.randn_like(parameter)
    return unit


@pytest.mark.parametrize("mode", ["none", "lora", "prompt-tuning", "lora+prompt-tuning"])
@pytest.mark.parametrize("shape", SHAPES)
def test_the_plain_copy_is_the_merged_model_and_stock_transformers_reloads_it(
    taught: dict[str, Path], shape: str, mode: str, tmp_path: Path
) -> None:
    unit = unit_of(taught[shape], mode)
    ids = torch.tensor(
        [unit.layout.encode_prompt(unit.tokenizer, QUESTIONS[0]), [*unit.manifest.token_ids.values()]][:1]
    )
    with unit.merged() as model, torch.no_grad():
        expected = model(input_ids=ids).logits
        copied = plain(model)
        assert torch.equal(copied(input_ids=ids).logits, expected)
        assert not any("lora" in name or "base_layer" in name for name in copied.state_dict())
        copied.save_pretrained(tmp_path)
    reloaded = AutoModelForCausalLM.from_pretrained(tmp_path)
    assert reloaded.get_input_embeddings().weight.shape[0] == unit.manifest.rows
    assert torch.allclose(reloaded(input_ids=ids).logits, expected, atol=1e-6)


def test_a_plain_copy_in_another_type_leaves_the_weights_alone(taught: dict[str, Path]) -> None:
    unit = unit_of(taught["tied"], dtype="bfloat16")
    with unit.merged() as model:
        plain(model).float()
        assert {parameter.dtype for name, parameter in model.named_parameters() if "layer" in name} >= {torch.bfloat16}
        assert model.get_input_embeddings().weight.dtype == torch.bfloat16


@pytest.mark.slow
@pytest.mark.parametrize("backend", HERE)
@pytest.mark.parametrize("shape", SHAPES)
def test_the_traces_are_those_of_our_own_decoding(taught: dict[str, Path], shape: str, backend: str) -> None:
    unit = unit_of(taught[shape], dtype="float32")
    assert generate(unit, QUESTIONS, GenerationOptions(3, backend=backend)) == generate(
        unit, QUESTIONS, GenerationOptions(3)
    )


@pytest.mark.parametrize("backend", HERE)
def test_solved_examples_before_each_question(taught: dict[str, Path], backend: str) -> None:
    base = load_base(str(taught["untied"]), "float32", 96)
    shots = few_shot_text(base, SOLUTIONS[:2])
    assert generate(base, QUESTIONS, GenerationOptions(3, shots, backend=backend)) == generate(
        base, QUESTIONS, GenerationOptions(3, shots)
    )


@pytest.mark.parametrize("backend", ["vllm", "openvino"])
def test_what_an_engine_cannot_do_is_refused(taught: dict[str, Path], backend: str) -> None:
    manifest = unit_of(taught["tied"]).manifest
    for changed, words in (
        ({"sparse_attention": "step"}, "--use_sparse_attention"),
        ({"parameter_efficient_mode": "prefix-tuning"}, "prefix-tuning"),
        ({"bits": 8}, "weights held in 8 bits"),
    ):
        with pytest.raises(UserError, match=f"--generation_backend {backend} cannot do .*{words}.*say auto"):
            check_backend(backend, replace(manifest, **changed))
    with pytest.raises(UserError, match=f"{backend} cannot do --use_calculator"):
        check_backend(backend, manifest, use_calculator=True)
    for ours in ("auto", "transformers"):
        check_backend(ours, replace(manifest, sparse_attention="step"), use_calculator=True)


@pytest.mark.parametrize(
    "backend, module, package", [("vllm", "vllm", "vllm"), ("openvino", "openvino_genai", "openvino-genai")]
)
def test_an_engine_that_is_not_installed_says_what_to_install(
    taught: dict[str, Path], backend: str, module: str, package: str
) -> None:
    if importlib.util.find_spec(module):
        pytest.skip(f"{module} is installed here")
    with pytest.raises(UserError, match=f"pip install {package}"):
        generate(unit_of(taught["tied"]), QUESTIONS, GenerationOptions(backend=backend))


def test_openvino_refuses_a_sliding_window(tmp_path: Path) -> None:
    pytest.importorskip("openvino_genai")
    from memreason.generation.openvino import as_openvino

    sizes = {"vocab_size": 60, "hidden_size": 32, "intermediate_size": 48, "num_hidden_layers": 2,
             "num_attention_heads": 4, "num_key_value_heads": 2}  # fmt: skip
    model = MistralForCausalLM(MistralConfig(**sizes, sliding_window=4))
    with pytest.raises(UserError, match="MistralForCausalLM does not attend to its whole text; say auto"):
        as_openvino(model, tmp_path)


@pytest.mark.slow
def test_vllm_writes_the_same_traces(bases: dict[str, Path], tmp_path: Path) -> None:
    pytest.importorskip("vllm")
    shutil.copytree(bases["tied"], tmp_path, dirs_exist_ok=True)
    wider = LlamaConfig.from_pretrained(tmp_path, head_dim=32)  # the smallest heads that vLLM has kernels for
    LlamaForCausalLM(wider).save_pretrained(tmp_path)
    unit = unit_of(teach(tmp_path), dtype="float32")
    assert generate(unit, QUESTIONS, GenerationOptions(3, backend="vllm")) == generate(
        unit, QUESTIONS, GenerationOptions(3)
    )
