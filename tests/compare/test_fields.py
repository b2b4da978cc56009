"""Fields of questions, for clusters and groups."""

from pathlib import Path

import pytest
from helpers.compared import paired, row, rows

from memreason.compare.fields import numbered, read_fields, values_of
from memreason.errors import UserError
from memreason.runtime.files import write_jsonl


def test_fields_of_the_files_and_of_any_question(tmp_path: Path) -> None:
    found = paired(tmp_path, a=[row(0, passage=3), row(1, passage=4, options=["x", "y"])], b=rows("11"))
    assert values_of(found, "passage") == ["3", "4"]
    assert values_of(found, "split") == ["test", "test"]
    assert values_of(found, "options") == ["0", "2"]


def test_the_family_of_atlas(tmp_path: Path) -> None:
    asked = [row(0, id="atlas-test-capital-000000", dataset="atlas")]
    assert values_of(paired(tmp_path, a=asked, b=asked), "family") == ["capital"]


def test_further_fields_by_id_come_from_a_file(tmp_path: Path) -> None:
    write_jsonl(tmp_path / "f.jsonl", [{"id": "q0", "topic": "a"}, {"id": "q1", "topic": "b"}, {"id": "q9"}])
    more = read_fields(tmp_path / "f.jsonl")
    assert values_of(paired(tmp_path, a=rows("11"), b=rows("10")), "topic", more) == ["a", "b"]
    write_jsonl(tmp_path / "f.jsonl", [{"id": "q0"}, {"id": "q0"}])
    with pytest.raises(UserError, match=r"f\.jsonl:2: the id q0 stands twice"):
        read_fields(tmp_path / "f.jsonl")
    write_jsonl(tmp_path / "f.jsonl", [{"topic": "a"}])
    with pytest.raises(UserError, match=r"f\.jsonl:1: no id"):
        read_fields(tmp_path / "f.jsonl")


def test_a_field_that_a_question_lacks(tmp_path: Path) -> None:
    found = paired(tmp_path, a=[row(0, passage=3), row(1)], b=rows("11"))
    with pytest.raises(UserError, match=r"'passage' is not known for 1 of 2 questions \(q1\)"):
        values_of(found, "passage")
    with pytest.raises(
        UserError, match=r"'passages'.*did you mean passage\?; known are: split, dataset, options, passage"
    ):
        values_of(found, "passages")


def test_clusters_are_numbered_in_their_order() -> None:
    assert numbered(["b", "a", "b", "c"]) == [0, 1, 0, 2]
