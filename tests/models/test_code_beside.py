"""Code that lies beside a model is never run, and nobody is asked: also not where the answer would be yes."""

import io
import json
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from helpers.tiny import make_base
from helpers.units import config

from memreason.config.commands import EvaluateConfig
from memreason.errors import UserError
from memreason.evaluation.evaluate import evaluate
from memreason.models.adapter_files import ADAPTER_CONFIG
from memreason.models.build import build
from memreason.models.load import load, load_base
from memreason.models.weights import load_causal_lm, load_tokenizer, without_weights
from memreason.runtime.devices import choose_device
from memreason.step_types.embeddings import SentenceEncoder, Source

REFUSED = r"memreason never runs code that comes with a model; use one that transformers knows by itself"


@pytest.fixture
def base(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A base model with a module beside it that leaves a file where it is imported, and `y` on standard input."""
    folder = make_base(tmp_path / "base", "tied")
    plant(folder, tmp_path / "ran")
    monkeypatch.setattr("sys.stdin", io.StringIO("y\n" * 20))
    monkeypatch.syspath_prepend(str(folder))
    return folder


def plant(folder: Path, trace: Path) -> None:
    code = f"from pathlib import Path\nPath({str(trace)!r}).touch()\n"
    names = ("Config", "Model", "Tokenizer", "Processor")
    (folder / "beside.py").write_text(code + "".join(f"class {name}: pass\n" for name in names))


def edit(path: Path, **entries: object) -> None:
    fields = json.loads(path.read_text()) if path.exists() else {}
    path.write_text(json.dumps(fields | entries))


MAPS = {
    "AutoConfig": "beside.Config",
    "AutoModelForCausalLM": "beside.Model",
    "AutoTokenizer": ["beside.Tokenizer", "beside.Tokenizer"],
    "AutoProcessor": "beside.Processor",
}
USES: dict[str, Callable[[Path], object]] = {
    "model": lambda base: load_causal_lm(str(base), torch.float32),
    "random weights": lambda base: load_causal_lm(str(base), torch.float32, random_seed=1),
    "layers": lambda base: without_weights(str(base)),
    "baseline": lambda base: load_base(str(base), "float32", 96),
    "training": lambda base: build(config(base), 96),
}


@pytest.mark.parametrize("use", USES.values(), ids=USES)
@pytest.mark.parametrize("model_type", ["beside", "llama"])
def test_a_model_that_is_code_is_refused_and_one_of_transformers_loads_without_its_code(
    base: Path, tmp_path: Path, use: Callable[[Path], object], model_type: str
) -> None:
    edit(base / "config.json", auto_map=MAPS, model_type=model_type)
    edit(base / "processor_config.json", auto_map=MAPS)
    if model_type == "llama":
        use(base)
    else:
        with pytest.raises(UserError, match=REFUSED):
            use(base)
    assert not (tmp_path / "ran").exists()


@pytest.mark.parametrize("use", [use for name, use in USES.items() if name != "layers"])
def test_an_adapter_beside_a_model_is_not_put_onto_it(base: Path, use: Callable[[Path], object]) -> None:
    edit(base / ADAPTER_CONFIG, peft_type="LORA", base_model_name_or_path="elsewhere", r=2, target_modules=["q_proj"])
    with pytest.raises(UserError, match=r"holds an adapter \(adapter_config\.json\).*merge the two.*take .* away"):
        use(base)


def test_pickled_weights_that_are_code_are_refused_without_advice_to_run_them(base: Path, tmp_path: Path) -> None:
    class Code:
        def __reduce__(self) -> tuple[object, tuple[str]]:
            return (exec, (f"open({str(tmp_path / 'ran')!r}, 'w')",))

    (base / "model.safetensors").unlink()
    torch.save({"model.embed_tokens.weight": Code()}, base / "pytorch_model.bin")
    with pytest.raises(UserError, match="a pickle that holds more than tensors, which could be code; fetch"):
        load_causal_lm(str(base), torch.float32)
    assert not (tmp_path / "ran").exists()


def test_a_tokenizer_that_is_code(base: Path, tmp_path: Path) -> None:
    for entries in ({"tokenizer_class": "BesideTokenizer"}, {"auto_map": MAPS["AutoTokenizer"]}):
        edit(base / "tokenizer_config.json", **({"auto_map": MAPS} | entries))
        with pytest.raises(UserError, match=REFUSED):
            load_tokenizer(str(base))
    assert not (tmp_path / "ran").exists()


def test_attention_that_is_code_from_elsewhere(base: Path) -> None:
    edit(base / "config.json", attn_implementation="somebody/attention")
    with pytest.raises(UserError, match=rf"asks for code from elsewhere \(somebody/attention\); {REFUSED}"):
        load_causal_lm(str(base), torch.float32)


def test_checkpoints(base: Path, tmp_path: Path) -> None:
    build(config(base), 96).save(tmp_path / "checkpoint")
    plant(tmp_path / "checkpoint", tmp_path / "ran")
    for name, entries in (
        ("tokenizer_config.json", {"auto_map": MAPS, "tokenizer_class": "BesideTokenizer"}),
        (ADAPTER_CONFIG, {"megatron_config": {"a": 1}, "megatron_core": "beside"}),
        (ADAPTER_CONFIG, {"auto_mapping": {"base_model_class": "Model", "parent_library": "beside"}}),
    ):
        folder = shutil.copytree(tmp_path / "checkpoint", tmp_path / "damaged", dirs_exist_ok=True)
        edit(folder / name, **entries)
        for use in (load, lambda folder: evaluate(EvaluateConfig(str(folder), dataset="atlas"))):
            with pytest.raises(UserError):
                use(folder)
    assert not (tmp_path / "ran").exists()


def test_sentence_encoders(base: Path, tmp_path: Path) -> None:
    pytest.importorskip("sentence_transformers")
    modules = [{"idx": 0, "name": "0", "path": "", "type": "beside.Model"}]
    (base / "modules.json").write_text(json.dumps(modules))
    with pytest.raises(UserError, match=REFUSED):
        SentenceEncoder(Source("", encoder=str(base)), choose_device("cpu"))
    assert not (tmp_path / "ran").exists()
