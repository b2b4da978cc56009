"""Questions and edits in a file."""

import json
from pathlib import Path

import pytest

from memreason import Reasoner
from memreason.config.model import ModelConfig
from memreason.errors import UserError
from memreason.explain.what_if import Wanted, read_edits, what_if
from memreason.models.build import build
from memreason.records import Question


def test_a_file_of_edits(tmp_path: Path) -> None:
    rows = [
        {"question": "Is Rome\n old?", "steps": {"1": "So.", "3": None}},
        {"question": "Which?", "options": ["A a", "B b"], "id": 7, "steps": {"2": {"type": "reason"}}},
        {"question": "Which?", "steps": {"1": {"type": "memory", "text": "x"}}},
    ]
    path = tmp_path / "edits.jsonl"
    path.write_text("".join(f"{json.dumps(row)}\n" for row in rows))
    assert list(read_edits(path)) == [
        Wanted(Question("1", "Is Rome old?", ""), {0: "So.", 2: None}, {}),
        Wanted(Question("7", "Which?", "", ("A a", "B b")), {}, {1: "reason"}),
        Wanted(Question("3", "Which?", ""), {0: "x"}, {0: "memory"}),
    ]


@pytest.mark.parametrize(
    ("row", "message"),
    [
        ({"steps": {"1": "x"}}, 'edits.jsonl:1: "question" is missing'),
        ({"question": " ", "steps": {"1": "x"}}, '"question" is missing, or is no text'),
        ({"question": "?", "steps": {}}, '"steps" says what is to be changed'),
        ({"question": "?", "steps": {"0": "x"}}, "step '0' is no number of a step: they are counted from 1"),
        ({"question": "?", "steps": {"one": "x"}}, "step 'one' is no number"),
        ({"question": "?", "steps": {"9" * 5000: "x"}}, "is no number of a step"),
        ({"question": "?", "steps": {"1": "x", "01": "y"}}, "step 1 stands there twice"),
        ({"question": "?", "steps": {"1": {"kind": "x"}}}, "step 1 is no text, no null"),
        ({"question": "?", "steps": {"1": 3}}, "step 1 is no text, no null"),
        ({"question": "?", "options": "AB", "steps": {"1": "x"}}, '"options" is no list of texts'),
        ({"question": "?", "options": ["A"], "steps": {"1": "x"}}, '"options" has 1; give 2 to 26'),
    ],
)
def test_a_line_of_another_form_is_named(tmp_path: Path, row: dict, message: str) -> None:
    path = tmp_path / "edits.jsonl"
    path.write_text(json.dumps(row))
    with pytest.raises(UserError) as error:
        list(read_edits(path))
    assert message in str(error.value)


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="no such file; give lines of the form"):
        list(read_edits(tmp_path / "none.jsonl"))


def test_one_answer_that_cannot_be_edited_does_not_stop_the_others(bases: dict[str, Path]) -> None:
    reasoner = Reasoner(build(ModelConfig(model_name_or_path=str(bases["tied"]), dtype="float32"), 96))
    asked = Question("1", "Is Rome old?", "")
    fine, wrong = what_if(reasoner, [Wanted(asked, {0: "Rome is old."}, {0: "memory"}), Wanted(asked, {40: "So."})])
    assert fine.after and fine.after.steps[0].text == "Rome is old." and fine.error is None
    assert (
        wrong.after is None
        and wrong.error == f"there is no step 41: the model's answer has {len(wrong.before.steps)} steps"
    )
    row = fine.to_json()
    assert (row["given"], row["kept_tokens"], row["question"]) == (1, 0, "Is Rome old?")
    assert row["before"]["answer"] == wrong.to_json()["before"]["answer"]
    assert wrong.to_json()["after"] is None
