"""One run, one folder: nothing of anybody else's is touched, and what was frozen comes back."""

from pathlib import Path

import pytest

from memreason.config import DataConfig, ModelConfig
from memreason.errors import UserError
from memreason.manifest import Manifest
from memreason.planning_tokens import PlanningTokens
from memreason.run_folder import CONFIG, begin_run, begun_dtype, check_run, frozen_config, read_config
from memreason.training_config import TrainingConfig
from memreason.variants import VariantConfig

CONFIG_A = {"dataset": "atlas", "k_shot": 0, "lora_r": 16}


def test_a_new_folder_is_begun_with_its_config(tmp_path: Path) -> None:
    run = tmp_path / "a" / "run"
    assert check_run(run, CONFIG_A, resume=False, overwrite=False) is False
    assert not run.exists()
    begin_run(run, CONFIG_A)
    assert read_config(run) == CONFIG_A
    assert check_run(run, CONFIG_A, resume=True, overwrite=False) is True


def test_somebody_elses_model_is_not_overwritten_even_if_asked(tmp_path: Path) -> None:
    (tmp_path / "model.safetensors").write_bytes(b"precious")
    for overwrite in (False, True):
        with pytest.raises(UserError, match=r"holds model\.safetensors, but no run"):
            check_run(tmp_path, CONFIG_A, resume=False, overwrite=overwrite)
    assert (tmp_path / "model.safetensors").read_bytes() == b"precious"


def test_a_file_in_the_place_of_the_folder(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(UserError, match="is a file"):
        check_run(tmp_path / "file", CONFIG_A, resume=False, overwrite=False)


def test_a_damaged_config_is_named(tmp_path: Path) -> None:
    (tmp_path / CONFIG).write_text("a: [")
    with pytest.raises(UserError, match=r"config\.yaml: not valid YAML"):
        check_run(tmp_path, CONFIG_A, resume=True, overwrite=False)


def test_secrets_are_not_frozen_and_paths_are_absolute(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    Path("mine.jsonl").write_text("")
    Path("model").mkdir()
    training = TrainingConfig(output_dir="run", hub_token="hf_planted", num_train_epochs=7)
    config = frozen_config(ModelConfig("model"), DataConfig("jsonl", "mine.jsonl"), training, VariantConfig())
    assert "hf_planted" not in str(config)
    assert config["data_path"] == str(tmp_path / "mine.jsonl")
    assert config["model_name_or_path"] == str(tmp_path / "model")
    assert config["num_train_epochs"] == 7 and "output_dir" not in config


def test_a_run_goes_on_with_any_device_and_in_its_own_data_type(tmp_path: Path) -> None:
    begin_run(tmp_path, CONFIG_A | {"dtype": "bfloat16", "use_cpu": True})
    assert check_run(tmp_path, CONFIG_A | {"dtype": "auto"}, resume=True, overwrite=False)
    assert begun_dtype(tmp_path) == "bfloat16"
    with pytest.raises(UserError, match="dtype was 'bfloat16' and is 'float32'"):
        check_run(tmp_path, CONFIG_A | {"dtype": "float32"}, resume=True, overwrite=False)


def test_a_run_whose_config_does_not_know_its_data_type_goes_on_in_its_checkpoints(tmp_path: Path) -> None:
    begin_run(tmp_path, CONFIG_A | {"dtype": "auto"})
    assert begun_dtype(tmp_path) == "auto"
    (tmp_path / "checkpoint-2").mkdir()
    Manifest("base", "", "", "float32", "lora", PlanningTokens(), {}, 8, 8).write(tmp_path / "checkpoint-2")
    assert begun_dtype(tmp_path) == "float32"


def test_the_device_is_not_frozen(tmp_path: Path) -> None:
    for options in ({}, {"use_cpu": True}, {"on_device": "cpu"}):
        training = TrainingConfig(output_dir=str(tmp_path), **options)
        config = frozen_config(ModelConfig(), DataConfig(), training, VariantConfig())
        assert not {"use_cpu", "on_device", "device"} & set(config)
