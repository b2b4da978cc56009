"""A run that is killed goes on with the same command, and pays for nothing twice."""

import os
import random
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from helpers.label_runs import rows_of, write_questions

from memreason.label.solutions_and_rejects import rejects_path
from memreason.llm.fake_server import CONTENT_FAULTS, ScriptedServer

IN_FLIGHT = 8


def command(folder: Path, name: str, url: str) -> list[str]:
    return [
        sys.executable, "-m", "memreason", "label", "--input", str(folder / "questions.jsonl"),
        "--output", str(folder / name / "out.jsonl"), "--request_cache", str(folder / name / "requests.sqlite"),
        "--planner", "some-model", "--base_url", url, "--concurrency", str(IN_FLIGHT),
    ]  # fmt: skip


@pytest.mark.slow
def test_ten_kills_change_nothing_in_the_result_and_cost_only_the_requests_in_flight(tmp_path: Path) -> None:
    write_questions(tmp_path / "questions.jsonl", 500)
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}
    # The same prompt always gets the same reply or the same fault, as from a greedy model.
    server = ScriptedServer(latency=0.02, faults=0.1, kinds=CONTENT_FAULTS)
    completion = server._completion
    server._completion = lambda body, _: completion(body, steady_fault(body))  # type: ignore[method-assign]
    with server.running() as url:
        subprocess.run(command(tmp_path, "whole", url), check=True, env=environment, capture_output=True)
        one_pass = server.counts["requests"]
        server.counts.clear()
        for target in sorted(random.Random(1).sample(range(20, one_pass - 20), 10)):
            process = subprocess.Popen(command(tmp_path, "killed", url), env=environment, stderr=subprocess.DEVNULL)
            while server.counts["requests"] < target and process.poll() is None:
                time.sleep(0.002)
            process.send_signal(signal.SIGKILL)
            process.wait()
            time.sleep(0.1)
        subprocess.run(command(tmp_path, "killed", url), check=True, env=environment, capture_output=True)
    whole, killed = tmp_path / "whole" / "out.jsonl", tmp_path / "killed" / "out.jsonl"
    assert killed.read_bytes() == whole.read_bytes()
    assert rejects_path(killed).read_bytes() == rejects_path(whole).read_bytes()
    assert len(rows_of(whole)) + len(rows_of(rejects_path(whole))) == 500
    assert one_pass < server.counts["requests"] <= 1.01 * one_pass + 10 * IN_FLIGHT


def steady_fault(body: dict) -> str | None:
    draw = random.Random(str(body["messages"]))
    return draw.choice(CONTENT_FAULTS) if draw.random() < 0.1 else None


@pytest.mark.slow
def test_a_run_that_is_told_to_stop_says_how_it_goes_on(tmp_path: Path) -> None:
    write_questions(tmp_path / "questions.jsonl", 200)
    server = ScriptedServer(latency=0.05)
    with server.running() as url:
        process = subprocess.Popen(command(tmp_path, "told", url), stderr=subprocess.PIPE, stdout=subprocess.DEVNULL)
        while server.counts["requests"] < 20 and process.poll() is None:
            time.sleep(0.002)
        process.send_signal(signal.SIGTERM)
        _, said = process.communicate()
    assert said.decode().strip() == "memreason label: stopped by SIGTERM; the same command goes on from here"
    assert process.returncode == 128 + signal.SIGTERM
    assert 0 < len(rows_of(tmp_path / "told" / "out.jsonl")) < 200
