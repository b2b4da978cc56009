"""Comparisons from files to results: what is compared with what, what is decided, and what is refused."""

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from helpers.compared import paired, row, rows, side, traces
from helpers.comparisons import PLAIN, TIED, TYPED

from memreason.compare.config import CompareConfig
from memreason.compare.figures import Comparer, Figures
from memreason.compare.measures import MEASURES
from memreason.compare.pairing import Paired, pair
from memreason.compare.result import gate_of, to_json
from memreason.compare.run import Looks, compare, compare_all, narrowed, pairs_of
from memreason.compare.statistics.arm import Arm
from memreason.compare.statistics.difference import difference
from memreason.errors import UserError

FIRST, SECOND = "1" * 12 + "0" * 12, "1" * 10 + "0" * 2 + "1" * 10 + "-" * 2
"""Ten right on both sides, two on the first only, ten on the second only, two on neither."""


def judged(text: str, truths: str) -> list[dict[str, Any]]:
    """Rows whose memory step is true (1) or false (0), or was not judged (.)."""
    known = {"1": [True, None, True], "0": [False, None, True], ".": None}
    return [{**each, "step_truth": known[sign]} for each, sign in zip(rows(text), truths, strict=True)]


class TestTwoRuns:
    """The plain case: McNemar."""

    @pytest.fixture
    def result(self, tmp_path: Path) -> Any:
        return compare(paired(tmp_path, plain=rows(FIRST), typed=rows(SECOND)))

    def test_the_figures_are_those_of_the_statistics(self, result: Any) -> None:
        (found,) = result.comparisons
        one, two = (Arm(name, np.array([[sign == "1" for sign in text]]), np.ones((1, 24)))
                    for name, text in (("plain", FIRST), ("typed", SECOND)))  # fmt: skip
        known = difference(one, two)
        assert (found.outcomes.both, found.outcomes.only_first, found.outcomes.only_second) == (10, 2, 10)
        assert (found.difference, found.interval, found.p) == (known.difference, known.interval, known.p)
        assert found.mcnemar_p == found.p == found.p_holm == found.p_bh == pytest.approx(0.0385742)
        assert (found.first, found.second, found.verdict, found.n) == ("plain", "typed", "better", 24)
        assert [(arm.name, arm.value, arm.n) for arm in result.arms] == [("plain", 0.5, 24), ("typed", 20 / 24, 24)]

    def test_the_sentence(self, result: Any) -> None:
        assert result.comparisons[0].sentence.startswith(
            "accuracy: typed is better than plain: typed 83.3% against plain 50.0%, +33.3 points (95% interval +"
        )
        assert "McNemar's exact test, p = 0.039)" in result.comparisons[0].sentence

    def test_the_json_holds_everything(self, result: Any) -> None:
        written = json.loads(json.dumps(to_json([result])))
        (found,) = written["results"]
        assert (written["format"], found["format"], found["confidence"], written["gate"]) == (1, 1, 0.95, None)
        assert found["comparisons"][0]["mcnemar_p"] == result.comparisons[0].mcnemar_p
        assert found["comparisons"][0]["outcomes"] == {"both": 10, "only_first": 2, "only_second": 10, "neither": 2}

    def test_tied_sides_say_what_could_have_been_found(self, tmp_path: Path) -> None:
        (found,) = compare(paired(tmp_path, a="1100" * 5, b="1010" * 5)).comparisons
        assert (found.verdict, found.difference, found.p) == ("tied", 0, 1)
        assert "statistically tied" in found.sentence and "would have been found four times in five" in found.sentence


def test_a_p_value_of_exactly_the_level_decides_nothing() -> None:
    comparer = Comparer((), MEASURES["accuracy"], [], None)
    pairs = tuple(replace(TIED, difference=0.1, p=p) for p in (0.05, 0.0499))
    found = [comparer.decide([Figures((PLAIN, TYPED), (pair,))])[0].pairs[0].verdict for pair in pairs]
    assert found == ["tied", "better"]


def test_less_is_better_of_some_measures_and_of_others_neither(tmp_path: Path) -> None:
    found = paired(tmp_path, a="1" * 20, b="-" * 20)
    assert compare(found, "no_answer").comparisons[0].verdict == "worse"
    long = paired(tmp_path, a=rows("1" * 9), c=[{**each, "steps": each["steps"] * 2} for each in rows("1" * 9)])
    (steps,) = compare(long, "steps").comparisons
    assert (steps.verdict, steps.difference) == ("higher", 2)
    assert "steps an answer: c is higher than a: c 4.000 against a 2.000, +2.000" in steps.sentence


