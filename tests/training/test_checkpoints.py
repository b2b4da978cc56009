"""Which checkpoint a run goes on from, and that nobody else's files go."""

import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.numpy import save_file

from memreason.models.manifest import Manifest
from memreason.planning_tokens.layout import PlanningTokens
from memreason.training.checkpoints import (
    COMPLETE,
    checkpoints_of,
    clean_up,
    damage,
    newest_whole_checkpoint,
    remove_checkpoint,
    rotate,
)

MANIFEST = Manifest("base", "", "", "float32", "lora", PlanningTokens(), {}, 8, 8)


def make(run: Path, step: int, complete: bool = True) -> Path:
    folder = run / f"checkpoint-{step}"
    folder.mkdir(parents=True)
    save_file({"a": np.zeros(100, np.float32)}, folder / "adapter_model.safetensors")
    for name in ("optimizer.pt", "scheduler.pt", "rng_state.pth"):
        torch.save({"a": torch.zeros(100)}, folder / name)
    (folder / "trainer_state.json").write_text(json.dumps({"global_step": step}))
    MANIFEST.write(folder)
    if complete:
        (folder / COMPLETE).touch()
    return folder


def cut(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:-200])


def names(run: Path) -> list[str]:
    return sorted(path.name for path in run.iterdir())


DAMAGES: dict[str, tuple[Callable[[Path], None], str]] = {
    "weights cut": (lambda f: cut(f / "adapter_model.safetensors"), "adapter_model.safetensors"),
    "weights gone": (lambda f: (f / "adapter_model.safetensors").unlink(), "its weights are missing"),
    "optimizer cut": (lambda f: cut(f / "optimizer.pt"), "optimizer.pt"),
    "optimizer empty": (lambda f: (f / "optimizer.pt").write_bytes(b""), "optimizer.pt"),
    "random state cut": (lambda f: cut(f / "rng_state.pth"), "rng_state.pth"),
    "scheduler gone": (lambda f: (f / "scheduler.pt").unlink(), "scheduler.pt is missing"),
    "state cut": (lambda f: (f / "trainer_state.json").write_text("{"), "trainer_state.json"),
    "state of another step": (
        lambda f: (f / "trainer_state.json").write_text('{"global_step": 7}'), "it is of step 7"
    ),
    "state with a history of words": (
        lambda f: (f / "trainer_state.json").write_text('{"global_step": 2, "log_history": ["a"]}'),
        "trainer_state.json: log_history is",
    ),
    "state with what none has": (
        lambda f: (f / "trainer_state.json").write_text('{"global_step": 2, "mine": 1}'),
        "trainer_state.json: ",
    ),
    "manifest cut": (lambda f: (f / "memreason.json").write_text("{"), "not a manifest"),
}  # fmt: skip


class TestNewest:
    def test_by_number_and_past_names_that_are_no_numbers(self, tmp_path: Path) -> None:
        for step in (9, 10):
            make(tmp_path, step)
        for name in ("checkpoint-best", "checkpoint-", "checkpoint-1a", "checkpoint-99"):
            (tmp_path / name).mkdir()
            (tmp_path / name / "mine").touch()
        (tmp_path / "checkpoint-100").touch()
        before = names(tmp_path)
        assert newest_whole_checkpoint(tmp_path, pytest.fail) == tmp_path / "checkpoint-10"
        assert names(tmp_path) == before

    def test_one_that_was_cut_off_while_saved_goes_but_for_what_is_not_ours(self, tmp_path: Path) -> None:
        make(tmp_path, 1)
        for step in (2, 3):
            make(tmp_path, step, complete=False)
        (tmp_path / "checkpoint-3" / "notes.txt").touch()
        (tmp_path / ".saving.abc").mkdir()
        assert newest_whole_checkpoint(tmp_path, pytest.fail) == tmp_path / "checkpoint-1"
        assert names(tmp_path) == ["checkpoint-1", "checkpoint-3"]
        assert names(tmp_path / "checkpoint-3") == ["notes.txt"]

    @pytest.mark.parametrize(("harm", "what"), DAMAGES.values(), ids=DAMAGES)
    def test_a_damaged_one_is_named_left_and_passed_over(
        self, tmp_path: Path, harm: Callable[[Path], None], what: str
    ) -> None:
        older, newer = make(tmp_path, 1), make(tmp_path, 2)
        assert damage(newer) is None
        harm(newer)
        said: list[str] = []
        assert newest_whole_checkpoint(tmp_path, said.append) == older
        assert len(said) == 1 and said[0].startswith(f"{newer} is damaged") and what in said[0]
        assert newer.is_dir()


class TestRemoving:
    def test_only_the_oldest_of_ours_go_and_never_the_best(self, tmp_path: Path) -> None:
        for step in (2, 4, 6, 8, 10):
            make(tmp_path, step)
        (tmp_path / "checkpoint-best").mkdir()
        rotate(tmp_path, 2, str(tmp_path / "checkpoint-4"))
        assert names(tmp_path) == ["checkpoint-10", "checkpoint-4", "checkpoint-best"]

    @pytest.mark.parametrize("limit", [None, 0, 5, 9])
    def test_without_a_limit_or_below_it_none_goes(self, tmp_path: Path, limit: int | None) -> None:
        for step in range(5):
            make(tmp_path, step)
        rotate(tmp_path, limit, None)
        assert len(checkpoints_of(tmp_path)) == 5

    def test_a_finished_run_keeps_weights_or_nothing_of_its_own(self, tmp_path: Path) -> None:
        make(tmp_path, 1)
        clean_up(tmp_path, keep_checkpoints=True)
        assert names(tmp_path / "checkpoint-1") == ["adapter_model.safetensors", "memreason.json", "trainer_state.json"]
        (tmp_path / "checkpoint-mine").mkdir()
        clean_up(tmp_path, keep_checkpoints=False)
        assert names(tmp_path) == ["checkpoint-mine"]

    def test_a_link_goes_and_not_what_it_leads_to(self, tmp_path: Path) -> None:
        folder = make(tmp_path / "run", 1)
        (tmp_path / "elsewhere").mkdir()
        (tmp_path / "elsewhere" / "metrics.json").touch()
        (folder / "tokenizer_dir").symlink_to(tmp_path / "elsewhere")
        (folder / "evaluation").symlink_to(tmp_path / "elsewhere")
        remove_checkpoint(folder)
        assert names(tmp_path / "elsewhere") == ["metrics.json"] and names(folder) == ["evaluation"]
        moved = make(tmp_path / "large disk", 2)
        (tmp_path / "run" / "checkpoint-2").symlink_to(moved)
        remove_checkpoint(tmp_path / "run" / "checkpoint-2")
        assert moved.is_dir() and names(tmp_path / "run") == ["checkpoint-1"]
