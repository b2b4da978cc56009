"""Between our form and the published one: nothing is reworded, and what cannot be read is named."""

import json
from pathlib import Path
from string import ascii_uppercase
from typing import Any

import pytest
from conftest import SHARED
from hypothesis import given
from hypothesis import strategies as st

from memreason.errors import UserError
from memreason.label.convert import convert
from memreason.tasks.jsonl import read_record

PUBLISHED = [
    {"question": "Is Lyon the capital?", "answer": "False", "cot_steps": ["[rag]: It is Paris.", "[reason]: So no."],
     "split": "train"},
    {"question": "What writes? Options: A. spoon B. pen", "answer": "B",
     "cot_steps": ["[rag]: Pens write.", "[reason]: So B."], "split": "test"},
]  # fmt: skip


def there(folder: Path, rows: Any) -> list[dict[str, Any]]:
    (folder / "a.json").write_text(json.dumps(rows, ensure_ascii=False))
    (folder / "b.jsonl").unlink(missing_ok=True)
    convert(str(folder / "a.json"), str(folder / "b.jsonl"))
    return [json.loads(line) for line in (folder / "b.jsonl").read_text().split("\n") if line]


def back(folder: Path) -> list[dict[str, Any]]:
    (folder / "c.json").unlink(missing_ok=True)
    convert(str(folder / "b.jsonl"), str(folder / "c.json"))
    return json.loads((folder / "c.json").read_text())


def test_a_file_that_is_there_is_not_overwritten(tmp_path: Path) -> None:
    there(tmp_path, PUBLISHED)
    before = (tmp_path / "b.jsonl").read_bytes()
    with pytest.raises(UserError, match="is not overwritten"):
        convert(str(tmp_path / "a.json"), str(tmp_path / "b.jsonl"))
    assert (tmp_path / "b.jsonl").read_bytes() == before


def test_published_rows_become_rows_of_the_dataset_jsonl(tmp_path: Path) -> None:
    ours = there(tmp_path, PUBLISHED)
    assert ours[0] == {
        "question": "Is Lyon the capital?", "answer": "False", "split": "train",
        "steps": [{"type": "memory", "text": "It is Paris."}, {"type": "reason", "text": "So no."}],
    }  # fmt: skip
    assert (ours[1]["question"], ours[1]["options"]) == ("What writes?", ["spoon", "pen"])
    assert all(read_record("x", "", row).steps for row in ours)


def test_our_rows_become_published_ones(tmp_path: Path) -> None:
    ours = {"id": "q", "question": "What writes?", "answer": "B", "options": ["spoon", "pen"],
            "steps": [{"type": "memory", "text": "Pens write.", "query": "What?"}, "[reason]: So B."]}  # fmt: skip
    (tmp_path / "b.jsonl").write_text(json.dumps(ours))
    assert back(tmp_path) == [
        {"id": "q", "question": "What writes? Options: A. spoon B. pen", "answer": "B",
         "cot_steps": ["[rag]: Pens write.", "[reason]: So B."]}
    ]  # fmt: skip


_TEXT = st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=30).filter(str.strip)
_OPTIONS = st.lists(_TEXT, min_size=2, max_size=6).map(
    lambda texts: " Options: " + " ".join(f"{ascii_uppercase[i]}. {text}" for i, text in enumerate(texts))
)
_ROW = st.fixed_dictionaries(
    {
        "question": st.builds(str.__add__, _TEXT, st.just("") | _OPTIONS),
        "answer": st.sampled_from(["True", "False", "yes", "A", "B", "E", "42"]) | _TEXT | st.booleans(),
        "cot_steps": st.lists(
            st.builds("[{}]: {}".format, st.sampled_from(["rag", "reason"]), _TEXT), min_size=1, max_size=4
        ),
    },
    optional={"split": st.sampled_from(["train", "test"]), "id": _TEXT, "source": _TEXT},
)


@given(st.lists(_ROW, max_size=4))
def test_published_rows_come_back_as_they_were(
    tmp_path_factory: pytest.TempPathFactory, rows: list[dict[str, Any]]
) -> None:
    folder = tmp_path_factory.getbasetemp()
    there(folder, rows)
    assert [list(row.items()) for row in back(folder)] == [list(row.items()) for row in rows]


def test_the_published_files_come_back_as_they_were_but_for_the_rows_that_are_named(tmp_path: Path) -> None:
    files = sorted((SHARED / "agent").glob("*.json"))
    if not files:
        pytest.skip("the published files are not here")
    for file in files:
        rows = json.loads(file.read_text(encoding="utf-8"))
        there(tmp_path, rows)
        found = back(tmp_path)
        remaining = iter(rows)
        assert all(row in remaining for row in found), "another order, or other rows"
        assert len(found) > 0.98 * len(rows)


class TestBadInput:
    @pytest.mark.parametrize("step", ["no label", "[reason] and [rag]: a", "[thought]: a", "[rag]: ", 7, None])
    def test_a_row_with_a_step_that_cannot_be_read_is_left_out_and_named(self, tmp_path: Path, step: Any) -> None:
        (tmp_path / "a.json").write_text(json.dumps([PUBLISHED[0], {**PUBLISHED[0], "cot_steps": [step]}]))
        said = convert(str(tmp_path / "a.json"), str(tmp_path / "b.jsonl"))
        assert said[0].startswith("1 solutions written")
        assert "1 left out" in said[1] and "a.json[1]" in said[1]

    @pytest.mark.parametrize("step", ["no label", {"type": "thought", "text": "a"}, {"type": "memory"}, 7])
    def test_so_on_the_way_back(self, tmp_path: Path, step: Any) -> None:
        (tmp_path / "b.jsonl").write_text(json.dumps({"question": "q", "answer": "yes", "steps": [step]}))
        assert back(tmp_path) == []

    @pytest.mark.parametrize(
        ("row", "says"),
        [
            ({"question": "q", "answer": "yes"}, "neither a list of"),
            ({"question": "q", "answer": "yes", "cot_steps": "[rag]: a"}, "neither a list of"),
            ({"answer": "yes", "cot_steps": []}, '"question" is missing'),
            ({"question": "q", "cot_steps": []}, '"answer" is missing'),
            ({"question": 7, "answer": "yes", "steps": []}, '"question" is missing, or of the wrong type'),
        ],
    )
    def test_a_row_of_another_form_is_an_error_that_names_it(self, tmp_path: Path, row: Any, says: str) -> None:
        with pytest.raises(UserError, match=rf"a\.json\[0\]: .*{says}"):
            there(tmp_path, [row])

    def test_other_endings_and_missing_files_are_refused(self, tmp_path: Path) -> None:
        with pytest.raises(UserError, match=r"must end in \.jsonl"):
            convert(str(tmp_path / "a.json"), str(tmp_path / "b.txt"))
        with pytest.raises(UserError, match=r"a\.json: no such file"):
            convert(str(tmp_path / "a.json"), str(tmp_path / "b.jsonl"))