class TestManySides:
    """All against one, or all pairs, with adjusted p-values."""

    @pytest.fixture
    def three(self, tmp_path: Path) -> Paired:
        return paired(tmp_path, a=rows(FIRST), b=rows(SECOND), c=rows("1" * 24))

    def test_all_against_the_first_by_default(self, three: Paired) -> None:
        found = compare(three).comparisons
        assert [(each.first, each.second) for each in found] == [("a", "b"), ("a", "c")]
        assert found[0].p_holm == pytest.approx(max(found[0].p, 2 * found[1].p)) and found[1].p_holm == 2 * found[1].p
        assert "adjusted for 2 comparisons" in found[0].sentence

    def test_pairs_of_names(self) -> None:
        assert pairs_of("abc", against="b") == [("b", "a"), ("b", "c")]
        assert pairs_of("abc", all_pairs=True) == [("a", "b"), ("a", "c"), ("b", "c")]
        with pytest.raises(UserError, match="--against d: the sides are a, b, c"):
            pairs_of("abc", against="d")


def test_several_runs_of_a_side(tmp_path: Path) -> None:
    sides = [side(tmp_path, "plain", FIRST, "01" * 12, "110" * 8), side(tmp_path, "typed", SECOND, "011" * 8)]
    result = compare(pair(sides))
    (found,) = result.comparisons
    assert [(arm.runs, len(arm.by_run), len(arm.paths)) for arm in result.arms] == [(3, 3, 3), (2, 2, 2)]
    assert (found.outcomes, found.mcnemar_p, found.p_method) == (None, None, "t_crossed")


class TestAStudyOfManyArms:
    """Four sides of several runs share their spread by seeds; and pairs can be picked from all pairs."""

    @pytest.fixture
    def four(self, tmp_path: Path) -> Paired:
        texts = {"a": (FIRST, "01" * 12), "b": (SECOND, "011" * 8), "c": ("1" * 24, "0111" * 6), "d": (FIRST, SECOND)}
        return pair([side(tmp_path, name, *runs) for name, runs in texts.items()])

    def test_the_spread_by_seeds_is_shared_by_four_and_not_by_three(self, four: Paired, tmp_path: Path) -> None:
        found = compare(four)
        assert {each.method for each in found.comparisons} == {"t_moderated"}
        assert "with a shared spread of seeds" in found.comparisons[0].sentence
        three = compare(pair(four.sides[:3]))
        assert {each.method for each in three.comparisons} == {"t_crossed"}

    def test_the_pairs_with_one_side_are_those_of_a_comparison_of_these_alone(self, four: Paired) -> None:
        looks, names = Looks(by="kind", more={f"q{n}": {"kind": "xy"[n % 2]} for n in range(24)}), "abcd"
        everything = compare(four, pairs=pairs_of(names, "b", all_pairs=True), looks=looks)
        assert len(everything.comparisons) == 6
        assert narrowed(everything, "b") == compare(four, pairs=pairs_of(names, "b"), looks=looks)


