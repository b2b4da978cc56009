"""One run, one folder: nothing of anybody else's is touched, and what was frozen comes back."""

from pathlib import Path
from typing import Any, ClassVar

import pytest
import yaml

from memreason.config.ablations import AblationConfig
from memreason.config.data import DataConfig
from memreason.config.model import ModelConfig
from memreason.config.run import CONFIG, RunConfig, read_config, write_config
from memreason.errors import UserError
from memreason.models.manifest import Manifest
from memreason.planning_tokens.layout import PlanningTokens
from memreason.training.config import TrainingConfig
from memreason.training.run_folder import (
    BASE,
    FINISHED,
    begin_run,
    begun_dtype,
    check_run,
    check_same_base,
    frozen_config,
)

OPTIONS = {"dataset": "atlas", "k_shot": 0, "lora_r": 16}


def config_with(**options: Any) -> RunConfig:
    return RunConfig.of(OPTIONS | options)


CONFIG_A = config_with()


def write_options(folder: Path, **options: Any) -> None:
    """A config as a file that somebody has changed may have it."""
    (folder / CONFIG).write_text(yaml.safe_dump(OPTIONS | options))


def test_a_new_folder_is_begun_with_its_config(tmp_path: Path) -> None:
    run = tmp_path / "a" / "run"
    assert check_run(run, CONFIG_A, resume=False, overwrite=False) is False
    assert not run.exists()
    begin_run(run, CONFIG_A)
    assert read_config(run) == CONFIG_A
    assert check_run(run, CONFIG_A, resume=True, overwrite=False) is True


def test_a_run_whose_config_has_lost_a_training_argument_is_not_resumed_with_another_one(tmp_path: Path) -> None:
    begin_run(tmp_path, CONFIG_A)
    options = yaml.safe_load((tmp_path / CONFIG).read_text())
    del options["seed"]
    (tmp_path / CONFIG).write_text(yaml.safe_dump(options))
    with pytest.raises(UserError, match="begun with other options: seed was None and is 42"):
        check_run(tmp_path, CONFIG_A, resume=True, overwrite=False)


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
    config = frozen_config(ModelConfig("model"), DataConfig("jsonl", "mine.jsonl"), training, AblationConfig())
    assert "hf_planted" not in str(config.options())
    assert config.data.data_path == str(tmp_path / "mine.jsonl")
    assert config.model.model_name_or_path == str(tmp_path / "model")
    assert config.training.num_train_epochs == 7 and "output_dir" not in config.options()


def test_a_run_goes_on_with_any_device_and_in_its_own_data_type(tmp_path: Path) -> None:
    begin_run(tmp_path, config_with(**{"dtype": "bfloat16", "use_cpu": True}))
    assert check_run(tmp_path, config_with(**{"dtype": "auto"}), resume=True, overwrite=False)
    assert begun_dtype(tmp_path) == "bfloat16"
    with pytest.raises(UserError, match="dtype was 'bfloat16' and is 'float32'"):
        check_run(tmp_path, config_with(**{"dtype": "float32"}), resume=True, overwrite=False)


def test_a_run_whose_config_does_not_know_its_data_type_goes_on_in_its_checkpoints(tmp_path: Path) -> None:
    begin_run(tmp_path, config_with(**{"dtype": "auto"}))
    assert begun_dtype(tmp_path) == "auto"
    (tmp_path / "checkpoint-2").mkdir()
    Manifest("base", "", "", "float32", "lora", PlanningTokens(), {}, 8, 8).write(tmp_path / "checkpoint-2")
    assert begun_dtype(tmp_path) == "float32"


def test_the_device_is_not_frozen(tmp_path: Path) -> None:
    for options in ({}, {"use_cpu": True}, {"on_device": "cpu"}):
        training = TrainingConfig(output_dir=str(tmp_path), **options)
        config = frozen_config(ModelConfig(), DataConfig(), training, AblationConfig())
        assert not {"use_cpu", "on_device", "device"} & set(config.options())


