"""Two runs side by side: who is paired with whom, and what came of it."""

import random
from pathlib import Path

import pytest
from helpers.browsed import row, write

from memreason.serving.browse.compare import Comparison
from memreason.serving.browse.index import TraceIndex


def comparison(folder: Path, left: list[dict], right: list[dict]) -> Comparison:
    one, other = write(folder / "left", *left), write(folder / "right", *right)
    return Comparison(TraceIndex(one / "traces.jsonl"), TraceIndex(other / "traces.jsonl"))


def test_questions_are_paired_by_id_and_text_and_never_by_order(tmp_path: Path) -> None:
    left = [row(f"q{i}", f"Is {i} even?", answer=str(i % 2 == 0)) for i in range(9)]
    right = [row(f"q{i}", f"Is {i} even?") for i in range(9)]
    random.Random(0).shuffle(right)
    both = comparison(tmp_path, left, right)
    shown = [both.shown(pair) for pair in both.select({})[0]]
    assert [pair["left"]["id"] for pair in shown] == [f"q{i}" for i in range(9)]
    assert all(pair["left"]["question"] == pair["right"]["question"] for pair in shown)


def test_what_is_not_the_same_question_is_left_out_and_counted(tmp_path: Path) -> None:
    left = [row("same"), row("text", "Is Rome old?"), row("gone"), row("twice"), row("options", options=["a", "b"])]
    right = [row("twice"), row("twice"), row("text", "Is Bonn old?"), row("options", options=["b", "a"]), row("same")]
    both = comparison(tmp_path, left, right)
    assert both.unpaired == {"only_left": 1, "only_right": 0, "other_text": 1, "repeated": 1}
    shown = {pair["left"]["id"]: pair["same_options"] for pair in map(both.shown, both.select({})[0])}
    assert shown == {"same": True, "options": False}


def test_figures_count_pairs_and_lead_to_them(tmp_path: Path) -> None:
    left = [row(f"q{i}", answer=str(i < 3)) for i in range(10)]
    right = [row(f"q{i}", answer=str(i >= 1), cause=None if i else "both") for i in range(10)]
    both = comparison(tmp_path, left, right)
    found = both.figures
    assert found["changes"] == {"both_right": 2, "only_left": 1, "only_right": 7, "both_wrong": 0}
    assert (found["left"]["accuracy"], found["right"]["accuracy"], found["n"]) == (0.3, 0.9, 10)
    pair = found["comparison"]
    assert pair["difference"] == pytest.approx(0.6) and pair["interval"][0] < 0.6 < pair["interval"][1]
    assert pair["p"] == pair["mcnemar_p"] == pytest.approx(2 * (1 + 8) / 2**8)  # McNemar, by hand
    assert list(pair["outcomes"].values()) == list(found["changes"].values())
    assert pair["verdict"] == "tied" and "right and left are statistically tied" in pair["sentence"]
    for change, count in found["changes"].items():
        assert len(both.select({"change": change})[0]) == count
    assert both.select({"cause": "both"})[0] == [(0, 0)]
    assert both.select({}, "q7 lyon")[0] == [(7, 7)]


def test_one_of_the_two_traces_must_have_what_is_looked_for(tmp_path: Path) -> None:
    left = [row(f"q{i}", answer="False", cause="both" if i else None) for i in range(2)]
    right = [row(f"q{i}", steps=[f"memory Lyon has {i} rivers."]) for i in range(2)]
    both = comparison(tmp_path, left, right)
    assert both.select({"cause": "both"})[0] == [(1, 1)]
    assert both.select({}, "roman")[0] == [(0, 0), (1, 1)]
    assert both.select({}, "1 rivers")[0] == [(1, 1)]
    assert both.select({}, "roman rivers")[0] == []  # all words in one of them


def test_without_common_questions_there_are_no_figures(tmp_path: Path) -> None:
    found = comparison(tmp_path, [row("a")], [row("b")]).figures
    assert (found["n"], found["left"]["accuracy"], found["comparison"]) == (0, None, None)
