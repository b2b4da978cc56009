"""A server that misbehaves: 30% of its replies are faults of every kind."""

from collections import Counter
from pathlib import Path

import pytest
from helpers.label_runs import rows_of, write_questions

from memreason.label.config import LabelConfig
from memreason.label.rejection_reasons import REASONS
from memreason.label.run import run
from memreason.label.solutions_and_rejects import rejects_path
from memreason.llm.fake_server import FAULTS, ScriptedServer
from memreason.tasks.registry import load_task


@pytest.fixture
def backoff_without_waiting(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("memreason.llm.openai_api.BACKOFF", 0.01)


@pytest.mark.slow
def test_of_500_questions_every_one_ends_once_in_order_as_accepted_or_as_a_named_rejection(
    tmp_path: Path, backoff_without_waiting: None
) -> None:
    ids = write_questions(tmp_path / "questions.jsonl", 500)
    server = ScriptedServer(latency=0.01, faults=0.3, stall=1.5)
    with server.running() as url:
        config = LabelConfig(
            input=str(tmp_path / "questions.jsonl"), output=str(tmp_path / "out.jsonl"),
            request_cache=str(tmp_path / "requests.sqlite"), planner="some-model", knowledge="other-model",
            base_url=url, timeout=0.5, retries=4, concurrency=32,
        )  # fmt: skip
        run(config)
    assert all(server.counts[fault] > 20 for fault in FAULTS), server.counts
    accepted, rejected = rows_of(tmp_path / "out.jsonl"), rows_of(rejects_path(tmp_path / "out.jsonl"))
    ended = Counter(row["id"] for row in accepted + rejected)
    assert set(ended) == set(ids) and set(ended.values()) == {1}
    for rows in (accepted, rejected):
        assert [row["id"] for row in rows] == sorted((row["id"] for row in rows), key=ids.index)
    assert len(accepted) > 400
    assert rejected and all(row["reason"] in REASONS and row["detail"] for row in rejected)
    replied = [row for row in rejected if row["reason"] != "request_failed"]
    assert replied and all(row["replies"] for row in replied)  # the raw texts are kept
    assert len(load_task("jsonl", str(tmp_path / "out.jsonl")).splits["train"]) > 200


@pytest.mark.parametrize("fault", FAULTS)
def test_one_fault_of_a_kind_costs_one_more_request_and_no_row(
    fault: str, tmp_path: Path, backoff_without_waiting: None
) -> None:
    ids = write_questions(tmp_path / "questions.jsonl", 3)
    server = ScriptedServer(stall=0.6)
    answer, faults = server._answer, [fault]
    server._answer = lambda request, body, _: answer(request, body, faults.pop() if faults else None)  # type: ignore[method-assign]
    with server.running() as url:
        out = run(LabelConfig(
            input=str(tmp_path / "questions.jsonl"), output=str(tmp_path / "out.jsonl"), planner="m", base_url=url,
            request_cache=str(tmp_path / "requests.sqlite"), timeout=0.3, concurrency=1, order="single",
        )).files  # fmt: skip
    assert [row["id"] for row in rows_of(out.output)] == ids
    assert server.counts["requests"] == 4
    assert server.counts[fault] == 1