class TestOverwriting:
    """A folder is a run only if its config is ours, and only names that a run has written go."""

    FOREIGN: ClassVar = ["model.safetensors", "checkpoint-mine/model.safetensors", "checkpoint-7/optimizer.pt",
                         "evaluation-notes/mine.txt", "epochs/mine.txt", "adapter_notes.txt",
                         "logs/slurm.out"]  # fmt: skip

    def with_foreign_files(self, folder: Path) -> Path:
        for name in self.FOREIGN:
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            (folder / name).write_text("precious")
        return folder

    def files(self, folder: Path) -> list[str]:
        return sorted(str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file())

    @pytest.mark.parametrize(
        "text",
        ["learning_rate: 0.1\n", "model_name_or_path: a\ndataset: b\nlora_rank: 8\n", "- a\n", "", "a: [", "\xff"],
    )
    def test_somebody_elses_config_makes_no_run_of_a_folder(self, tmp_path: Path, text: str) -> None:
        (self.with_foreign_files(tmp_path) / CONFIG).write_bytes(text.encode("latin-1"))
        before = self.files(tmp_path)
        for resume, overwrite in ((False, False), (False, True), (True, False)):
            with pytest.raises(UserError, match=r"config\.yaml|holds a run"):
                check_run(tmp_path, CONFIG_A, resume, overwrite)
        assert self.files(tmp_path) == before

    def test_only_its_own_files_go(self, tmp_path: Path) -> None:
        begin_run(tmp_path, config_with(**{"old": 1}))
        own = ["metrics.json", "memreason.json", "adapter_model.safetensors", "checkpoint-8/memreason.json",
               "checkpoint-8/optimizer.pt", "checkpoint-8/evaluation/traces.jsonl", "epochs/epoch-1/traces.jsonl",
               "evaluation/metrics.json", "evaluation-test/traces.txt", "logs/events.out.tfevents.1.host.2.0",
               "logs/tracker_runs.json", "logs/wandb/run-1/run.wandb", "explanation/report.html",
               "explanation/explanation.json", "explanation/parts/answers-0.json"]  # fmt: skip
        for name in own:
            (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
            (tmp_path / name).touch()
        self.with_foreign_files(tmp_path)
        (tmp_path / "checkpoint-8" / "notes.txt").touch()
        assert check_run(tmp_path, CONFIG_A, resume=False, overwrite=True) is False
        begin_run(tmp_path, CONFIG_A)
        assert self.files(tmp_path) == sorted([*self.FOREIGN, CONFIG, "checkpoint-8/notes.txt"])
        assert read_config(tmp_path) == CONFIG_A

    def test_a_run_of_every_weight_takes_its_weights_along(self, tmp_path: Path) -> None:
        begin_run(tmp_path, config_with(**{"parameter_efficient_mode": "none"}))
        (tmp_path / "model.safetensors").touch()
        begin_run(tmp_path, CONFIG_A)
        assert self.files(tmp_path) == [CONFIG]


@pytest.mark.parametrize(
    ("entries", "what"),
    [
        ({"lora_r": "16"}, "lora_r is '16', which is no int"),
        ({"dataset": ["atlas"]}, r"dataset is \['atlas'\], which is no str"),
        ({"k_shot": None}, "k_shot is None"),
        ({"model_max_length": 1.5}, "model_max_length is 1.5"),
    ],
)
def test_a_config_with_values_of_other_types_is_named(tmp_path: Path, entries: dict[str, Any], what: str) -> None:
    write_options(tmp_path, **entries)
    with pytest.raises(UserError, match=rf"config\.yaml: not a config that memreason wrote: {what}.*; copy the folder"):
        read_config(tmp_path)


def test_data_options_that_cannot_be_are_named_with_their_file(tmp_path: Path) -> None:
    write_options(tmp_path, num_train=-3)
    with pytest.raises(UserError, match=r"config\.yaml: --num_train -3: must be at least"):
        read_config(tmp_path)


def test_a_config_that_unfolds_without_end_is_named_at_once(tmp_path: Path) -> None:
    write_config(tmp_path, CONFIG_A)
    lines = ["a0: &a0 [lol]"] + [f"a{i}: &a{i} [{', '.join([f'*a{i - 1}'] * 9)}]" for i in range(1, 30)]
    with open(tmp_path / CONFIG, "a") as file:
        file.write("\n".join(lines))
    with pytest.raises(UserError, match=r"was begun with other options: a0 was \['lol'\] and is None"):
        check_run(tmp_path, CONFIG_A, resume=True, overwrite=False)


@pytest.mark.parametrize("name", ["tokenizer.json", "config.json", "checkpoint-mine/a", "evaluation.txt"])
def test_a_folder_with_somebodys_files_of_such_names_is_no_place_for_a_run(tmp_path: Path, name: str) -> None:
    (tmp_path / name).parent.mkdir(exist_ok=True)
    (tmp_path / name).touch()
    with pytest.raises(UserError, match="but no run; give an empty folder"):
        check_run(tmp_path, CONFIG_A, resume=False, overwrite=True)


class TestAMovedBaseModel:
    def test_one_that_is_gone_is_named_with_the_way_out(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.chdir(tmp_path)
        begin_run(tmp_path / "run", config_with(**{BASE: str(tmp_path / "base")}))
        for said in (str(tmp_path / "base"), "base"):
            with pytest.raises(UserError, match=r"base, which is not there any more; if it lies.*--model_name_or_path"):
                check_run(tmp_path / "run", config_with(**{BASE: said}), resume=True, overwrite=False)

    def test_a_finished_run_needs_none(self, tmp_path: Path) -> None:
        begin_run(tmp_path, config_with(**{BASE: str(tmp_path / "base")}))
        (tmp_path / FINISHED).touch()
        assert check_run(tmp_path, config_with(**{BASE: str(tmp_path / "base")}), resume=True, overwrite=False)

    def test_another_place_is_let_pass_until_its_weights_are_known(self, tmp_path: Path) -> None:
        begin_run(tmp_path / "run", config_with(**{BASE: str(tmp_path / "base")}))
        (tmp_path / "moved").mkdir()
        moved = str(tmp_path / "moved")
        assert check_run(tmp_path / "run", config_with(**{BASE: moved}), resume=True, overwrite=False)
        with pytest.raises(UserError, match="has no checkpoint yet to compare"):
            check_same_base(tmp_path / "run", None, moved, "print")
        Manifest("base", "", "print", "float32", "lora", PlanningTokens(), {}, 8, 8).write(tmp_path)
        check_same_base(tmp_path / "run", tmp_path, moved, "print")
        with pytest.raises(UserError, match="has other weights; give the right one with --model_name_or_path"):
            check_same_base(tmp_path / "run", tmp_path, moved, "other")


def test_a_config_comes_back_as_it_was_written(tmp_path: Path) -> None:
    config = config_with(plan_first=True, seed=7, adam_beta1=0.8)
    assert (config.ablations.plan_first, config.training.seed, config.others) == (True, 7, {"adam_beta1": 0.8})
    write_config(tmp_path, config)
    assert read_config(tmp_path) == config


def test_a_config_that_names_its_base_model_twice_is_read(tmp_path: Path) -> None:
    write_options(tmp_path, base_model_name_or_path="base", model_name_or_path=str(tmp_path / "base"))
    assert read_config(tmp_path).model.model_name_or_path == str(tmp_path / "base")
