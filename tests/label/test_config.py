"""The options, and the command line around them: what is refused, with which words, and the exit codes."""

import json
from pathlib import Path
from typing import Any

import pytest

from memreason.cli.main import main
from memreason.errors import UserError
from memreason.label.config import InspectConfig, LabelConfig
from memreason.llm.fake_server import ScriptedServer

GOOD: dict[str, Any] = {"task": "atlas", "output": "o.jsonl", "planner": "scripted"}


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ({"task": None}, "--task NAME .* or --input FILE"),
        ({"input": "x.jsonl"}, "either --task"),
        ({"output": ""}, "--output is missing"),
        ({"planner": ""}, "--planner is missing"),
        ({"output": "o.json"}, "--output o.json: must end in .jsonl"),
        ({"order": "random"}, "--order 'random'"),
        ({"structured": "xml"}, "--structured 'xml'"),
        ({"num_questions": 0}, "--num_questions 0: must be at least 1"),
        ({"concurrency": 0}, "--concurrency 0"),
        ({"max_cost": -1.0}, "--max_cost -1"),
        ({"timeout": 0.0}, "--timeout 0"),
        ({"requests_per_minute": 0.5}, "--requests_per_minute 0.5"),
        ({"order": "single", "knowledge": "x"}, "--order single has no knowledge agent"),
        ({"batch": True}, "--batch is a service of endpoints"),
        ({"batch": True, "planner": "gpt-4o-mini", "knowledge": "local:x"}, "--batch is a service of endpoints"),
        ({"extra_body": "{"}, "--extra_body: not valid JSON"),
        ({"extra_body": "[1]"}, "--extra_body: must be a JSON object"),
        ({"extra_body": "[" * 100_000}, "--extra_body: not valid JSON"),
        ({"extra_body": '{"stop": "\\ud83d"}'}, "--extra_body: not valid JSON"),
    ],
)
def test_what_cannot_be_is_refused_with_its_flag(change: dict[str, Any], says: str) -> None:
    LabelConfig(**GOOD)
    with pytest.raises(UserError, match=says):
        LabelConfig(**{**GOOD, **change})


@pytest.mark.parametrize("flag", ["concurrency", "batch_size", "timeout", "retries", "max_cost", "show", "num_read"])
def test_so_is_it_for_inspect(flag: str) -> None:
    with pytest.raises(UserError, match=f"--{flag} -1"):
        InspectConfig(file="x.jsonl", **{flag: -1})
    with pytest.raises(UserError, match="the file is missing"):
        InspectConfig()


