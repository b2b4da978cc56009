"""How good labelled solutions are: figures, a sample, and what a reader makes of the steps."""

import json
from pathlib import Path
from typing import Any

import pytest

from memreason.errors import UserError
from memreason.label.config import InspectConfig
from memreason.label.inspect import Inspection, figures, inspect, read_solutions
from memreason.llm.base import Stopped
from memreason.llm.fake_server import ScriptedServer
from memreason.records import MEMORY, REASON, Question, Solution, Step


def solution(number: int, *steps: tuple[str, str], answer: str = "True") -> Solution:
    return Solution(Question(f"q{number}", "Is it?", answer, split="train"), tuple(Step(*step) for step in steps))


def row(number: int, answer: str = "yes", last: str = "This settles it in favour of True.", **more: Any) -> dict:
    steps = [{"type": "memory", "text": f"Fact {number}."}, {"type": "reason", "text": last}]
    return {"id": f"q{number}", "question": f"Is it {number}?", "answer": answer, "steps": steps, **more}


def write(path: Path, *rows: Any) -> str:
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return str(path)


def inspected(file: str, folder: Path, **options: Any) -> Inspection:
    return inspect(InspectConfig(file=file, request_cache=str(folder / "c.sqlite"), **options))


class TestFigures:
    def test_one_solution_has_figures_too(self) -> None:
        found = figures([solution(0, (MEMORY, "One two three."), (REASON, "Four."))])
        assert found["solutions"] == 1
        assert found["steps"] == {"memory": 1, "reason": 1}
        assert found["words_per_step"]["memory"] == {"mean": 3, "median": 3, "min": 3, "max": 3}
        assert (found["without_memory"], found["ends_with_reason"], found["most_shared"]) == (0, 1, [])

    def test_shares_are_of_the_solutions(self) -> None:
        found = figures(
            [
                solution(0, (MEMORY, "a"), (REASON, "b"), (MEMORY, "A ")),
                solution(1, (MEMORY, "a"), (REASON, "b")),
                solution(2, (REASON, "b"), answer="False"),
                solution(3, (MEMORY, "c")),
            ]
        )
        assert found["without_memory"] == found["without_reason"] == 0.25
        assert found["ends_with_reason"] == 0.5
        assert found["facts_before_reasoning"] == 0.75
        assert found["memory_repeated_within"] == 0.25
        assert found["memory_shared_between"] == pytest.approx(2 / 3)
        assert found["most_shared"] == [["a", 2]]
        assert found["answers"] == {"True": 3, "False": 1}


class TestReading:
    def test_both_forms_read_alike(self, tmp_path: Path) -> None:
        ours = write(tmp_path / "a.jsonl", row(0))
        theirs = tmp_path / "b.json"
        steps = ["[rag]: Fact 0.", "[reason]: This settles it in favour of True."]
        theirs.write_text(json.dumps([{"id": "q0", "question": "Is it 0?", "answer": "yes", "cot_steps": steps}]))
        found = [read_solutions(Path(path))[0][0] for path in (ours, theirs)]
        assert found[0].steps == found[1].steps
        assert found[0].question.answer == found[1].question.answer == "True"

    def test_rows_without_usable_steps_are_named_and_left_out(self, tmp_path: Path) -> None:
        solutions, remarks = read_solutions(Path(write(tmp_path / "a.jsonl", row(0), {**row(1), "steps": []})))
        assert len(solutions) == 1
        assert remarks == [f"{tmp_path / 'a.jsonl'}:2: no steps"]

    def test_files_without_any_are_an_error(self, tmp_path: Path) -> None:
        with pytest.raises(UserError, match="no labelled solutions"):
            read_solutions(Path(write(tmp_path / "a.jsonl")))
        with pytest.raises(UserError, match="no such file"):
            read_solutions(tmp_path / "none.jsonl")
        with pytest.raises(UserError, match="none of the question's options"):
            read_solutions(Path(write(tmp_path / "a.jsonl", row(0, "C", options=["x", "y"]))))


