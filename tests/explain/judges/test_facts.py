"""A table of one's own: what is in it is true or false, the rest is unverifiable."""

import json

import pytest
from helpers.traces import LYON, trace

from memreason.errors import UserError
from memreason.explain.judges.facts import FactsJudge, read_facts

HELD = {"Paris is the capital of France.": True, "Lyon is the capital of France.": False}


def write(path, *rows):
    path.write_text("".join(row if isinstance(row, str) else json.dumps(row) + "\n" for row in rows))
    return path


def test_a_step_is_found_by_its_words_whatever_its_type():
    steps = [
        ("memory", "PARIS is a capital of France"),
        ("reason", "Lyon is the capital of France."),
        ("memory", "It is."),
    ]
    (found,) = FactsJudge(HELD, "boolean").judge([trace(LYON, "True", *steps)])
    assert found.step_truth == (True, False, None, None)
    assert found.kinds == ("memory", "memory", None)
    assert found.cause == "false_memory"


def test_a_file_of_statements(tmp_path):
    path = write(
        tmp_path / "f.jsonl", {"statement": "It rains.", "true": True}, {"statement": "It snows.", "true": False}
    )
    assert read_facts(path) == {"It rains.": True, "It snows.": False}


@pytest.mark.parametrize(
    ("row", "message"),
    [
        ({"statement": "It rains."}, '"true" is None'),
        ({"statement": "It rains.", "true": "yes"}, "\"true\" is 'yes'"),
        ({"statement": " . ", "true": True}, "not a sentence"),
        ({"fact": "It rains.", "true": True}, '"statement" is None'),
        ({"statement": "the earth is round", "true": False}, "held false here, and true in line 1"),
        ("{", "not valid JSON"),
    ],
)
def test_a_bad_line_is_named(tmp_path, row, message):
    path = write(tmp_path / "f.jsonl", {"statement": "Earth is round.", "true": True}, row)
    with pytest.raises(UserError, match=r"f\.jsonl:2") as caught:
        read_facts(path)
    assert message in str(caught.value)


def test_a_missing_and_an_empty_file(tmp_path):
    with pytest.raises(UserError, match="no such file"):
        read_facts(tmp_path / "nothing.jsonl")
    with pytest.raises(UserError, match="no statements"):
        read_facts(write(tmp_path / "empty.jsonl"))
