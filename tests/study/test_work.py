"""Cells are run once each, by any number of workers, and go on after any kill."""

import os
import signal
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

import psutil
import pytest
from helpers.studies import cell, prepared, worker

from memreason.errors import UserError
from memreason.study.folder import StudyFolder
from memreason.study.machine import environment

TESTS = Path(__file__).parents[1]


@pytest.fixture(autouse=True)
def look_often(monkeypatch: pytest.MonkeyPatch) -> None:
    """So that the tests need not wait long for what other workers do."""
    monkeypatch.setattr("memreason.study.work._LOOK", 0.1)


def begun(study: StudyFolder) -> list[str]:
    """The command of each time that a cell was begun."""
    return [line for path in study.path.glob("runs/*/*/begun") for line in path.read_text().split()]


def test_the_commands_of_a_cell_run_one_after_the_other_and_finished_ones_do_not_run_again(tmp_path: Path) -> None:
    cells = [cell("plain", commands=("train", "explain")), cell("typed")]
    study = prepared(tmp_path, cells)
    (study.of(cells[0])).mkdir(parents=True)
    (study.of(cells[0]) / "mark-train").write_text("{}")
    state = worker(tmp_path, study, parallel=2).work(cells)
    assert [each.name for each in state.finished] == ["plain/seed-1", "typed/seed-1"] and not state.left
    assert sorted(begun(study)) == ["explain", "train"]
    assert [row["command"] for row in study.times(cells[0])] == ["explain"]
    log = (study.of(cells[0]) / "log.txt").read_text()
    assert log.startswith("$ memreason explain ") and "began" in log


def test_a_command_whose_files_are_damaged_or_gone_runs_again(tmp_path: Path) -> None:
    whole, cut, lacking = (cell(arm) for arm in ("whole", "cut", "lacking"))
    lacking = replace(lacking, steps=(replace(lacking.steps[0], beside=("begun",)),))
    study = prepared(tmp_path, [whole, cut, lacking])
    for each, mark in ((whole, '{"a": 1}\n'), (cut, '{"a": '), (lacking, "{}")):
        study.of(each).mkdir(parents=True)
        (study.of(each) / "mark-train").write_text(mark)
    assert [study.finished(each) for each in (whole, cut, lacking)] == [True, False, False]
    worker(tmp_path, study).work([whole, cut])
    assert begun(study) == ["train"] and (study.of(cut) / "mark-train").read_text() == "{}"


def test_a_cell_that_fails_stops_no_other_is_named_with_its_last_words_and_is_tried_again(tmp_path: Path) -> None:
    cells = [cell("broken", how=["fail"]), cell("typed")]
    study = prepared(tmp_path, cells)
    state = worker(tmp_path, study).work(cells)
    assert [each.arm for each in state.failed] == ["broken"] and [each.arm for each in state.finished] == ["typed"]
    failure = study.failure(cells[0])
    assert failure and failure["exit_code"] == 1 and failure["log"][-2:] == ["progress 9%", "it went wrong"]
    state = worker(tmp_path, study).work(cells)
    assert [each.arm for each in state.failed] == ["broken"]
    assert (study.of(cells[0]) / "log.txt").read_text().count("it went wrong") == 2


def test_workers_that_share_a_folder_run_each_cell_once(tmp_path: Path) -> None:
    cells = [cell("plain", seed) for seed in range(8)]
    study = prepared(tmp_path, cells)
    with ThreadPoolExecutor() as pool:
        states = list(pool.map(lambda at: worker(tmp_path, study, 2, (at, 2)).work(cells), range(2)))
    assert all(len(state.finished) == 8 for state in states)
    assert begun(study) == ["train"] * 8


