"""Labelling through asynchronous batches: the same solutions, in rounds."""

import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from aiohttp import web
from helpers.label_runs import quiet_run, rows_of, write_questions

from memreason.errors import UserError
from memreason.label.config import LabelConfig
from memreason.label.solutions_and_rejects import rejects_path
from memreason.llm.base import Stopped
from memreason.llm.cache import RequestCache, Spent
from memreason.llm.fake_server import CONTENT_FAULTS, ScriptedServer


@pytest.fixture
def questions(tmp_path: Path) -> Path:
    write_questions(tmp_path / "questions.jsonl", 30)
    return tmp_path / "questions.jsonl"


def config(questions: Path, url: str, name: str = "out", **options: object) -> LabelConfig:
    folder = questions.parent
    defaults = {"input": str(questions), "output": str(folder / f"{name}.jsonl"), "planner": "m", "base_url": url,
                "request_cache": str(folder / f"{name}.sqlite"), "batch": True, "poll_seconds": 0.01}  # fmt: skip
    return LabelConfig(**{**defaults, **options})


def spent(output: Path) -> Spent:
    return RequestCache(output.with_suffix(".sqlite")).spent(str(output.resolve()))


def test_batches_give_the_same_file_as_asking_online(questions: Path) -> None:
    server = ScriptedServer()
    with server.running() as url:
        online = quiet_run(config(questions, url, "online", batch=False))
        asked = server.counts["requests"]
        batched = quiet_run(config(questions, url, "batched"))
    assert batched.output.read_bytes() == online.output.read_bytes()
    assert server.counts["requests"] == asked  # not one more online
    assert server.counts["batches"] == 2  # a round of plans, a round of facts
    assert server.counts["batch_requests"] == asked


def test_what_fails_in_a_batch_is_asked_again_in_the_next(questions: Path) -> None:
    server = ScriptedServer(faults=0.3)
    with server.running() as url:
        out = quiet_run(config(questions, url, retries=10))
    rows = rows_of(out.output) + rows_of(rejects_path(out.output))
    assert sorted(row["id"] for row in rows) == sorted(row["id"] for row in rows_of(questions))
    assert "request_failed" not in out.rejected
    assert server.counts["batches"] > 3


def test_what_fails_every_time_is_rejected_by_name(questions: Path) -> None:
    with ScriptedServer(faults=0.5, kinds=("500",)).running() as url:
        out = quiet_run(config(questions, url, retries=0))
    assert out.done == 30 and 0 < out.rejected["request_failed"] < 30


def test_a_parameter_that_the_endpoint_refuses_is_left_out_of_the_next_batch(questions: Path) -> None:
    server = ScriptedServer(refuses=("response_format",))
    with server.running() as url:
        assert quiet_run(config(questions, url, order="single")).accepted == 30
    assert server.counts["batches"] == 3  # json_schema, json_object, none


def test_half_the_price_is_counted_and_the_budget_kept(questions: Path) -> None:
    with ScriptedServer().running() as url:
        whole = quiet_run(config(questions, url, "online", batch=False, price="100,100"))
        half = quiet_run(config(questions, url, "half", price="100,100"))
        costs = [
            RequestCache(out.output.with_suffix(".sqlite")).spent(str(out.output.resolve())).cost
            for out in (whole, half)
        ]
        assert costs[1] == pytest.approx(costs[0] / 2)
        with pytest.raises(Stopped, match="--max_cost"):
            quiet_run(config(questions, url, "poor", price="100,100", max_cost=costs[1] / 2))
    assert 0 < spent(questions.parent / "poor.jsonl").cost <= costs[1] / 2


def test_a_batch_that_failed_is_submitted_anew_by_the_next_run(questions: Path) -> None:
    server = ScriptedServer()
    poll, failing = server.poll, [True]

    async def failed(request: web.Request) -> web.Response:
        if not failing:
            return await poll(request)
        shown = server._batches[request.match_info["id"]]
        errors = {"object": "list", "data": [{"message": "Enqueued token limit reached"}]}
        shown = {**shown, "status": "failed", "errors": errors}
        return web.json_response({key: value for key, value in shown.items() if key not in ("polls", "files")})

    server.poll = failed  # type: ignore[method-assign]
    with server.running() as url:
        with pytest.raises(UserError, match="Enqueued token limit reached; the same command submits"):
            quiet_run(config(questions, url))
        with pytest.raises(UserError, match="Enqueued"):
            quiet_run(config(questions, url))
        failing.clear()
        assert quiet_run(config(questions, url)).accepted == 30


@pytest.mark.parametrize("line", ["", "{}\n", "not JSON\n", '{"custom_id": "another"}\n'])
def test_what_a_batch_says_nothing_of_is_given_up_and_not_asked_for_ever(questions: Path, line: str) -> None:
    server = ScriptedServer()

    async def download(request: web.Request) -> web.Response:
        return web.Response(text=line + "".join(server._files[request.match_info["id"]].splitlines(True)[:-3]))

    server.download = download  # type: ignore[method-assign]
    with server.running() as url:
        out = quiet_run(config(questions, url, retries=1, order="single"))
    assert out.done == 30 and out.rejected == {"request_failed": 3}
    (detail,) = {row["detail"] for row in rows_of(rejects_path(out.output))}
    assert "say nothing of it" in detail


def test_a_budget_that_is_enough_is_enough_in_rounds(questions: Path) -> None:
    with ScriptedServer().running() as url:
        cost = spent(quiet_run(config(questions, url, "free", price="100,100")).output).cost
        assert quiet_run(config(questions, url, "tight", price="100,100", max_cost=2 * cost)).accepted == 30


def test_a_batch_under_way_is_not_asked_for_online_as_well(questions: Path) -> None:
    server = ScriptedServer()
    with server.running() as url:
        cache = RequestCache(questions.parent / "out.sqlite")
        cache.begin_batch("memreason-x", str((questions.parent / "out.jsonl").resolve()), "planner")
        with pytest.raises(UserError, match="add --batch to wait for it"):
            quiet_run(config(questions, url, batch=False))
    assert not server.counts["requests"]


def test_an_endpoint_without_batches_says_so(questions: Path) -> None:
    server = ScriptedServer()
    with server.running() as url, pytest.raises(UserError, match="did not take the batch"):
        quiet_run(config(questions, url.replace("/v1", "/v0")))


@pytest.mark.slow
def test_a_kill_while_a_batch_is_under_way_pays_for_nothing_twice(questions: Path) -> None:
    server = ScriptedServer(faults=0.1, kinds=CONTENT_FAULTS)
    server.polls_until_done = 10**9
    with server.running() as url:
        command = [sys.executable, "-m", "memreason", "label", "--input", str(questions), "--output",
                   str(questions.parent / "out.jsonl"), "--planner", "m", "--base_url", url, "--batch",
                   "--request_cache", str(questions.parent / "out.sqlite"), "--poll_seconds", "0.02"]  # fmt: skip
        process = subprocess.Popen(command, stderr=subprocess.DEVNULL, stdout=subprocess.DEVNULL)
        while not server.counts["batches"] and process.poll() is None:
            time.sleep(0.01)
        process.send_signal(signal.SIGKILL)
        process.wait()
        assert server.counts["batch_requests"] == 30
        server.polls_until_done = 1
        out = quiet_run(config(questions, url))
    assert out.done == 30
    plans_and_facts_and_repairs = 30 + out.accepted + 12
    assert server.counts["batch_requests"] < plans_and_facts_and_repairs + 12
