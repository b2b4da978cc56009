"""Whole labelling runs, against the scripted server and the scripted agent."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from helpers.label_runs import quiet_run, rows_of, write_questions

from memreason.cli.main import main
from memreason.errors import UserError
from memreason.label import resume
from memreason.label.config import LabelConfig
from memreason.label.solutions_and_rejects import rejects_path
from memreason.llm.base import Stopped
from memreason.llm.cache import RequestCache
from memreason.llm.fake_server import ScriptedServer
from memreason.records import MEMORY, REASON
from memreason.tasks.registry import load_task


@pytest.fixture
def questions(tmp_path: Path) -> Path:
    write_questions(tmp_path / "questions.jsonl", 20)
    return tmp_path / "questions.jsonl"


def config(questions: Path, **options: object) -> LabelConfig:
    folder = questions.parent
    defaults = {"input": str(questions), "output": str(folder / "out.jsonl"), "planner": "scripted",
                "request_cache": str(folder / "requests.sqlite")}  # fmt: skip
    return LabelConfig(**{**defaults, **options})


# ---- what comes out ----------------------------------------------------------------------------


@pytest.mark.parametrize("order", ["interleaved", "memory_first", "single"])
def test_solutions_hold_facts_where_the_plan_had_queries(order: str, questions: Path) -> None:
    out = quiet_run(config(questions, order=order))
    for row, asked in zip(rows_of(out.output), rows_of(questions), strict=True):
        assert (row["id"], row["question"], row["answer"]) == (asked["id"], asked["question"], str(asked["answer"]))
        types = [step["type"] for step in row["steps"]]
        assert types[0] == MEMORY and types[-1] == REASON
        for step in row["steps"]:
            if step["type"] == MEMORY and order != "single":
                assert step["query"].startswith("What") and step["text"].endswith("of the record.")
            else:
                assert "query" not in step


def test_a_task_of_ours_is_labelled_split_by_split(tmp_path: Path) -> None:
    out = quiet_run(LabelConfig(
        task="atlas", split="test_seen", output=str(tmp_path / "out.jsonl"), planner="scripted", num_questions=7,
        request_cache=str(tmp_path / "requests.sqlite"),
    ))  # fmt: skip
    gold = load_task("atlas").splits["test_seen"][:7]
    assert [row["id"] for row in rows_of(out.output)] == [solution.question.id for solution in gold]
    assert {row["split"] for row in rows_of(out.output)} == {"test"}


def test_what_was_labelled_trains_without_conversion(questions: Path, bases: dict[str, Path]) -> None:
    out = quiet_run(config(questions))
    arguments = ["train", "--dataset", "jsonl", "--data_path", str(out.output), "--model_name_or_path",
                 str(bases["tied"]), "--output_dir", str(questions.parent / "run"), "--num_train_epochs", "1",
                 "--num_test", "2", "--report_to", "none"]  # fmt: skip
    assert main(arguments) == 0
    assert json.loads((questions.parent / "run" / "metrics.json").read_text())["training"]["examples"] > 10


def test_rejects_can_be_labelled_again(questions: Path) -> None:
    server = ScriptedServer(reply=lambda messages, form: "no")
    with server.running() as url:
        first = quiet_run(config(questions, planner="m", base_url=url))
    assert first.accepted == 0 and first.rejected == {"bad_json": 20}
    again = config(questions, input=str(rejects_path(first.output)), output=str(questions.parent / "again.jsonl"))
    assert quiet_run(again).accepted == 20
    assert [row["id"] for row in rows_of(Path(again.output))] == [row["id"] for row in rows_of(questions)]


def test_a_rejection_keeps_what_was_written_and_what_was_wrong_with_it(questions: Path) -> None:
    contradiction = json.dumps({"steps": [{"type": "reason", "text": "So be it."}], "answer": "perhaps"})
    with ScriptedServer(reply=lambda messages, form: contradiction).running() as url:
        out = quiet_run(config(questions, planner="m", base_url=url, need_both=False, num_questions=1))
    (row,) = rows_of(rejects_path(out.output))
    assert row["reason"] == "contradicts_gold" and "perhaps" in row["detail"]
    assert row["replies"] == [{"role": "planner", "text": contradiction}] * 2  # asked, told, asked again


def test_a_repair_is_told_what_was_wrong(questions: Path) -> None:
    server = ScriptedServer()
    reply, server.reply = server.reply, lambda messages, form: "{}" if len(messages) == 2 else reply(messages, form)
    with server.running() as url:
        out = quiet_run(config(questions, planner="m", base_url=url, num_questions=1))
    assert out.accepted == 1
    assert server.bodies[-1]["messages"][2] == {"role": "assistant", "content": "{}"}
    assert "no JSON object with" in server.bodies[-1]["messages"][3]["content"]


def test_two_agents_may_be_two_models_at_two_endpoints(questions: Path) -> None:
    planner, knowledge = ScriptedServer(), ScriptedServer()
    with planner.running() as one, knowledge.running() as other:
        quiet_run(config(questions, planner="big", base_url=one, knowledge="small", knowledge_base_url=other))
    assert {body["model"] for body in planner.bodies} == {"big"}
    assert {body["model"] for body in knowledge.bodies} == {"small"}
    assert "Answer:" not in knowledge.bodies[0]["messages"][1]["content"]  # it is never told the gold answer


# ---- going on, stopping ------------------------------------------------------------------------


def test_a_run_that_is_done_sends_nothing_more(questions: Path) -> None:
    server = ScriptedServer()
    with server.running() as url:
        quiet_run(config(questions, planner="m", base_url=url))
        sent = server.counts["requests"]
        before = (questions.parent / "out.jsonl").read_bytes()
        quiet_run(config(questions, planner="m", base_url=url))
        assert server.counts["requests"] == sent == 40
        (questions.parent / "out.jsonl").unlink()
        quiet_run(config(questions, planner="m", base_url=url))  # the replies are still there
        assert server.counts["requests"] == sent
    assert (questions.parent / "out.jsonl").read_bytes() == before


def test_more_questions_can_be_asked_for_later(questions: Path) -> None:
    assert quiet_run(config(questions, num_questions=5)).done == 5
    assert quiet_run(config(questions, num_questions=12)).done == 12


def test_other_settings_need_another_output(questions: Path) -> None:
    quiet_run(config(questions, num_questions=5))
    with pytest.raises(UserError, match="order was 'interleaved', is 'single'"):
        quiet_run(config(questions, order="single"))
    assert quiet_run(config(questions, order="single", overwrite_output=True)).accepted == 20


def test_a_run_keeps_the_data_types_that_its_local_models_were_begun_with(questions: Path) -> None:
    out = quiet_run(config(questions, num_questions=2))
    assert resume.begun_dtypes(out) == {}
    resume.keep_dtypes(out, {"local:some": "float32"})
    assert quiet_run(config(questions, num_questions=4)).done == 4  # the same settings still
    assert resume.begun_dtypes(out) == {"local:some": "float32"}
    with pytest.raises(UserError, match="dtype was None, is 'bfloat16'"):
        quiet_run(config(questions, dtype="bfloat16"))


def test_the_budget_of_requests_stops_a_run_and_a_larger_one_goes_on(questions: Path) -> None:
    with ScriptedServer().running() as url:
        with pytest.raises(Stopped, match="--max_requests 15 reached"):
            quiet_run(config(questions, planner="m", base_url=url, max_requests=15, concurrency=4))
        assert 0 < len(rows_of(questions.parent / "out.jsonl")) < 8
        out = quiet_run(config(questions, planner="m", base_url=url, max_requests=60, concurrency=4))
    assert out.accepted == 20


def test_the_budget_in_dollars_is_never_passed(questions: Path) -> None:
    prices = {"price": "1000,1000", "max_cost": 10.0, "max_tokens": 500}
    with ScriptedServer().running() as url, pytest.raises(Stopped, match="--max_cost 10 reached"):
        quiet_run(config(questions, planner="m", base_url=url, concurrency=8, **prices))
    spent = RequestCache(questions.parent / "requests.sqlite").spent(str((questions.parent / "out.jsonl").resolve()))
    assert 5.0 < spent.cost <= 10.0
    assert rows_of(questions.parent / "out.jsonl")


def test_a_budget_needs_a_price(questions: Path) -> None:
    with pytest.raises(UserError, match="--max_cost needs the price of no-such-model"):
        quiet_run(config(questions, planner="no-such-model", base_url="http://127.0.0.1:9/v1", max_cost=1))


def test_an_endpoint_that_is_down_stops_the_run_instead_of_rejecting_every_row(
    questions: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("memreason.llm.openai_api.BACKOFF", 0.001)
    write_questions(questions, 100)
    with pytest.raises(Stopped, match="20 requests in a row failed"):
        quiet_run(config(questions, planner="m", base_url="http://127.0.0.1:9/v1", retries=1, concurrency=2))
    assert len(rows_of(rejects_path(questions.parent / "out.jsonl"))) < 20


def test_where_nothing_gets_through_no_question_is_given_up(questions: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("memreason.llm.openai_api.BACKOFF", 0.001)
    with pytest.raises(Stopped, match="no request got an answer"):
        quiet_run(config(questions, planner="m", base_url="http://127.0.0.1:9/v1", retries=0, num_questions=3))
    assert not rows_of(rejects_path(questions.parent / "out.jsonl"))


def test_an_endpoint_that_goes_down_loses_no_question(questions: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("memreason.llm.openai_api.BACKOFF", 0.001)
    ids = write_questions(questions, 60)
    server = ScriptedServer()
    answer = server._answer
    server._answer = lambda request, body, _: answer(  # type: ignore[method-assign]
        request, body, "500" if 20 < server.counts["requests"] < 100 else None
    )
    with server.running() as url:
        with pytest.raises(Stopped, match="requests in a row failed"):
            quiet_run(config(questions, planner="m", base_url=url, retries=0, concurrency=2))
        server.counts["requests"] = 100
        out = quiet_run(config(questions, planner="m", base_url=url, retries=0, concurrency=2))
    assert [row["id"] for row in rows_of(out.output)] == ids and not out.rejected


def test_an_endpoint_that_does_not_count_tokens_does_not_stop_the_budget(questions: Path) -> None:
    server = ScriptedServer()
    completion = server._completion

    def uncounted(body: dict, fault: str | None) -> tuple[int, dict]:
        status, answer = completion(body, fault)
        return status, {key: value for key, value in answer.items() if key != "usage"}

    server._completion = uncounted  # type: ignore[method-assign]
    with server.running() as url, pytest.raises(Stopped, match="--max_cost"):
        quiet_run(config(questions, planner="m", base_url=url, price="1000,1000", max_cost=6.0, max_tokens=500))


def test_a_dry_run_sends_nothing_and_writes_nothing(questions: Path, capsys: pytest.CaptureFixture[str]) -> None:
    server = ScriptedServer()
    with server.running() as url:
        arguments = ["label", "--input", str(questions), "--output", str(questions.parent / "out.jsonl"), "--planner",
                     "gpt-4o-mini", "--base_url", url, "--dry_run", "--request_cache",
                     str(questions.parent / "r.sqlite")]  # fmt: skip
        assert main(arguments) == 0
    said = capsys.readouterr().out
    assert "nothing was sent" in said and "gpt-4o-mini" in said and "20" in said and "$0.0" in said
    assert not server.counts and not (questions.parent / "out.jsonl").exists()
    assert not resume.settings_path(questions.parent / "out.jsonl").exists()


def test_the_command_line_says_where_it_stopped(questions: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with ScriptedServer().running() as url:
        arguments = ["label", "--input", str(questions), "--output", str(questions.parent / "out.jsonl"), "--planner",
                     "m", "--base_url", url, "--max_requests", "3", "--request_cache",
                     str(questions.parent / "r.sqlite")]  # fmt: skip
        assert main(arguments) == 3
    assert "--max_requests 3 reached; the same command goes on from here" in capsys.readouterr().err


# ---- keys --------------------------------------------------------------------------------------

KEY = "sk-planted-0123456789abcdef"


@pytest.mark.parametrize("accepted", [True, False])
@pytest.mark.slow
def test_the_key_reaches_the_endpoint_and_nothing_else(accepted: bool, questions: Path) -> None:
    folder = questions.parent
    server = ScriptedServer(latency=0.05, faults=0.2, key=KEY if accepted else "another")
    with server.running() as url:
        process = subprocess.Popen(
            [sys.executable, "-m", "memreason", "label", "--input", str(questions), "--output",
             str(folder / "out.jsonl"), "--planner", "m", "--base_url", url, "--request_cache",
             str(folder / "requests.sqlite"), "--timeout", "1", "--retries", "3", "--concurrency", "4"],
            env={**os.environ, "OPENAI_API_KEY": KEY, "OPENAI_LOG": "debug"},
            stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
        )  # fmt: skip
        titles = set()
        while process.poll() is None:
            titles.add(Path(f"/proc/{process.pid}/cmdline").read_bytes() if Path("/proc").exists() else b"")
            try:
                process.wait(0.05)
            except subprocess.TimeoutExpired:
                continue
        said = process.communicate()[0]
    assert process.returncode == (0 if accepted else 2), said
    assert ("accepted" in said) == accepted and ("refused the key (401)" in said) == (not accepted)
    assert server.counts["requests"] > 0
    assert KEY not in said
    assert not any(KEY.encode() in title for title in titles)
    for path in folder.rglob("*"):
        assert not path.is_file() or KEY.encode() not in path.read_bytes(), path


def test_a_key_as_a_flag_is_refused(questions: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["label", "--api_key", KEY]) == 2
    said = capsys.readouterr().err
    assert "environment" in said and KEY not in said


def test_credentials_in_the_address_are_refused_and_not_repeated(questions: Path) -> None:
    with pytest.raises(UserError, match="holds a name or password") as refused:
        quiet_run(config(questions, planner="m", base_url=f"http://user:{KEY}@127.0.0.1:9/v1"))
    assert KEY not in str(refused.value)
    assert not resume.settings_path(questions.parent / "out.jsonl").exists()


def test_a_key_in_the_addresss_query_is_sent_and_kept_nowhere(questions: Path) -> None:
    with ScriptedServer().running() as url:
        out = quiet_run(config(questions, planner="m", base_url=f"{url}?key={KEY}", num_questions=2))
        again = quiet_run(config(questions, planner="m", base_url=f"{url}?key=another", num_questions=3))
    assert out.accepted == 2 and again.accepted == 3  # the key is no setting
    assert json.loads(resume.settings_path(out.output).read_text())["base_url"] == url
    for path in questions.parent.rglob("*"):
        assert not path.is_file() or KEY.encode() not in path.read_bytes(), path


def test_a_question_that_a_content_filter_refuses_is_rejected_by_name_and_the_run_goes_on(questions: Path) -> None:
    server = ScriptedServer()
    completion = server._completion

    def filtered(body: dict, fault: str | None) -> tuple[int, dict]:
        if server.counts["requests"] % 2:
            return completion(body, fault)
        return 400, {"error": {"code": "content_filter", "message": "filtered by the content management policy"}}

    server._completion = filtered  # type: ignore[method-assign]
    with server.running() as url:
        out = quiet_run(config(questions, planner="m", base_url=url, order="single", concurrency=1))
    assert (out.accepted, out.rejected) == (10, {"refused": 10})
    assert "content management policy" in rows_of(rejects_path(out.output))[0]["detail"]


def test_openai_itself_needs_a_key(questions: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("OPENAI_API_KEY", raising=False)
    monkeypatch.delenv("OPENAI_BASE_URL", raising=False)
    with pytest.raises(UserError, match="needs a key: set the environment variable OPENAI_API_KEY"):
        quiet_run(config(questions, planner="gpt-4o-mini"))
