"""Record types and their JSONL."""

import json
import os
import stat
from pathlib import Path
from typing import get_args

import pytest
from hypothesis import given
from hypothesis import strategies as st

from memreason.errors import UserError
from memreason.records import Cause, Grounds, Kind, Question, Step, Trace, Verdict, one_line, verdict_from_json
from memreason.runtime.files import atomic_write, read_jsonl, write_json, write_jsonl

words = st.text(min_size=1)
outcomes = st.sampled_from(["correct", "incorrect", "no_answer"])
verdicts = st.builds(
    Verdict,
    trace=st.builds(
        Trace,
        question=st.builds(Question, id=words, text=words, answer=words, options=st.tuples(words, words)),
        text=words,
        steps=st.lists(st.builds(Step, words, words)).map(tuple),
        answer=st.none() | words,
        well_formed=st.booleans(),
        truncated=st.booleans(),
    ),
    strict=st.none() | words,
    flexible=st.none() | words,
    outcome=outcomes,
    flexible_outcome=outcomes,
    step_truth=st.none() | st.lists(st.none() | st.booleans()).map(tuple),
    cause=st.none() | st.sampled_from(get_args(Cause)),
    step_kinds=st.none() | st.lists(st.none() | st.sampled_from(get_args(Kind))).map(tuple),
    grounds=st.none() | st.sampled_from(get_args(Grounds)),
)


@given(verdicts)
def test_a_verdict_survives_json(verdict):
    assert verdict_from_json(json.loads(json.dumps(verdict.to_json()))) == verdict
    assert verdict_from_json(verdict.to_json()) == verdict


@given(st.text())
def test_one_line_is_one_line(text):
    assert one_line(text).splitlines() in ([one_line(text)], [])
    assert one_line(one_line(text)) == one_line(text)


def test_jsonl_is_read_with_line_numbers_and_empty_lines_skipped(tmp_path):
    path = tmp_path / "rows.jsonl"
    path.write_text('\ufeff{"a": 1}\n\n{"a": "ü"}\n', encoding="utf-8")  # a byte order mark is no data
    assert list(read_jsonl(path)) == [(1, {"a": 1}), (3, {"a": "ü"})]


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b'{"a": 1}\n{"a"', r"rows\.jsonl:2: not valid JSON"),
        (b"[1]\n", r"rows\.jsonl:1: expected a JSON object, got list"),
        (b'{"a": "\xff"}\n', r"rows\.jsonl: not UTF-8"),
    ],
)
def test_a_bad_line_is_named(tmp_path, content, message):
    path = tmp_path / "rows.jsonl"
    path.write_bytes(content)
    with pytest.raises(UserError, match=message):
        list(read_jsonl(path))


def test_written_jsonl_reads_back_unescaped(tmp_path):
    path = tmp_path / "new" / "rows.jsonl"
    write_jsonl(path, [{"a": "ü\n"}, {"b": None}])
    assert [row for _, row in read_jsonl(path)] == [{"a": "ü\n"}, {"b": None}]
    assert "ü" in path.read_text(encoding="utf-8")


def test_a_failed_write_leaves_the_old_file_and_nothing_else(tmp_path):
    path = tmp_path / "file.txt"
    path.write_text("old")
    with pytest.raises(ZeroDivisionError), atomic_write(path) as file:
        file.write("new")
        raise ZeroDivisionError
    assert path.read_text() == "old"
    assert [entry.name for entry in tmp_path.iterdir()] == ["file.txt"]


@pytest.mark.parametrize(("umask", "mode"), [(0o022, 0o644), (0o077, 0o600), (0o002, 0o664)])
def test_what_is_written_can_be_read_by_whom_the_umask_lets(tmp_path: Path, umask: int, mode: int) -> None:
    before = os.umask(umask)
    try:
        write_json(tmp_path / "a.json", {})
    finally:
        os.umask(before)
    assert stat.S_IMODE((tmp_path / "a.json").stat().st_mode) == mode
    assert [path.name for path in tmp_path.iterdir()] == ["a.json"]