class TestSplitsClustersAndGroups:
    """Looks at parts of the questions."""

    @pytest.fixture
    def found(self, tmp_path: Path) -> Paired:
        def of(text: str) -> list[dict[str, Any]]:
            return [{**each, "split": f"test_{n % 2}", "passage": f"p{n // 4}", "kind": "xyz"[n // 8]}
                    for n, each in enumerate(rows(text))]  # fmt: skip

        return paired(tmp_path, plain=of(FIRST), typed=of(SECOND))

    def test_a_split(self, found: Paired) -> None:
        assert [(compare(found, split=split).n, compare(found, split=split).split) for split in (None, "test_1")] == [
            (24, None), (12, "test_1"),
        ]  # fmt: skip
        with pytest.raises(UserError, match=r"--split tset_1: the sides share the splits test_0, test_1; did you mean"):
            compare(found, split="tset_1")

    def test_clusters_widen_the_interval(self, found: Paired) -> None:
        alone, clustered = (compare(found, looks=Looks(cluster=name)) for name in (None, "passage"))
        (one,), (two,) = alone.comparisons, clustered.comparisons
        assert (clustered.cluster, clustered.n_clusters) == ("passage", 6)
        assert two.interval[1] - two.interval[0] > one.interval[1] - one.interval[0]
        assert two.mcnemar_p == one.p < two.p, "McNemar's test knows nothing of clusters"

    def test_groups_are_adjusted_for_all_of_them_and_come_with_a_warning(self, found: Paired) -> None:
        result = compare(found, looks=Looks(by="kind"))
        assert [(row.value, row.n) for row in result.groups.rows] == [("x", 8), ("y", 8), ("z", 8)]
        last = result.groups.rows[2].comparisons[0]
        assert last.p == pytest.approx(2 / 2**6) and last.p_holm == pytest.approx(3 * last.p)
        assert any("3 comparisons by group" in warning for warning in result.warnings)
        clustered = compare(found, looks=Looks(cluster="passage", by="kind"))
        assert "newcombe" not in {row.comparisons[0].method for row in clustered.groups.rows}, (
            "clusters count there too"
        )


class TestGate:
    """--fail_if_worse."""

    def gate(self, folder: Path, second: str, margin: float, measure: str = "accuracy") -> str | None:
        return gate_of([compare(paired(folder, a="1" * 40, b=second), measure, looks=Looks(margin=margin))])

    def test_where_the_interval_lies(self, tmp_path: Path) -> None:
        assert self.gate(tmp_path, "1" * 40, 0.10) == "not_worse"
        assert self.gate(tmp_path, "1" * 40, 0.02) == "cannot_tell", "40 equal answers do not show two points"
        assert self.gate(tmp_path, "1" * 20 + "-" * 20, 0.02) == "worse"
        assert self.gate(tmp_path, "1" * 20 + "-" * 20, 0.02, "no_answer") == "worse", "there, less is better"
        assert self.gate(tmp_path, "1" * 30 + "-" * 10, 0.3) == "cannot_tell", "worse, but by more than 0.3?"

    def test_the_sentence_says_it(self, tmp_path: Path) -> None:
        result = compare(paired(tmp_path, a="1" * 40, b="1" * 40), looks=Looks(margin=0.1))
        assert result.comparisons[0].sentence.endswith("It is not worse by more than 10.0 points.")

    def test_the_worst_of_several_counts_and_no_split_beside_all_questions(self, tmp_path: Path) -> None:
        found = paired(tmp_path, a="1" * 40, b="1" * 40, c="0" * 40)
        assert gate_of([compare(found, looks=Looks(margin=0.1))]) == "worse"
        several = [compare(found, split=split, pairs=[("a", "b")], looks=Looks(margin=0.1)) for split in (None, "test")]
        several[1] = compare(found, split="test", looks=Looks(margin=0.1))
        assert gate_of(several) == "not_worse"
        assert gate_of([compare(found)]) is None

    def test_a_length_has_no_better(self, tmp_path: Path) -> None:
        with pytest.raises(UserError, match="of steps, neither more nor less is better"):
            self.gate(tmp_path, "1" * 40, 0.1, "steps")


class TestWhatIsNotKnown:
    """Measures that a side lacks, and questions that say nothing."""

    def test_one_side_was_judged_and_the_other_not(self, tmp_path: Path) -> None:
        found = paired(tmp_path, a=judged("11", "10"), b=rows("11"))
        with pytest.raises(UserError, match=r"--measure memory_true: b \(.*\) does not have it; it needs steps that a "
                           "judge has read; all sides have accuracy, flexible_accuracy") as error:  # fmt: skip
            compare(found, "memory_true")
        assert "memory_true" not in str(error.value).partition("all sides have")[2]

    def test_a_side_without_steps(self, tmp_path: Path) -> None:
        empty = [{**each, "steps": [], "step_truth": [True]} for each in rows("11")]
        with pytest.raises(UserError, match=r"memory_true: b .* does not have it"):
            compare(paired(tmp_path, a=judged("11", "10"), b=empty), "memory_true")

    def test_questions_that_were_not_judged_everywhere_are_left_out_and_counted(self, tmp_path: Path) -> None:
        result = compare(paired(tmp_path, a=judged("1111", "1010"), b=judged("1111", "110.")), "memory_true")
        assert result.n == 3
        assert "1 of 4 questions are left out: not every run says memory_true of them" in result.warnings

    def test_texts_with_markup_are_texts(self, tmp_path: Path) -> None:
        marked = [row(0, question="[bold]<b>Is it\x1b[31m so?</b>[/bold]"), row(1)]
        assert compare(paired(tmp_path, a=marked, b=marked)).n == 2


def test_from_options_to_results_overall_and_by_split(tmp_path: Path) -> None:
    for name, text in (("a", FIRST), ("b", SECOND)):
        traces(tmp_path / f"{name}.jsonl", [{**each, "split": f"test_{n % 2}"} for n, each in enumerate(rows(text))])
    options = CompareConfig([str(tmp_path / "a.jsonl"), str(tmp_path / "b.jsonl")], measure=["accuracy", "steps"])
    assert [(found.measure, found.split, found.n) for found in compare_all(options)] == [
        ("accuracy", None, 24), ("accuracy", "test_0", 12), ("accuracy", "test_1", 12),
        ("steps", None, 24), ("steps", "test_0", 12), ("steps", "test_1", 12),
    ]  # fmt: skip
    options.split = "test_0"
    assert [found.split for found in compare_all(options)] == ["test_0", "test_0"]