def test_a_sample_is_drawn_and_all_figures_are_one_json_object(tmp_path: Path) -> None:
    result = inspected(write(tmp_path / "a.jsonl", *(row(n) for n in range(9))), tmp_path, show=2)
    assert len(result.sample) == 2
    assert result.to_json() == {**result.figures, "not_read": []}
    assert json.loads(json.dumps(result.to_json())) == result.to_json()


class TestReader:
    def test_the_reader_finds_the_answer_where_the_steps_hold_it_and_nowhere_else(self, tmp_path: Path) -> None:
        rows = [row(n) for n in range(3)] + [row(3, last="Nothing follows.")]
        result = inspected(write(tmp_path / "a.jsonl", *rows), tmp_path, reader="scripted")
        assert {name: found["accuracy"] for name, found in result.readings.items()} == {
            "question alone": 0.0, "last step": 0.75, "all steps": 0.75,
        }  # fmt: skip
        low, high = result.readings["last step"]["interval"]
        assert low < 0.75 < high

    def test_the_reader_never_sees_the_answer_line(self, tmp_path: Path) -> None:
        server = ScriptedServer()
        with server.running() as url:
            inspected(write(tmp_path / "a.jsonl", row(0, "zebra")), tmp_path, reader="m", base_url=url)
        assert len(server.bodies) == 3
        assert all("zebra" not in json.dumps(body) for body in server.bodies)

    def test_what_was_read_once_is_not_asked_again(self, tmp_path: Path) -> None:
        server = ScriptedServer()
        file = write(tmp_path / "a.jsonl", row(0), row(1))
        with server.running() as url:
            first, second = (inspected(file, tmp_path, reader="m", base_url=url) for _ in range(2))
        assert server.counts["requests"] == 6
        assert first == second

    def test_plain_words_are_read_too(self, tmp_path: Path) -> None:
        with ScriptedServer(reply=lambda messages, form: "I think the answer is yes.").running() as url:
            result = inspected(write(tmp_path / "a.jsonl", row(0)), tmp_path, reader="m", base_url=url)
        assert result.readings["question alone"]["accuracy"] == 1.0

    def test_requests_without_an_answer_are_counted_apart(self, tmp_path: Path) -> None:
        server = ScriptedServer(faults=0.5, kinds=("500",), seed=3)
        file = write(tmp_path / "a.jsonl", *(row(n) for n in range(8)))
        with server.running() as url:
            result = inspected(file, tmp_path, reader="m", base_url=url, retries=0, concurrency=1)
        failed = sum(found["failed"] for found in result.readings.values())
        assert failed == server.counts["500"] > 0
        assert result.readings["all steps"]["accuracy"] == 1.0
        assert result.readings["all steps"]["n"] == 8 - result.readings["all steps"]["failed"]

    def test_where_none_is_answered_there_is_no_accuracy(self, tmp_path: Path) -> None:
        with (
            ScriptedServer(faults=1.0, kinds=("500",)).running() as url,
            pytest.raises(UserError, match="no request got an answer"),
        ):
            inspected(write(tmp_path / "a.jsonl", row(0)), tmp_path, reader="m", base_url=url, retries=0)

    def test_a_refused_key_is_one_error_without_noise(self, tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
        file = write(tmp_path / "a.jsonl", *(row(n) for n in range(8)))
        with ScriptedServer(key="another").running() as url, pytest.raises(UserError, match="401"):
            inspected(file, tmp_path, reader="m", base_url=url)
        import gc

        gc.collect()
        assert "never retrieved" not in caplog.text

    def test_the_budget_is_kept(self, tmp_path: Path) -> None:
        with ScriptedServer().running() as url, pytest.raises(Stopped, match="--max_cost"):
            inspected(write(tmp_path / "a.jsonl", row(0)), tmp_path, reader="m", base_url=url, price="1,1",
                      max_cost=1e-7)  # fmt: skip
