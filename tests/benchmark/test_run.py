"""The whole command, in real processes: turns, tables, and the file of figures."""

import json
import os
import signal
from pathlib import Path

import pytest
from helpers.benchmark_work import small, write_data

from memreason.benchmark.contestants import CEILING, Contestant
from memreason.benchmark.workload import prepare_work
from memreason.cli.main import main

pytestmark = pytest.mark.slow


@pytest.fixture
def arguments(bases: dict[str, Path], tmp_path: Path) -> list[str]:
    return [
        "benchmark", "--model_name_or_path", str(bases["tied"]), "--dataset", "jsonl", "--data_path",
        str(write_data(tmp_path / "data")), "--model_max_length", "160", "--rounds", "2", "--train_steps", "1",
        "--examples_per_step", "8", "--questions", "4", "--output", str(tmp_path / "out" / "figures.json"),
    ]  # fmt: skip


def test_everyone_has_their_turns_and_the_figures_are_printed_and_written(
    arguments: list[str], tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    assert main([*arguments, "--only", "memreason", "trainer", "llama.cpp"]) == 0
    page = capfd.readouterr().out
    result = json.loads((tmp_path / "out" / "figures.json").read_text())
    assert set(result["training"]) == {"memreason", "trainer"}
    assert set(result["generation"]) == {"memreason", "llama.cpp"}
    for row in (*result["training"].values(), result["generation"]["memreason"]):
        assert not row["error"] and len(row["seconds"]) == 2
        assert row["peak_memory"]["process"] > 50e6
        assert row["items_per_second"]["min"] <= row["items_per_second"]["median"] <= row["items_per_second"]["max"]
        assert f"| {row['title']}" in page
    assert result["training"]["memreason"]["tokens"] == result["training"]["trainer"]["tokens"]
    assert result["generation"]["llama.cpp"]["error"]
    assert "llama.cpp, one at a time: not measured: " in page
    assert len(result["ceiling"]) == 4 and min(result["ceiling"][0].values()) > 0
    assert result["machine"]["versions"]["torch"] and result["options"]["rounds"] == 2
    assert result["work"]["examples"] == 8
    assert os.listdir(tmp_path / "out") == ["figures.json"]


def test_models_that_do_not_fit_together_are_loaded_for_each_turn(arguments: list[str], tmp_path: Path) -> None:
    assert (
        main([*arguments, "--what", "training", "--only", "memreason", "--keep_loaded", "False", "--rounds", "1"]) == 0
    )
    row = json.loads((tmp_path / "out" / "figures.json").read_text())["training"]["memreason"]
    assert len(row["seconds"]) == 1 and not row["error"]


def test_where_nothing_could_be_measured_the_command_fails(
    arguments: list[str], capfd: pytest.CaptureFixture[str]
) -> None:
    assert main([*arguments, "--what", "generation", "--only", "llama.cpp"]) == 1
    assert "not measured" in capfd.readouterr().out


def test_one_whose_process_is_killed_says_so_and_keeps_its_turns(bases: dict[str, Path], tmp_path: Path) -> None:
    work = prepare_work(small(bases["tied"], write_data(tmp_path)))
    machine = Contestant(CEILING, CEILING, work)
    try:
        machine.start()
        machine.prepare()
        machine.take_turn()
        os.kill(machine._process.pid, signal.SIGKILL)
        machine.take_turn()
        assert machine.error == "its process ended with code -9"
        assert len(machine.turns) == 1
    finally:
        machine.close()
