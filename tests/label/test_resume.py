"""What a run leaves on disk: it grows in one order, goes on where it stopped, and belongs to one process."""

import json
from pathlib import Path

import pytest

from memreason.errors import UserError
from memreason.label import resume
from memreason.label.dialogue import Labelled, Rejection
from memreason.label.questions import QuestionAndKind
from memreason.label.solutions_and_rejects import RunFiles, rejects_path
from memreason.records import MEMORY, REASON, Question, Solution, Step
from memreason.tasks.agent_json import read_array
from memreason.tasks.jsonl import read_record

QUESTIONS = [QuestionAndKind(Question(f"q{n}", f"Is it {n}?", "True", split="train"), "boolean") for n in range(6)]
SETTINGS = {"planner": "scripted"}


@pytest.fixture
def output(tmp_path: Path) -> Path:
    return tmp_path / "deep" / "out.jsonl"


def labelled(number: int) -> Labelled:
    steps = (Step(MEMORY, f"Fact {number}."), Step(REASON, "So it is."))
    return Labelled(Solution(QUESTIONS[number].question, steps), ("What?", None))


def sitting(output: Path, *numbers: int, settings: dict = SETTINGS, overwrite: bool = False) -> RunFiles:
    """Write the results of these questions; every third is a rejection."""
    out = RunFiles(output)
    with out:
        resume.begin(out, settings, overwrite)
        resume.catch_up(out, QUESTIONS)
        for number in numbers:
            reject = Rejection(QUESTIONS[number].question, "bad_json", "detail", ({"role": "planner", "text": "x"},))
            out.write(reject if number % 3 == 2 else labelled(number))
    return out


def caught_up(output: Path, questions: list[QuestionAndKind] = QUESTIONS) -> RunFiles:
    out = RunFiles(output)
    resume.catch_up(out, questions)
    return out


def test_solutions_and_rejects_lie_apart_each_row_with_its_question(output: Path) -> None:
    sitting(output, 0, 1, 2)
    rows = [json.loads(line) for line in output.read_text().splitlines()]
    assert rows[1] == {
        "id": "q1", "question": "Is it 1?", "answer": "True", "split": "train",
        "steps": [{"type": "memory", "text": "Fact 1.", "query": "What?"}, {"type": "reason", "text": "So it is."}],
    }  # fmt: skip
    (reject,) = [json.loads(line) for line in rejects_path(output).read_text().splitlines()]
    assert (reject["id"], reject["reason"], reject["detail"]) == ("q2", "bad_json", "detail")
    assert reject["replies"] == [{"role": "planner", "text": "x"}]


def test_the_solutions_read_as_the_dataset_jsonl(output: Path) -> None:
    sitting(output, 0, 1)
    records = [read_record(place, "", row) for place, row in read_array(output)]
    assert [record.steps for record in records] == [labelled(n).solution.steps for n in range(2)]
    assert [record.split for record in records] == ["train", "train"]


def test_a_later_sitting_knows_what_is_done(output: Path) -> None:
    sitting(output, 0, 1, 2)
    out = sitting(output, 3)
    assert (out.accepted, out.rejected, out.done) == (3, {"bad_json": 1}, 4)
    assert caught_up(output).done == 4


def test_nothing_is_done_before_the_first_sitting(output: Path) -> None:
    assert caught_up(output).done == 0
    assert not output.parent.exists()


def test_more_questions_than_before_go_on_from_there(output: Path) -> None:
    sitting(output, 0, 1)
    assert caught_up(output, QUESTIONS[:2]).done == caught_up(output, QUESTIONS).done == 2


class TestTornLines:
    @pytest.mark.parametrize("keep", [1, 20, -1])
    def test_a_last_line_that_broke_off_is_done_again(self, output: Path, keep: int) -> None:
        sitting(output, 0, 1)
        first, second = output.read_bytes().splitlines(keepends=True)
        output.write_bytes(first + second[:keep])
        assert caught_up(output).done == 1
        assert sitting(output, 1).done == 2
        assert output.read_bytes() == first + second

    def test_looking_cuts_nothing_off(self, output: Path) -> None:
        sitting(output, 0)
        torn = output.read_text() + '{"id": "q1", "que'
        output.write_text(torn)
        assert caught_up(output).done == 1
        assert output.read_text() == torn

    def test_a_file_of_one_torn_line_longer_than_a_block_is_empty(self, output: Path) -> None:
        sitting(output, 0)
        output.write_text('{"id": "' + "x" * 200_000)
        assert sitting(output, 0).done == 1

    def test_a_damaged_line_in_the_middle_is_named(self, output: Path) -> None:
        sitting(output, 0, 1)
        output.write_text("{broken\n" + output.read_text())
        with pytest.raises(UserError, match=r"out\.jsonl:1: not valid JSON"):
            caught_up(output)

    @pytest.mark.parametrize(
        "line",
        [b'{"id": "q\xff"}', b'{"id": ' + b"9" * 5000 + b"}", b'{"id": ' + b"[" * 100_000, b"\xbb", b"nul"],
        ids=range(5),
    )
    def test_so_is_one_damaged_in_whatever_way(self, output: Path, line: bytes) -> None:
        for path in (output, rejects_path(output)):
            sitting(output, 0, 1, 2, overwrite=True)
            path.write_bytes(line + b"\n" + path.read_bytes())
            with pytest.raises(UserError, match=r"jsonl:1: not .*remove this line and all below"):
                caught_up(output)


