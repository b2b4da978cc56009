"""Pairing by question: what stands together, and what is refused."""

from pathlib import Path
from typing import Any

import pytest
from helpers.compared import paired, row, rows, side

from memreason.compare.pairing import NotPaired, Pairing, pair
from memreason.compare.sides import read_side
from memreason.errors import UserError
from memreason.runtime.files import write_jsonl


def accuracy(found: Any) -> list[list[float]]:
    return [runs[0]["accuracy"][0].tolist() for runs in found.columns]


def test_by_id_and_text_and_never_by_order(tmp_path: Path) -> None:
    found = paired(tmp_path, a=rows("1100"), b=list(reversed(rows("1010"))))
    assert [question.id for question in found.questions] == ["q0", "q1", "q2", "q3"]
    assert accuracy(found) == [[1, 1, 0, 0], [1, 0, 1, 0]]
    assert (found.unpaired.paired_by, found.unpaired.total, found.warnings) == ("id and text", 0, ())


def test_case_and_white_space_of_texts_do_not_matter(tmp_path: Path) -> None:
    assert len(paired(tmp_path, a=[row(0)], b=[row(0, question="  is 0\nSO? ")]).questions) == 1


class TestMissing:
    """Questions of one side only."""

    def test_they_are_an_error_that_names_them(self, tmp_path: Path) -> None:
        with pytest.raises(NotPaired, match=r"6 questions that not every run has: .*b-0.jsonl lacks 6 \(q2, q3, q4, "
                           r"q5, q6 and 1 more\); --allow_missing compares the 2 that all have") as error:  # fmt: skip
            paired(tmp_path, a=rows("1" * 8), b=rows("11"))
        assert error.value.unpaired.missing == {str(tmp_path / "b-0.jsonl"): tuple(f"q{n}" for n in range(2, 8))}

    def test_they_are_left_out_on_demand_and_stay_named(self, tmp_path: Path) -> None:
        found = paired(tmp_path, Pairing(allow_missing=True), a=rows("110"), b=rows("101")[1:])
        assert [question.id for question in found.questions] == ["q1", "q2"]
        assert found.unpaired.missing == {str(tmp_path / "b-0.jsonl"): ("q0",)}
        assert found.warnings == ("left out: 1 question that not every run has",)

    def test_no_shared_question_is_an_error_even_then(self, tmp_path: Path) -> None:
        with pytest.raises(NotPaired, match=r"no question is in all of .*same data, splits and seed"):
            paired(tmp_path, Pairing(allow_missing=True), a=[row(0)], b=[row(1)])

    def test_another_text_under_the_same_id_is_another_question(self, tmp_path: Path) -> None:
        with pytest.raises(NotPaired, match=r"1 ids stand everywhere, but with other texts \(q1\)"):
            paired(tmp_path, a=rows("11"), b=[row(0), row(1, question="Is it raining?")])

    def test_every_run_of_a_side_must_have_them(self, tmp_path: Path) -> None:
        with pytest.raises(NotPaired, match=r"a-1.jsonl lacks 1 \(q1\)"):
            pair([side(tmp_path, "a", "11", "1"), side(tmp_path, "b", "11")])


class TestWithoutIds:
    """Logs of other programs often have none, or their own."""

    def test_texts_pair_where_no_id_is_shared(self, tmp_path: Path) -> None:
        write_jsonl(tmp_path / "log.jsonl", [{"question": f"Is {n} so?", "result": n == 1} for n in (1, 0)])
        found = pair([side(tmp_path, "ours", "10"), read_side("log", [tmp_path / "log.jsonl"])])
        assert accuracy(found) == [[1, 0], [0, 1]]
        assert found.unpaired.paired_by == "text" and "no ids in common" in found.warnings[0]

    def test_ids_can_be_ignored(self, tmp_path: Path) -> None:
        swapped = [row(0, question="Is 1 so?"), row(1, "incorrect", question="Is 0 so?")]
        assert accuracy(paired(tmp_path, Pairing(ignore_ids=True), a=rows("10"), b=swapped)) == [[1, 0], [0, 1]]

    def test_options_tell_questions_of_one_text_apart(self, tmp_path: Path) -> None:
        def of(prefix: str, *outcomes: str) -> list[dict[str, Any]]:
            return [row(n, outcome, id=f"{prefix}{n}", question="Which?", options=[f"a{n}", "b"], gold="A")
                    for n, outcome in enumerate(outcomes)]  # fmt: skip

        found = paired(tmp_path, a=of("x", "correct", "incorrect"), b=of("y", "incorrect", "correct")[::-1])
        assert accuracy(found) == [[1, 0], [0, 1]]


class TestRepeats:
    """Several answers of one run to a question."""

    def test_they_are_an_error(self, tmp_path: Path) -> None:
        with pytest.raises(
            UserError, match=r"b-0.jsonl: 1 question with several answers \(up to 2\): q1; .*--average_re"
        ):
            paired(tmp_path, a=rows("11"), b=[*rows("11"), row(1, "incorrect")])

    def test_they_are_averaged_on_demand(self, tmp_path: Path) -> None:
        found = paired(tmp_path, Pairing(average=True), a=rows("11"), b=[*rows("11"), row(1, "incorrect")])
        assert accuracy(found) == [[1, 1], [1, 0.5]]


class TestTheSameQuestion:
    """Options and right answers must be the same."""

    def test_options_in_another_order_are_paired_and_counted(self, tmp_path: Path) -> None:
        found = paired(tmp_path, a=[row(0, options=["x", "y"], gold="A")],
                       b=[row(0, "incorrect", options=["y", "x"], gold="B")])  # fmt: skip
        assert found.unpaired.other_order == 1
        assert found.warnings == ("1 question with options in another order on some side",)

    def test_the_same_question_in_another_split_is_said(self, tmp_path: Path) -> None:
        found = paired(tmp_path, a=[row(0), row(1)], b=[row(0), row(1, split="validation")])
        assert found.splits == ["test"]
        assert found.warnings[0] == "1 question of another split on some side; that of the first run counts"

    @pytest.mark.parametrize(
        ("other", "message"),
        [
            ({"options": ["x", "z"], "gold": "A"}, "q0 has other options than in"),
            ({"options": ["y", "x"], "gold": "A"}, "q0 has another right answer than in"),
        ],
    )
    def test_others_are_refused(self, tmp_path: Path, other: dict[str, Any], message: str) -> None:
        with pytest.raises(UserError, match=message):
            paired(tmp_path, a=[row(0, options=["x", "y"], gold="A")], b=[row(0, **other)])


def test_runs_with_the_same_answers_are_pointed_out(tmp_path: Path) -> None:
    (one,) = paired(tmp_path, a=rows("10"), b=rows("10")).warnings
    assert "have the same answers, word for word" in one and "seed" not in one
    (seeds,) = pair([side(tmp_path, "a", "10", "10"), side(tmp_path, "b", "11")]).warnings
    assert "runs of the same seed are one run" in seeds


def test_the_file_s_own_fields_are_joined(tmp_path: Path) -> None:
    found = paired(tmp_path, a=[row(0, topic="a")], b=[row(0, topic="b", passage="p")])
    assert found.fields == ({"topic": "a", "passage": "p"},), "the first run counts"
    assert found.splits == ["test"]