class TestCommandLine:
    @pytest.fixture(autouse=True)
    def cache(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv("MEMREASON_CACHE", str(tmp_path / "cache"))
        monkeypatch.chdir(tmp_path)
        monkeypatch.setenv("OPENAI_API_KEY", "sk-secret")

    def fails(self, capsys: pytest.CaptureFixture[str], *argv: str, code: int = 2) -> str:
        assert main(["label", *argv]) == code
        return capsys.readouterr().err

    def input(self, rows: int = 4) -> str:
        lines = [json.dumps({"question": f"Is it really {n}?", "answer": "yes"}) + "\n" for n in range(rows)]
        Path("mine.jsonl").write_text("".join(lines))
        return "mine.jsonl"

    def test_help_shows_every_way_to_use_it(self, capsys: pytest.CaptureFixture[str]) -> None:
        for argv, shown in (
            (["--help"], ("--max_cost", "label inspect", "label convert", "Exit code 3")),
            (["inspect", "--help"], ("--reader", "--json")),
            (["convert", "--help"], ("FROM TO",)),
        ):
            try:
                assert main(["label", *argv]) == 0
            except SystemExit as ended:
                assert ended.code == 0
            page = capsys.readouterr().out
            assert all(word in page for word in shown)

    def test_missing_flags_are_named(self, capsys: pytest.CaptureFixture[str]) -> None:
        assert "--task NAME" in self.fails(capsys)
        assert "--output is missing" in self.fails(capsys, "--task", "atlas")
        assert "the file is missing" in self.fails(capsys, "inspect")
        assert "give two files" in self.fails(capsys, "convert", "one.jsonl")
        assert "did you mean --max_cost" in self.fails(capsys, "--max_costs", "1")

    def test_a_key_is_never_a_flag(self, capsys: pytest.CaptureFixture[str]) -> None:
        assert "never taken from the command line" in self.fails(capsys, "--api_key", "sk-1")

    def test_a_whole_run_ends_with_zero_and_is_done_when_run_again(self) -> None:
        argv = ["label", "--input", self.input(), "--planner", "scripted", "--output", "o.jsonl"]
        assert main(argv) == 0
        before = Path("o.jsonl").read_text()
        assert main(argv) == 0
        assert Path("o.jsonl").read_text() == before
        assert len(before.splitlines()) == 4

    def test_stopped_by_the_budget_is_three_and_says_how_to_go_on(self, capsys: pytest.CaptureFixture[str]) -> None:
        argv = ["--input", self.input(), "--planner", "scripted", "--output", "o.jsonl", "--max_requests", "3",
                "--concurrency", "1"]  # fmt: skip
        assert "--max_requests 3 reached; the same command goes on" in self.fails(capsys, *argv, code=3)

    def test_a_budget_needs_a_price(self, capsys: pytest.CaptureFixture[str]) -> None:
        argv = ["--input", self.input(), "--planner", "mine", "--base_url", "http://127.0.0.1:1/v1", "--output",
                "o.jsonl", "--max_cost", "1"]  # fmt: skip
        assert "give it with --price IN,OUT" in self.fails(capsys, *argv)

    @pytest.mark.parametrize("output", ["mine.jsonl", "deep/../mine.jsonl"])
    def test_the_input_is_never_written_to_even_when_told_to_overwrite(
        self, capsys: pytest.CaptureFixture[str], output: str
    ) -> None:
        Path("deep").mkdir()
        argv = ["--input", self.input(), "--planner", "scripted", "--output", output, "--overwrite_output"]
        assert "would write into --input" in self.fails(capsys, *argv)
        assert len(Path("mine.jsonl").read_text().splitlines()) == 4

    def test_nor_is_the_data_of_a_task(self, capsys: pytest.CaptureFixture[str]) -> None:
        self.input()
        Path("link.jsonl").hardlink_to("mine.jsonl")
        for output in ("mine.jsonl", "link.jsonl"):
            argv = ["--task", "jsonl", "--data_path", "mine.jsonl", "--planner", "scripted", "--output", output]
            assert "would write into --data_path mine.jsonl" in self.fails(capsys, *argv, "--overwrite_output")

    def test_nor_are_the_rejects_that_are_labelled_again(self, capsys: pytest.CaptureFixture[str]) -> None:
        Path(self.input()).rename("o.rejects.jsonl")
        argv = ["--input", "o.rejects.jsonl", "--planner", "scripted", "--output", "o.jsonl"]
        assert "would write into --input" in self.fails(capsys, *argv, "--overwrite_output")

    def test_a_wrong_model_name_can_be_mended_in_the_next_try(self, capsys: pytest.CaptureFixture[str]) -> None:
        argv = ["--input", self.input(), "--output", "o.jsonl", "--planner"]
        assert "must begin with http" in self.fails(capsys, *argv, "m", "--base_url", "localhost:1")
        assert main(["label", *argv, "scripted"]) == 0

    def test_what_several_questions_ask_at_the_same_time_is_paid_for_once(self) -> None:
        row = {"question": "Is it tall?", "answer": "yes"}
        Path("same.jsonl").write_text((json.dumps(row) + "\n") * 8)
        server = ScriptedServer(latency=0.05)
        with server.running() as url:
            argv = ["--input", "same.jsonl", "--output", "o.jsonl", "--planner", "m", "--base_url", url]
            assert main(["label", *argv]) == 0
        assert server.counts["requests"] == 2
        assert len(Path("o.jsonl").read_text().splitlines()) == 8

    def test_a_refused_key_is_two_and_not_shown(self, capsys: pytest.CaptureFixture[str]) -> None:
        with ScriptedServer(key="another").running() as url:
            said = self.fails(
                capsys, "--input", self.input(), "--output", "o.jsonl", "--planner", "m", "--base_url", url
            )
        assert "401" in said
        assert "sk-secret" not in said