class TestOtherInput:
    @pytest.mark.parametrize(
        "change", [{"id": "other"}, {"text": "Is it another?"}, {"answer": "False"}, {"options": ("x", "y")}]
    )
    def test_a_question_that_has_changed_since_is_noticed(self, output: Path, change: dict) -> None:
        sitting(output, 0, 1)
        fields = {"id": "q1", "text": "Is it 1?", "answer": "True", "split": "train", **change}
        with pytest.raises(UserError, match="holds 'q1', which is not the question that comes next"):
            caught_up(output, [QUESTIONS[0], QuestionAndKind(Question(**fields), "boolean"), *QUESTIONS[2:]])

    def test_so_are_fewer_questions_than_are_done(self, output: Path) -> None:
        sitting(output, 0, 1, 2)
        with pytest.raises(UserError, match="fewer questions are asked for"):
            caught_up(output, QUESTIONS[:1])

    @pytest.mark.parametrize("row", ["{}", "[]", '{"id": "q0"}'])
    def test_and_rows_that_are_not_ours(self, output: Path, row: str) -> None:
        sitting(output, 0)
        output.write_text(row + "\n")
        with pytest.raises(UserError, match="--overwrite_output"):
            caught_up(output)


class TestSettings:
    def test_other_settings_do_not_mix_with_what_is_done(self, output: Path) -> None:
        sitting(output, 0)
        with pytest.raises(UserError, match=r"planner was 'scripted', is 'other'.*--overwrite_output"):
            sitting(output, 1, settings={"planner": "other"})

    @pytest.mark.parametrize(
        "content", [b"", b"{", b"7", b"\xb2\xff", b'"TRUE"', b"[]", b"null", b"9" * 5000, b"[" * 100_000], ids=range(9)
    )
    def test_damaged_ones_are_named_with_what_to_do(self, output: Path, content: bytes) -> None:
        sitting(output, 0)
        resume.settings_path(output).write_bytes(content)
        with pytest.raises(UserError, match=r"out\.settings\.json: .*--overwrite_output") as caught:
            sitting(output, 1)
        assert len(str(caught.value)) < 1000
        assert sitting(output, 0, overwrite=True).done == 1

    def test_long_ones_are_shown_in_part(self, output: Path) -> None:
        sitting(output, 0, settings={"planner": "x" * 20_000})
        with pytest.raises(UserError, match="planner was") as caught:
            sitting(output, 1)
        assert len(str(caught.value)) < 1000

    def test_as_long_as_nothing_is_done_they_may_change(self, output: Path) -> None:
        sitting(output)
        sitting(output, 0, settings={"planner": "other"})
        assert json.loads(resume.settings_path(output).read_text()) == {"planner": "other"}

    def test_overwriting_starts_anew_with_rejects_and_settings(self, output: Path) -> None:
        sitting(output, 0, 1, 2)
        out = sitting(output, 0, settings={"planner": "other"}, overwrite=True)
        assert out.done == 1
        assert rejects_path(output).read_text() == ""
        assert len(output.read_text().splitlines()) == 1

    def test_a_file_of_another_origin_is_left_as_it_is(self, output: Path) -> None:
        output.parent.mkdir()
        output.write_text("my notes, without an end of line")
        for overwrite in (False, True):
            with pytest.raises(UserError, match="not of a run of `memreason label`"):
                sitting(output, 0, overwrite=overwrite)
        assert output.read_text() == "my notes, without an end of line"


def test_a_second_process_is_refused_and_changes_nothing(output: Path) -> None:
    sitting(output, 0)
    with RunFiles(output):
        before = output.read_text()
        with pytest.raises(UserError, match="another process is writing to it"):
            sitting(output, 1, overwrite=True)
        assert output.read_text() == before
    assert sitting(output, 1).done == 2
