"""docs/study.md and the README's short version say what the result files say, by the rules that the page states."""

import json
import sys
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).parents[1]
sys.path.insert(0, str(ROOT / "docs"))

import study  # noqa: E402
import study_claims  # noqa: E402
import study_results  # noqa: E402
from study_claims import CLAIMS, Better, verdicts  # noqa: E402
from study_results import Study, said  # noqa: E402

CHECKS = {"ok": True, "cells": 18, "missing": [], "problems": [], "digests": []}
ARMS = ("plain", "prefix", "shared", "shuffled", "front", "few-shot", "typed")


def pair(first: str, second: str, difference: float, p: float) -> dict[str, Any]:
    interval = [difference - 0.04, difference + 0.04]
    return {"first": first, "second": second, "difference": difference, "interval": interval, "p": p, "p_holm": p,
            "smallest": 0.05, "sentence": "", "verdict": "tied"}  # fmt: skip


def rate(name: str, value: float) -> dict[str, Any]:
    return {
        "name": name,
        "value": value,
        "interval": [value - 0.03, value + 0.03],
        "by_run": [value],
        "n": 600,
        "runs": 3,
    }


def results(
    seen: tuple[float, float], unseen: tuple[float, float], turned: bool = False, **shares: float
) -> dict[str, Any]:
    """A study in which `typed` differs from every other arm by (difference, p) in accuracy."""

    def measure(name: str, values: dict[str, float], pairs: list[dict[str, Any]]) -> dict[str, Any]:
        return {"measure": name, "label": name, "kind": "share", "higher_is_better": True, "n": 600, "n_clusters": 15,
                "cluster": "country", "margin": None, "split": None, "arms": [rate(*each) for each in values.items()],
                "comparisons": pairs, "groups": None, "warnings": []}  # fmt: skip

    def split(difference: float, p: float) -> dict[str, Any]:
        others = [arm for arm in ARMS if arm != "typed"]
        pairs = [pair("typed", arm, -difference, p) if turned else pair(arm, "typed", difference, p) for arm in others]
        values = {arm: 0.6 + (difference if arm == "typed" else 0) for arm in ARMS}
        return {"accuracy": measure("accuracy", values, pairs)} | {
            name.replace("__", ":"): measure(name, {"typed": value}, []) for name, value in shares.items()
        }

    arms = [{"name": arm, "seeds": [1, 2, 3], "trained_tokens": 5000, "trained_weights": 10} for arm in ARMS]
    kept = {"format": 1, "title": "", "recipe": "", "machines": [], "checks": CHECKS, "curves": None, "arms": arms}
    return {**kept, "comparisons": {"test_seen": split(*seen), "test_unseen": split(*unseen)}}


def verdict_on(found: dict[str, Any], test: object) -> str:
    return next(word for claim, (word, _) in zip(CLAIMS, verdicts(Study(found)), strict=True) if claim.test == test)


class TestPages:
    @pytest.mark.parametrize("path", [study.PAGE, study.README], ids=lambda path: path.name)
    def test_a_page_has_what_the_files_say(self, path: Path) -> None:
        assert study.made(path.read_text()) == path.read_text(), "run: python docs/study.py"

    def test_the_pictures_are_those_of_the_files(self) -> None:
        drawn = study.pictures()
        assert drawn == {name: (study.FOLDER / name).read_text() for name in drawn}
        assert {path.name for path in study.FOLDER.glob("*.svg")} == set(drawn)

    def test_each_mark_has_its_maker(self) -> None:
        pages = study.PAGE.read_text() + study.README.read_text()
        assert sorted(study.BLOCKS) == sorted(found[2] for found in study.MARKS.finditer(pages))


class TestWords:
    """The words follow from the numbers."""

    RESULT = results((0, 1), (0, 1))["comparisons"]["test_seen"]["accuracy"]

    def test_a_small_p_is_better_or_worse(self) -> None:
        assert said(pair("plain", "typed", 0.1, 0.001), 0.001, self.RESULT).startswith(
            "better: +10.0 points [+6.0, +14.0]"
        )
        assert said(pair("plain", "typed", -0.1, 0.001), 0.001, self.RESULT).startswith("worse: −10.0 points")

    def test_the_adjusted_p_decides(self) -> None:
        assert said(pair("plain", "typed", 0.1, 0.01), 0.07, self.RESULT).startswith("tied: ")

    def test_a_tie_says_what_would_probably_have_been_found(self) -> None:
        assert said(pair("plain", "typed", 0.01, 0.6), 0.6, self.RESULT).endswith("; 80% power at 5.0")

    def test_where_less_is_better_less_is_better(self) -> None:
        assert (
            said(pair("plain", "typed", -0.1, 0.001), 0.001, {**self.RESULT, "higher_is_better": False})[:6] == "better"
        )


