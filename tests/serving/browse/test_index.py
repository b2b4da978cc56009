"""The index of a traces.jsonl: filters, facets, search, families."""

import pickle
from pathlib import Path

import pytest
from helpers.browsed import atlas, row, write

from memreason.errors import UserError
from memreason.evaluation.files import read_traces
from memreason.evaluation.metrics import compute_metrics
from memreason.serving.browse.figures import figures
from memreason.serving.browse.index import TraceIndex

ROWS = [
    atlas("capital", 0, grounds="sound"),
    atlas("capital", 1, answer="False", cause="false_memory"),
    atlas("area", 2, answer="False", cause="wrong_inference", split="seen"),
    atlas("border-of", 3, answer="False"),
    row("q", steps=("memory Köln is old.", "reason So it is."), split="seen", grounds="lucky"),
]
ROWS[2]["id"] = "atlas-seen-area-000002"


@pytest.fixture
def index(tmp_path: Path) -> TraceIndex:
    return TraceIndex(write(tmp_path, *ROWS) / "traces.jsonl")


def test_a_row_is_the_line_of_the_file(index: TraceIndex) -> None:
    assert index.row(1) == {**ROWS[1], "place": 1, "family": "capital"}


@pytest.mark.parametrize(
    ("wanted", "places"),
    [
        ({}, [0, 1, 2, 3, 4]),
        ({"cause": "false_memory"}, [1]),
        ({"cause": "unexplained"}, [3]),
        ({"outcome": "correct"}, [0, 4]),
        ({"outcome": "correct", "grounds": "lucky"}, [4]),
        ({"split": "seen"}, [2, 4]),
        ({"family": "border-of"}, [3]),
        ({"family": "capital", "outcome": "incorrect", "cause": ""}, [1]),
        ({"family": "nowhere"}, []),
    ],
)
def test_filters_are_combined(index: TraceIndex, wanted: dict, places: list[int]) -> None:
    assert index.select(wanted)[0] == places


@pytest.mark.parametrize(
    ("query", "places"),
    [
        ("köln", [4]),
        ("OLD  memory", [4]),
        ("köln capital", []),
        ("is", [0, 1, 2, 3, 4]),
        ("000001", [1]),
        ("false", [1, 2, 3]),
    ],
)
def test_a_search_wants_all_words_anywhere_in_the_trace(index: TraceIndex, query: str, places: list[int]) -> None:
    assert index.select({}, query)[0] == places


def test_a_facet_counts_what_another_choice_of_it_would_give(index: TraceIndex) -> None:
    for name in ("outcome", "cause", "grounds", "split", "family"):
        wanted = {"split": "test", "family": "capital"}
        for value, count in index.select(wanted)[1][name].items():
            assert len(index.select({**wanted, name: value})[0]) == count
    assert index.select({"split": "test"})[1]["split"] == {"test": 3, "seen": 2}


def test_only_given_ids_are_looked_at(index: TraceIndex) -> None:
    assert index.select({"split": "seen"}, ids={"q", ROWS[0]["id"]})[0] == [4]


def test_figures_are_those_of_the_metrics_and_lead_to_as_many_traces(index: TraceIndex, tmp_path: Path) -> None:
    metrics = compute_metrics(read_traces(tmp_path / "traces.jsonl")).to_json()
    found = figures(index)
    assert found["overall"].items() <= (metrics | {"interval": tuple(metrics["interval"])}).items()
    assert found["errors"] == metrics["errors_by_cause"]
    for facet, counts in (("cause", found["errors"]), ("grounds", found["right"])):
        assert {value: len(index.select({facet: value})[0]) for value in counts} == counts
    families = {name: accuracy["n"] for name, accuracy in found["families"].items()}
    assert families == {name: len(index.select({"family": name})[0]) for name in ("area", "border-of", "capital")}
    assert figures(index, "seen")["errors"] == {"wrong_inference": 1}


@pytest.mark.parametrize(
    ("damage", "said"), [({"outcome": 3}, "outcome is 3"), ({"steps": None}, "steps"), ({"id": None}, "id is None")]
)
def test_a_damaged_line_is_named(tmp_path: Path, damage: dict, said: str) -> None:
    path = write(tmp_path, row(), row() | damage) / "traces.jsonl"
    with pytest.raises(UserError, match=rf"traces.jsonl:2: not a trace .*{said}"):
        TraceIndex(path)


def test_traces_without_a_judge_have_no_causes(tmp_path: Path) -> None:
    index = TraceIndex(write(tmp_path, row(answer="False", step_truth=None)) / "traces.jsonl")
    assert (index.judged, figures(index)["errors"]) == (False, {})


def test_memory_holds_the_words_and_no_more(index: TraceIndex) -> None:
    assert len(pickle.dumps(index.entries)) < 5 * 500
