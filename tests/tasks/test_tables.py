"""Your own questions as CSV, TSV or Parquet, or compressed: the same solutions as from JSONL."""

import csv
import gzip
import json

import datasets
import pytest

from memreason.errors import UserError
from memreason.tasks.registry import load_task
from memreason.tasks.tables import read_table

STEPS = [{"type": "memory", "text": "A fact, with a comma."}, {"type": "reason", "text": "So."}]
ROWS = [
    {"id": f"00{n}", "question": f"Which\n\nis {n}?", "answer": "B", "options": ["x, y", "z"], "steps": STEPS,
     "split": split}
    for n, split in enumerate(["train", "train", "test"])
]  # fmt: skip


def write_csv(path, rows, separator=","):
    with open(path, "w", encoding="utf-8-sig", newline="") as file:
        writer = csv.writer(file, delimiter=separator)
        writer.writerow(rows[0])
        writer.writerows(row.values() for row in rows)
    return path


def as_json(row):
    return row | {"options": json.dumps(row["options"]), "steps": json.dumps(row["steps"])}


def as_lines(row):
    steps = "\n".join(f"[{step['type']}]: {step['text']}" for step in row["steps"])
    return row | {"options": "\n".join(row["options"]), "steps": steps}


def as_python(row):
    return row | {"options": str(row["options"]), "steps": str(row["steps"])}


@pytest.fixture
def expected(tmp_path):
    path = tmp_path / "mine.jsonl"
    path.write_text("".join(json.dumps(row) + "\n" for row in ROWS))
    return load_task("jsonl", str(path)).splits


@pytest.mark.parametrize("spelled", [as_json, as_lines, as_python])
@pytest.mark.parametrize(("name", "separator"), [("mine.csv", ","), ("mine.csv", ";"), ("mine.tsv", "\t")])
def test_csv(tmp_path, expected, spelled, name, separator):
    path = write_csv(tmp_path / name, [spelled(row) for row in ROWS], separator)
    assert load_task("jsonl", str(path)).splits == expected


def test_parquet(tmp_path, expected):
    datasets.Dataset.from_list(ROWS).to_parquet(tmp_path / "mine.parquet")
    assert load_task("jsonl", str(tmp_path / "mine.parquet")).splits == expected


def test_compressed(tmp_path, expected):
    plain = write_csv(tmp_path / "mine.csv", [as_json(row) for row in ROWS])
    for path in (plain, tmp_path / "mine.jsonl"):
        packed = path.with_name(f"{path.name}.gz")
        packed.write_bytes(gzip.compress(path.read_bytes()))
        assert load_task("jsonl", str(packed)).splits == expected


def test_a_folder_of_tables(tmp_path, expected):
    write_csv(tmp_path / "train.csv", [as_json(row) for row in ROWS[:2]])
    datasets.Dataset.from_list(ROWS[2:]).to_parquet(tmp_path / "test.parquet")
    (tmp_path / "mine.jsonl").unlink()
    assert load_task("jsonl", str(tmp_path)).splits == expected


def test_cells_are_text_and_empty_ones_are_none(tmp_path):
    path = write_csv(tmp_path / "mine.csv", [{"question": "Q?", " answer": "NA", "id": "007", "options": ""}])
    assert [row for _, row in read_table(path)] == [{"question": "Q?", "answer": "NA", "id": "007", "options": None}]


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("question,answer\nIs it?,yes,no\n", r"mine\.csv:2: 3 cells in a table of 2 columns \(question, answer\)"),
        ('question,answer\nIs it?,yes\n"Is', r"mine\.csv:3: unexpected end of data"),
        ("question,question\nIs it?,yes\n", r"mine\.csv:1: a column's name stands twice"),
        ("frage,antwort\nIst es?,ja\n", r'mine\.csv:2: field "question" is missing'),
        ("question,answer\nIs it?,\n", r'mine\.csv:2: field "answer" must be a non-empty text'),
        ("", "the dataset is empty"),
    ],
)
def test_a_bad_table_is_an_error_with_its_line(tmp_path, content, message):
    (tmp_path / "mine.csv").write_text(content)
    with pytest.raises(UserError, match=message):
        load_task("jsonl", str(tmp_path / "mine.csv"))


def test_what_is_no_parquet_is_named(tmp_path):
    (tmp_path / "mine.parquet").write_bytes(b"PAR1 and then nothing")
    with pytest.raises(UserError, match=r"mine\.parquet: .*; give a whole Parquet file"):
        load_task("jsonl", str(tmp_path / "mine.parquet"))
