"""A merged folder computes what the checkpoint computes, without memreason."""

import json
import shutil
from contextlib import redirect_stdout
from dataclasses import replace
from io import StringIO
from pathlib import Path

import pytest
import torch
from helpers.tiny import SHAPES, SOLUTIONS, make_base, teach
from helpers.units import config, logits, train_a_little
from transformers import AutoModelForCausalLM, AutoTokenizer

from memreason import load as load_reasoner
from memreason.cli.main import main
from memreason.config.checks import PREFIX_TUNING
from memreason.config.model import PARAMETER_EFFICIENT_MODES
from memreason.errors import UserError
from memreason.export.merged import write_merged
from memreason.export.verify import Reference, compared
from memreason.models.build import build
from memreason.models.load import load
from memreason.models.manifest import MANIFEST, read_manifest
from memreason.models.unit import ModelUnit
from memreason.records import Verdict
from memreason.runtime.files import write_jsonl

MODES = [mode for mode in PARAMETER_EFFICIENT_MODES if mode != PREFIX_TUNING]


def trained(base: Path, folder: Path, mode: str = "lora+prompt-tuning", **options: object) -> ModelUnit:
    unit = build(config(base, mode, **options), 128)
    train_a_little(unit)
    unit.save(folder)
    return unit


@pytest.fixture(scope="module")
def checkpoint(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A checkpoint whose answers are not all noise, with the record of an evaluation."""
    root = tmp_path_factory.mktemp("export")
    trained(teach(make_base(root / "base", "tied")), root / "run")
    questions = [solution.question for solution in SOLUTIONS]
    traces = load_reasoner(root / "run").answer(questions)
    (root / "run" / "evaluation").mkdir()
    rows = [Verdict(trace, None, None, "no_answer", "no_answer").to_json() for trace in traces]
    write_jsonl(root / "run" / "evaluation" / "traces.jsonl", rows)
    return root / "run"


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("mode", MODES)
def test_each_shape_and_mode_is_a_plain_model_with_the_same_logits(
    bases: dict[str, Path], shape: str, mode: str, tmp_path: Path
) -> None:
    unit = trained(bases[shape], tmp_path / "run", mode)
    folder = tmp_path / "merged"
    assert write_merged(tmp_path / "run", folder, max_shard_size="20KB") == []
    model, info = AutoModelForCausalLM.from_pretrained(folder, output_loading_info=True)
    assert not any(info.values())
    assert len(list(folder.glob("model-*.safetensors"))) > 2
    assert len({file.stat().st_mode for file in folder.iterdir()}) == 1  # whoever reads one file reads all
    assert torch.allclose(logits(model, unit), logits(unit.model, unit), atol=1e-4)
    tied = model.get_input_embeddings().weight is model.get_output_embeddings().weight
    assert tied == (shape == "tied")
    assert model.config.eos_token_id == model.generation_config.eos_token_id == unit.end_id
    # It is a checkpoint too, of which all weights were trained.
    again = load(folder)
    assert torch.equal(logits(again.model, unit), logits(model, unit))


def test_what_stands_beside_the_weights_is_plain_and_portable(checkpoint: Path, tmp_path: Path) -> None:
    folder = tmp_path / "merged"
    write_merged(checkpoint, folder, dtype="bfloat16")
    config = json.loads((folder / "config.json").read_text())
    assert config["dtype"] == config["torch_dtype"] == "bfloat16"
    assert config["rope_theta"] == config["rope_parameters"]["rope_theta"]
    options = json.loads((folder / "tokenizer_config.json").read_text())
    assert options["tokenizer_class"] == "PreTrainedTokenizerFast"
    assert not {"is_local", "local_files_only", "name_or_path"} & set(options)
    settings = json.loads((folder / "generation_config.json").read_text())
    assert (settings["do_sample"], settings["temperature"], settings["max_length"]) == (False, 0.0, 128)
    tokenizer = AutoTokenizer.from_pretrained(folder)
    ids = list(read_manifest(folder).token_ids.values())
    assert tokenizer.decode(ids, skip_special_tokens=True).count("_") == len(ids)


@pytest.mark.slow
def test_the_command_verifies_in_a_fresh_process_and_the_readme_runs(
    checkpoint: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    page = StringIO()
    with redirect_stdout(page):
        assert main(["export", str(checkpoint), "--output_dir", "out", "--json"]) == 0
    result = json.loads(page.getvalue())
    checks = result["checks"]
    assert checks["answers_equal"] == checks["prompts_equal"] == checks["as_evaluate_recorded"] == "4 of 4"
    assert checks["logits_apart_at_most"] <= 1e-4
    assert sorted(path.name for path in Path("out").iterdir()) == result["files"]
    assert sorted(path.name for path in tmp_path.iterdir()) == ["out"]
    code = Path("out/README.md").read_text().split("```python\n")[1].split("```")[0]
    with redirect_stdout(StringIO()) as printed:
        exec(compile(code, "README.md", "exec"), {})
    assert (
        "<prefix_0>" + printed.getvalue().removesuffix("\n")
        == load_reasoner(checkpoint).answer(SOLUTIONS[0].question).text
    )
    assert main(["export", str(checkpoint), "--output_dir", "out"]) == 2  # it is not empty


def test_differences_are_refused() -> None:
    one = torch.tensor([[1.0, 2.0, 4.0]])
    reference = Reference("float32", ["?"], [[1]], [[1]], [[0]], beside=[one], merged=[one], answers=["a"])
    same = {"prompts": [[1]], "answers": ["a"], "dtype": "float32", "memreason": False}
    assert compared(reference, same, {"0": one + 1e-5})["answers_equal"] == "1 of 1"
    for result, theirs in [(same, one + 1e-3), (same | {"answers": ["b"]}, one), (same | {"prompts": [[2]]}, one)]:
        with pytest.raises(UserError, match="does not do what the checkpoint does"):
            compared(reference, result, {"0": theirs})
    two = replace(reference, texts=[[1], [1]], beside=[one, one], merged=[one, one])
    with pytest.raises(UserError, match="does not do"):
        compared(two, same, {"0": one, "1": one * torch.nan})
    with pytest.raises(UserError, match="does not do"):  # a wrong merge, faithfully written
        compared(replace(reference, beside=[one * 1.1]), same, {"0": one})


def test_what_cannot_be_merged_is_said_before_anything_is_written(bases: dict[str, Path], tmp_path: Path) -> None:
    trained(bases["tied"], tmp_path / "prefix", PREFIX_TUNING, add_soft_prompts=False)
    with pytest.raises(UserError, match="cannot be merged into it; export --to adapter"):
        write_merged(tmp_path / "prefix", tmp_path / "out")
    unit = trained(bases["tied"], tmp_path / "sparse")
    replace(unit.manifest, sparse_attention="step").write(tmp_path / "sparse")
    with pytest.raises(UserError, match="--use_sparse_attention"):
        write_merged(tmp_path / "sparse", tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_a_checkpoint_of_quantized_training_is_merged_into_the_base_models_own_weights(
    checkpoint: Path, tmp_path: Path
) -> None:
    shutil.copytree(checkpoint, tmp_path / "run")
    replace(read_manifest(checkpoint), bits=8).write(tmp_path / "run")
    folder = tmp_path / "out"
    write_merged(tmp_path / "run", folder)
    assert json.loads((folder / MANIFEST).read_text())["bits"] is None
    unit = load(checkpoint)
    model = AutoModelForCausalLM.from_pretrained(folder)
    assert torch.allclose(logits(model, unit), logits(unit.model, unit), atol=1e-4)
