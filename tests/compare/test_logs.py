"""The marks in logs of other programs."""

import json
from pathlib import Path
from typing import Any

import pytest

from memreason.compare.logs import read_marks
from memreason.errors import UserError
from memreason.runtime.files import write_jsonl

LOGS = Path(__file__).parents[1] / "evaluation" / "logs"


def marks(path: Path, mark: str | None = None) -> list[tuple[str, float | None]]:
    return [(question.text, answer.mark) for question, _, answer in read_marks(path, mark)]


def sample(doc: int, name: str = "none", **more: Any) -> dict[str, Any]:
    """A line of samples_….jsonl, as lm-evaluation-harness writes it."""
    return {
        "doc_id": doc, "doc": {"question": f"Is {doc} so?", "topic": "a"}, "target": "1", "arguments": {},
        "resps": [["It is so."]], "filtered_resps": ["so"], "filter": name, "doc_hash": f"h{doc}",
        "metrics": ["exact_match", "f1"], "exact_match": 0.0, "f1": 0.4, **more,
    }  # fmt: skip


def test_real_logs() -> None:
    assert marks(LOGS / "lm_eval-likelihoods.jsonl") == [("Where is it?", 0.0)], "likelihoods have marks, and no texts"
    assert len(marks(LOGS / "lm_eval-choice.jsonl")) == 1
    assert {mark for _, mark in marks(LOGS / "inspect.eval")} == {0.0, 1.0}
    assert [mark for _, mark in marks(LOGS / "inspect.json")] == [1.0]


def test_the_first_metric_or_the_named_one(tmp_path: Path) -> None:
    write_jsonl(tmp_path / "s.jsonl", [sample(0), sample(1, exact_match=1.0, f1=0.9)])
    assert [mark for _, mark in marks(tmp_path / "s.jsonl")] == [0, 1]
    assert [mark for _, mark in marks(tmp_path / "s.jsonl", "f1")] == [0.4, 0.9]
    with pytest.raises(UserError, match=r"no mark 'f2'; there are: exact_match, f1, "):
        marks(tmp_path / "s.jsonl", "f2")


def test_several_filters_are_one_answer(tmp_path: Path) -> None:
    both = [sample(0, "strict-match"), sample(0, "flexible-extract", exact_match=1.0)]
    write_jsonl(tmp_path / "s.jsonl", both)
    assert [mark for _, mark in marks(tmp_path / "s.jsonl")] == [0]
    assert [mark for _, mark in marks(tmp_path / "s.jsonl", "exact_match,flexible-extract")] == [1]


def test_a_question_that_stands_there_twice_has_two_answers(tmp_path: Path) -> None:
    write_jsonl(tmp_path / "s.jsonl", [sample(0, name, exact_match=right) for right in (0.0, 1.0) for name in "ab"])
    assert [mark for _, mark in marks(tmp_path / "s.jsonl")] == [0, 1]
    assert [mark for _, mark in marks(tmp_path / "s.jsonl", "exact_match,b")] == [0, 1]


def test_fields_of_the_question_are_kept(tmp_path: Path) -> None:
    write_jsonl(tmp_path / "s.jsonl", [sample(0)])
    ((question, fields, _),) = read_marks(tmp_path / "s.jsonl")
    assert (question.id, fields["topic"]) == ("h0", "a"), "without an id, the hash of the document is one"


@pytest.mark.parametrize(
    ("value", "mark"),
    [("C", 1), ("incorrect", 0), ("P", 0.5), (True, 1), (0.25, 0.25), ("unclear", None), (None, None)],
)
def test_marks_in_words_and_numbers(tmp_path: Path, value: object, mark: float | None) -> None:
    (tmp_path / "t.json").write_text(json.dumps([{"question": "Is it so?", "result": value}]))
    assert marks(tmp_path / "t.json") == [("Is it so?", mark)]


def test_a_score_that_is_no_share_is_refused(tmp_path: Path) -> None:
    write_jsonl(tmp_path / "s.jsonl", [sample(0, exact_match=7)])
    with pytest.raises(UserError, match=r"the mark 7 is not in \[0, 1\]; name a metric"):
        marks(tmp_path / "s.jsonl")


def test_a_text_without_its_question_needs_a_dataset(tmp_path: Path) -> None:
    (tmp_path / "t.json").write_text('[{"generated_text": "Question: Is it so? …", "result": "correct"}]')
    with pytest.raises(UserError, match="name its dataset with --dataset"):
        marks(tmp_path / "t.json")
