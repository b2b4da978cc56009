"""A stopped run goes on: past what is damaged or not ours, with its base model elsewhere, and alone in its folder."""

import json
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from helpers.holding import HOLD
from helpers.runs import options
from helpers.tiny import make_base

from memreason.errors import UserError
from memreason.evaluation.results import RunResult, read_result
from memreason.training import train as stage
from memreason.training.train import train


@pytest.fixture(scope="module")
def own_base(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_base(tmp_path_factory.mktemp("base") / "here", "tied")


@pytest.fixture(scope="module")
def stopped(own_base: Path, data: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run of two epochs, interrupted when all but its last files are written."""
    run = tmp_path_factory.mktemp("runs") / "run"

    def interrupt(*_: object) -> None:
        raise KeyboardInterrupt

    with pytest.MonkeyPatch.context() as patch, pytest.raises(KeyboardInterrupt):
        patch.setattr(stage, "_finish", interrupt)
        train(*options(own_base, data, run))
    assert (run / "checkpoint-4" / "complete").exists()
    return run


@pytest.fixture
def run(stopped: Path, tmp_path: Path) -> Path:
    return shutil.copytree(stopped, tmp_path / "run")


def go_on(base: Path, data: Path, run: Path) -> RunResult:
    return train(*options(base, data, run, resume=True))[0]


def test_past_a_newest_checkpoint_that_is_cut_off_and_past_folders_that_are_not_ours(
    run: Path, own_base: Path, data: Path, capsys: pytest.CaptureFixture[str]
) -> None:  # fmt: skip
    for name in ("checkpoint-best", "checkpoint-mine"):
        (run / name).mkdir()
        (run / name / "model.safetensors").write_text("mine")
    optimizer = run / "checkpoint-4" / "optimizer.pt"
    optimizer.write_bytes(optimizer.read_bytes()[:-500])
    result = go_on(own_base, data, run)
    said = "".join(capsys.readouterr().err.split())  # long paths are broken anywhere
    assert "checkpoint-4isdamaged(optimizer.pt:" in said and "ispassedover;deleteit" in said
    assert "checkpoint-2" in said.partition("resumingfrom")[2]
    assert result == read_result(RunResult, run / "metrics.json")
    assert (run / "checkpoint-mine" / "model.safetensors").read_text() == "mine"


def of_optimizer(change: Callable[[dict[str, Any]], None]) -> Callable[[Path], None]:
    def damage(folder: Path) -> None:
        state = torch.load(folder / "optimizer.pt", weights_only=True)
        change(state)
        torch.save(state, folder / "optimizer.pt")

    return damage


def to_nan(state: dict[str, Any]) -> None:
    state["state"][0]["exp_avg"].fill_(float("nan"))


def to_another_shape(state: dict[str, Any]) -> None:
    state["state"][0]["exp_avg_sq"] = torch.zeros(3, 3)


DAMAGES: dict[str, tuple[Callable[[Path], None], str]] = {
    "not finite": (of_optimizer(to_nan), "optimizer.pt .*exp_avg is not finite"),
    "another shape": (of_optimizer(to_another_shape), r"optimizer.pt .*exp_avg_sq is \(3, 3\), and its weight"),
    "no groups": (of_optimizer(lambda state: state.pop("param_groups")), "optimizer.pt .*'param_groups' is missing"),
    "something else": (lambda folder: torch.save([1], folder / "optimizer.pt"), "optimizer.pt "),
    "random state": (lambda folder: torch.save({}, folder / "rng_state.pth"), "rng_state.pth .*'python' is missing"),
    "scheduler": (lambda folder: torch.save([1], folder / "scheduler.pt"), "scheduler.pt "),
}  # fmt: skip


@pytest.mark.parametrize(
    ("damage", "what"),
    [pytest.param(*case, id=name, marks=[pytest.mark.slow] * (name != "not finite")) for name, case in DAMAGES.items()],
)
def test_a_state_that_cannot_be_gone_on_from_is_named_with_the_folder_to_delete(
    run: Path, own_base: Path, data: Path, damage: Callable[[Path], None], what: str
) -> None:  # fmt: skip
    shutil.rmtree(run / "checkpoint-4")
    damage(run / "checkpoint-2")
    with pytest.raises(UserError, match=rf"(?s)checkpoint-2: .*{what}.*delete \S*checkpoint-2, and the same command"):
        go_on(own_base, data, run)


def test_with_the_base_model_in_another_place_but_not_with_another_one(
    stopped: Path, own_base: Path, data: Path, tmp_path: Path
) -> None:  # fmt: skip
    run = shutil.copytree(stopped, tmp_path / "run")
    with pytest.raises(UserError, match="has other weights; give the right one with --model_name_or_path"):
        go_on(make_base(tmp_path / "other", "tied", seed=1), data, run)
    moved = shutil.copytree(own_base, tmp_path / "moved")
    assert go_on(moved, data, run).after.splits
    assert json.loads((run / "memreason.json").read_text())["base_model"] == str(moved)


def test_two_runs_into_one_folder_at_once_are_refused(tmp_path: Path, own_base: Path, data: Path) -> None:
    run = tmp_path / "run"
    holder = subprocess.Popen([sys.executable, "-c", HOLD, str(run)], stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    assert holder.stdout is not None and holder.stdout.readline() == b"held\n"
    with pytest.raises(UserError, match=r"--output_dir \S+run: another process is writing to it"):
        train(*options(own_base, data, run))
    holder.kill()
    holder.wait()