def test_where_there_are_no_locks_a_worker_keeps_to_its_share(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import fcntl

    def refuse(*_: object) -> None:
        raise OSError("no locks available")

    cells = [cell("plain", seed) for seed in range(4)]
    study = prepared(tmp_path, cells)
    monkeypatch.setattr(fcntl, "flock", refuse)
    with ThreadPoolExecutor() as pool:
        running = pool.submit(worker(tmp_path, study, 4, (1, 2)).work, cells)
        while not (study.finished(cells[1]) and study.finished(cells[3])):
            time.sleep(0.02)
        assert len(begun(study)) == 2
        for each in cells[::2]:  # by the other worker
            study.of(each).mkdir(parents=True)
            (study.of(each) / "mark-train").write_text("{}")
        assert len(running.result().finished) == 4


def test_a_killed_worker_leaves_nothing_in_the_way(tmp_path: Path) -> None:
    """Its cell's process goes on, and is waited for; when that is killed as well, the cell is run again."""
    cells = [cell("plain", 1, ["wait"]), cell("typed", 1, ["wait"])]
    study = prepared(tmp_path, cells)
    code = (
        "from pathlib import Path; from helpers.studies import *; folder = Path(sys.argv[1]); "
        "cells = [cell(arm, 1, ['wait']) for arm in ('plain', 'typed')]; "
        "worker(folder, StudyFolder(folder / 'study'), 2).work(cells)"
    )
    killed = subprocess.Popen([sys.executable, "-c", f"import sys; {code}", str(tmp_path)], cwd=TESTS)
    while len(begun(study)) < 2:
        time.sleep(0.02)
    killed.kill()
    killed.wait()
    (orphan,) = [each.pid for each in psutil.process_iter(["cmdline"])
                 if str(study.of(cells[0])) in (each.info["cmdline"] or ())]  # fmt: skip
    with ThreadPoolExecutor() as pool:
        running = pool.submit(worker(tmp_path, study, 2).work, cells)
        time.sleep(0.3)
        assert len(begun(study)) == 2  # the processes of the killed worker hold the locks
        os.kill(orphan, signal.SIGKILL)
        while len(begun(study)) < 3:
            time.sleep(0.02)
        (tmp_path / "gate").touch()
        assert len(running.result().finished) == 2
    assert len(begun(study)) == 3


def test_in_the_time_that_it_gets_a_worker_ends_its_cells(tmp_path: Path) -> None:
    cells = [cell("plain", how=["wait"])]
    study = prepared(tmp_path, cells)
    state = worker(tmp_path, study, seconds=0.4).work(cells)
    assert state.left == cells and not state.failed and study.failure(cells[0]) is None
    (tmp_path / "gate").touch()
    assert worker(tmp_path, study).work(cells).finished == cells


def test_a_cell_that_was_begun_with_other_options_is_not_taken_for_this_one(tmp_path: Path) -> None:
    study = prepared(tmp_path, [cell("plain")])
    worker(tmp_path, study).work([cell("plain")])
    changed = cell("plain", how=["--lora_r", "4"])
    with pytest.raises(UserError, match=r"plain/seed-1 was begun with another command: nothing there, --lora_r 4 in"):
        study.check_begun(changed)


def test_the_commands_of_a_study_are_written_as_a_script(tmp_path: Path) -> None:
    study = prepared(tmp_path, [cell("plain"), cell("typed")])
    script = study.path / "commands.sh"
    assert f"memreason train {study.path}/runs/plain/seed-1\n" in script.read_text()
    assert subprocess.run(["sh", "-n", script]).returncode == 0


def test_cores_and_gpus_are_shared_out(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("OMP_NUM_THREADS", raising=False)
    monkeypatch.setattr(os, "sched_getaffinity", lambda _: set(range(16)))
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "4,5")
    shares = [environment(place, 4) for place in range(4)]
    assert [each["OMP_NUM_THREADS"] for each in shares] == ["4"] * 4
    assert [each["CUDA_VISIBLE_DEVICES"] for each in shares] == ["4", "5", "4", "5"]
    monkeypatch.setenv("OMP_NUM_THREADS", "3")
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "")
    monkeypatch.setattr("memreason.study.machine._gpus", lambda: {"0": "one", "1": "another"})
    hidden = environment(0, 4)
    assert hidden["OMP_NUM_THREADS"] == "3" and hidden["CUDA_VISIBLE_DEVICES"] == ""