class TestVerdicts:
    PLAIN = Better("typed", "plain")

    def test_confirmed_where_both_splits_show_it(self) -> None:
        assert verdict_on(results((0.1, 1e-6), (0.1, 1e-6)), self.PLAIN) == "confirmed"

    def test_confirmed_in_part_where_one_does(self) -> None:
        assert verdict_on(results((0.1, 1e-6), (0.1, 0.5)), self.PLAIN) == "confirmed in part"

    @pytest.mark.parametrize("difference", [0.01, -0.1])
    def test_not_confirmed_where_none_does_or_the_opposite_holds(self, difference: float) -> None:
        p = 1e-6 if difference < 0 else 0.6
        assert verdict_on(results((difference, p), (difference, p)), self.PLAIN) == "not confirmed"

    def test_the_order_in_the_file_does_not_matter(self) -> None:
        both = [verdicts(Study(results((0.1, 1e-6), (0.02, 0.5), turned))) for turned in (False, True)]
        assert both[0] == both[1]

    def test_a_share_must_lie_above_its_bound_with_its_interval(self) -> None:
        fits = next(claim.test for claim in CLAIMS if isinstance(claim.test, study_claims.Above))
        assert verdict_on(results((0, 1), (0, 1), types_fit=0.95), fits) == "confirmed"
        assert verdict_on(results((0, 1), (0, 1), types_fit=0.92), fits) == "not confirmed"

    def test_causes_are_compared_by_their_intervals(self) -> None:
        more = next(claim.test for claim in CLAIMS if isinstance(claim.test, study_claims.More))
        for wrong, word in ((0.2, "confirmed"), (0.12, "not confirmed")):
            found = results((0, 1), (0, 1), error__wrong_inference=wrong, error__false_memory=0.1)
            assert verdict_on(found, more) == word

    def test_without_results_nothing_is_decided(self) -> None:
        assert {word for word, _ in verdicts(None)} == {study_claims.YET, study_claims.UNTESTED}


def test_the_test_with_new_seeds_is_adjusted_for_its_eight_comparisons(monkeypatch: pytest.MonkeyPatch) -> None:
    found = results((0.1, 0.5), (0.1, 0.5))
    for split, (options, none) in {"test_seen": (0.001, 0.02), "test_unseen": (0.5, 0.9)}.items():
        accuracy = found["comparisons"][split]["accuracy"]
        rows = [
            {"value": value, "arms": accuracy["arms"], "comparisons": [pair(a, "typed", 0.1, p) for a in ARMS[:3]]}
            for value, p in (("0", none), ("4", options))
        ]
        accuracy["groups"] = {"by": "options", "rows": rows}
    monkeypatch.setattr(study, "study", lambda name: Study(found))
    (line,) = [line for line in study.again().splitlines() if line.startswith("| `typed` against `shared`")]
    with_options, *others = line.split(" | ")[1:]
    assert with_options.startswith("better: +10.0") and "p = 0.008" in with_options  # 8 × 0.001
    assert all(cell.startswith("tied") for cell in others) and "p = 0.12" in others[1]  # 6 × 0.02, tied after it


def test_a_study_is_taken_over_without_what_no_page_shows(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = tmp_path / "study-atlas"
    folder.mkdir()
    found = results((0.1, 1e-6), (0.1, 1e-6))
    accuracy = found["comparisons"]["test_seen"]["accuracy"]
    accuracy["comparisons"].append(pair("shared", "shuffled", 0.1, 0.5))
    (folder / "results.json").write_text(json.dumps(found))
    spent = {"train": 30.0, "evaluate": 20.0, "cells": 3}
    machines = [{"processor": "a processor", "gpu": gpu, "at_once": 2, "arms": dict.fromkeys(arms, spent)}
                for gpu, arms in ((None, ARMS), ("a GPU", ["typed"]))]  # fmt: skip
    (folder / "times.json").write_text(json.dumps({"format": 1, "total": 7200.0, "machines": machines}))
    for module in (study, study_results):
        monkeypatch.setattr(module, "FOLDER", tmp_path / "docs")
    study.study.cache_clear()
    try:
        study.take(folder, study.OURS, study.SHOWN)
        taken = Study.read("atlas")
        assert taken and taken.pair("typed", "plain", "test_seen", "accuracy")
        assert taken.pair("shared", "shuffled", "test_seen", "accuracy") is None
        assert "All 18 runs are finished" in study.rates()
        assert "| `typed` | 10 | 5,000 | – | 30 s | 20 s |" in study.costs() and "took 2.0 hours" in study.costs()
        assert "a processor, 2 at once" in study.costs() and "a GPU" not in study.costs()  # that ran one arm only
        assert "better: +10.0" in study.against() and "accuracy.svg" in study.pictures()
        for arm in ("plain", "prefix", "shared", "front", "shuffled"):
            assert study.summary().count(f"`{arm}`") == 2 and f"`{arm}`" in study.summary()
        assert "| `plain` | 60.0% [57.0, 63.0] |" in study.short()
    finally:
        study.study.cache_clear()


def test_published_generations_are_scored_and_paired_with_their_marks(tmp_path: Path) -> None:
    sys.path.insert(0, str(ROOT / "benchmarks"))
    import published

    rows = [{"question": f"Is {n} even?", "answer": str(n % 2 == 0), "cot_steps": ["[rag]: A fact.", "[reason]: So."],
             "split": "test"} for n in range(4)]  # fmt: skip
    (tmp_path / "StrategyQA_test_clean.json").write_text(json.dumps(rows))
    lines = "<rag_0> A fact.\n<reason_0> So.\n<answer_0> The answer is: True"
    texts = [{"generated_text": f"Question: {row['question']}\n{lines}",
              "result": "correct" if n in (0, 1) else "wrong"} for n, row in enumerate(rows[:3])]  # fmt: skip
    path = tmp_path / "strategyqa__llama-2-7b-chat.json"
    path.write_text(json.dumps(texts))
    found = published.rescored(path, str(tmp_path / "StrategyQA_test_clean.json"))
    assert (found["questions"], found["texts"], found["missing"]) == (4, 3, ["strategyqa-test-3"])
    assert found["reported"] == 0.706 and found["steps"] == {"memory": 3, "reason": 3}
    assert found["strict"]["correct"] == 2 and found["marked"]["agree"] == 1
    assert found["strict_against_marks"]["outcomes"] == {"both": 1, "only_first": 1, "only_second": 1, "neither": 0}
