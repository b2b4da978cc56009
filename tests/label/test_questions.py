"""The questions to label: of a task, of any JSONL file, of a hub dataset; bad rows are named with their place."""

import gzip
import json
from pathlib import Path
from typing import Any

import pytest

from memreason.errors import UserError
from memreason.label.config import LabelConfig
from memreason.label.questions import QuestionAndKind, Questions


def write(path: Path, *rows: dict[str, Any] | str, start: str = "", end: str = "\n") -> Path:
    lines = [row if isinstance(row, str) else json.dumps(row) for row in rows]
    path.write_bytes((start + "".join(line + end for line in lines)).encode())
    return path


def questions(path: Path | str, **options: Any) -> list[QuestionAndKind]:
    config = LabelConfig(input=str(path), output="out.jsonl", planner="scripted", **options)
    return list(Questions(config))


ROW = {"id": "a", "question": "Is it?", "answer": "yes"}


class TestFiles:
    def test_the_kind_of_an_answer_follows_from_each_row(self, tmp_path: Path) -> None:
        path = write(
            tmp_path / "mine.jsonl",
            {"question": " Is\nit? ", "answer": True},
            {"question": "Which?", "answer": "b", "options": ["x", "y"]},
            {"question": "Which?", "answer": "(B) y", "options": ["x", "y"]},
            {"question": "How many?", "answer": 5},
            {"question": "Who?", "answer": "No one"},
        )
        found = questions(path)
        assert [(asked.question.answer, asked.kind) for asked in found] == [
            ("True", "boolean"), ("B", "choice"), ("B", "choice"), ("5", "text"), ("No one", "text"),
        ]  # fmt: skip
        assert found[0].question.text == "Is it?"
        assert found[1].question.options == ("x", "y")

    def test_a_row_without_id_has_its_file_and_line(self, tmp_path: Path) -> None:
        path = write(tmp_path / "mine.jsonl", {**ROW, "id": 0}, "", {**ROW, "id": None}, {**ROW, "id": ""})
        assert [asked.question.id for asked in questions(path)] == ["0", "mine-3", "mine-4"]

    def test_columns_may_have_other_names(self, tmp_path: Path) -> None:
        path = write(tmp_path / "mine.jsonl", {"q": "Which?", "gold": "A", "choices": ["x", "y"], "key": "k"})
        (asked,) = questions(path, question_column="q", answer_column="gold", options_column="choices", id_column="key")
        assert (asked.question.id, asked.question.options) == ("k", ("x", "y"))

    def test_a_byte_order_mark_and_windows_line_ends_do_no_harm(self, tmp_path: Path) -> None:
        path = write(tmp_path / "mine.jsonl", ROW, ROW, start="\ufeff", end="\r\n")
        assert len(questions(path)) == 2

    def test_only_the_split_asked_for_and_rows_without_one(self, tmp_path: Path) -> None:
        path = write(tmp_path / "mine.jsonl", {**ROW, "split": "test"}, {**ROW, "split": "train"}, ROW)
        assert len(questions(path)) == 3
        assert [asked.question.split for asked in questions(path, split="train")] == ["train", ""]

    def test_only_the_first_so_many_and_the_same_each_time(self, tmp_path: Path) -> None:
        path = write(tmp_path / "mine.jsonl", *({**ROW, "id": n} for n in range(5)), "not read")
        few = Questions(LabelConfig(input=str(path), output="o.jsonl", planner="scripted", num_questions=3))
        assert [asked.question.id for asked in few] == [asked.question.id for asked in few] == ["0", "1", "2"]

    def test_rejects_of_an_earlier_run_are_questions_again(self, tmp_path: Path) -> None:
        path = write(tmp_path / "a.rejects.jsonl", {**ROW, "reason": "bad_json", "detail": "x", "replies": []})
        assert questions(path)[0].question.id == "a"


class TestBadRows:
    @pytest.mark.parametrize(
        ("row", "says"),
        [
            ("{", "not valid JSON"),
            ("[1]", "expected a JSON object"),
            ({"answer": "yes"}, r'"question" is missing; --question_column names it \(fields: answer\)'),
            ({"question": "Is it?"}, '"answer" is missing; --answer_column'),
            ({**ROW, "question": " "}, '"question" must be a non-empty text'),
            ({**ROW, "question": ["a"]}, '"question" must be a non-empty text'),
            ({**ROW, "answer": ""}, '"answer" must be a non-empty text'),
            ({**ROW, "answer": None}, '"answer" must be a non-empty text, got None'),
            ({**ROW, "options": ["x", "y", "z"]}, "must be a letter from A to C, got 'yes'"),
            ({**ROW, "answer": "C", "options": ["x", "y"]}, "must be a letter from A to B, got 'C'"),
            ({**ROW, "options": "x, y"}, "must be a list of 2 to 26 texts"),
            ({**ROW, "answer": "A", "options": ["x"]}, "must be a list of 2 to 26 texts"),
            ({**ROW, "answer": "A", "options": ["x", ""]}, "must be a list of 2 to 26 texts"),
            ({**ROW, "answer": "A", "options": ["x"] * 27}, "must be a list of 2 to 26 texts"),
            ({**ROW, "question": "Is \ud83d it?"}, "surrogate"),
        ],
    )
    def test_are_named_with_file_and_line_and_what_to_do(self, tmp_path: Path, row: Any, says: str) -> None:
        path = write(tmp_path / "mine.jsonl", ROW, row)
        with pytest.raises(UserError, match=rf"mine\.jsonl:2: .*{says}"):
            questions(path)

    def test_a_file_that_is_not_there(self, tmp_path: Path) -> None:
        with pytest.raises(UserError, match="no such file; a dataset on the hub is hf://owner/name"):
            questions(tmp_path / "none.jsonl")
        with pytest.raises(UserError, match="no such file"):
            questions(tmp_path)


class TestHub:
    def test_a_local_folder_of_the_hubs_layout_reads_as_one(self, tmp_path: Path) -> None:
        (tmp_path / "hub").mkdir()
        write(tmp_path / "hub" / "train.jsonl", ROW, {**ROW, "id": "b"})
        found = questions(f"hf://{tmp_path / 'hub'}")
        assert [(asked.question.id, asked.question.split) for asked in found] == [("a", "train"), ("b", "train")]
        with pytest.raises(UserError, match=r"--split test: .* has train"):
            questions(f"hf://{tmp_path / 'hub'}", split="test")

    def test_what_the_hub_does_not_give_is_explained(self) -> None:
        with pytest.raises(UserError, match="nobody/nothing: could not be loaded from the hub"):
            questions("hf://nobody/nothing")


class TestOtherFiles:
    def test_tables_arrays_and_compressed_files_are_read_too(self, tmp_path: Path) -> None:
        rows = [{"id": 0, "question": "Is it?", "answer": True}, {"id": "b", "question": "Who?", "answer": 2.0}]
        lines = write(tmp_path / "mine.jsonl", *rows)
        packed = tmp_path / "mine.jsonl.gz"
        packed.write_bytes(gzip.compress(lines.read_bytes()))
        array = write(tmp_path / "mine.json", json.dumps(rows))
        table = write(tmp_path / "mine.csv", "id,question,answer", "0,Is it?,True", "b,Who?,2")
        found = [questions(path) for path in (lines, packed, array, table)]
        assert [(q.id, q.answer) for q, _ in found[0]] == [("0", "True"), ("b", "2")]
        assert all(others == found[0] for others in found)

    def test_without_ids_rows_are_numbered_as_they_stand(self, tmp_path: Path) -> None:
        path = write(
            tmp_path / "mine.jsonl", {"question": "Is it?", "answer": "no"}, "", {"question": "Q?", "answer": 1}
        )
        assert [asked.question.id for asked in questions(path)] == ["mine-1", "mine-3"]

    def test_options_lose_their_letters(self, tmp_path: Path) -> None:
        row = {"question": "Which?", "answer": "B", "options": ["(A) Paris", "(B) Rome"]}
        ((question, kind),) = questions(write(tmp_path / "mine.jsonl", row))
        assert (question.options, question.answer, kind) == (("Paris", "Rome"), "B", "choice")

    @pytest.mark.parametrize(
        ("change", "says"),
        [
            ({"answer": float("nan")}, '"answer" is NaN'),
            ({"answer": float("inf")}, '"answer" is Infinity'),
            ({"id": ["a"]}, '"id" must be a text or a number'),
            ({"id": "\ud83d"}, "surrogate"),
            ({"split": ["train"]}, '"split" must be a text'),
        ],
    )
    def test_what_is_no_answer_id_or_split_is_said(self, tmp_path: Path, change: dict[str, Any], says: str) -> None:
        with pytest.raises(UserError, match=rf"mine\.jsonl:1: .*{says}"):
            questions(write(tmp_path / "mine.jsonl", ROW | change))


class TestTasks:
    def test_a_task_gives_its_questions_with_the_kind_of_its_answers(self) -> None:
        config = LabelConfig(task="atlas", output="o.jsonl", planner="scripted", num_questions=4, split="test_seen")
        found = list(Questions(config))
        assert len(found) == 4
        assert all(asked.question.split.startswith("test") and asked.question.answer for asked in found)

    def test_a_split_that_it_has_not_is_named_with_those_it_has(self) -> None:
        with pytest.raises(UserError, match="--split dev: atlas has train"):
            Questions(LabelConfig(task="atlas", output="o.jsonl", planner="scripted", split="dev"))
