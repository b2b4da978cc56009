"""The three sentences are grammatical and honest, whatever the figures."""

from typing import Any, ClassVar

import pytest

from memreason.explain.sentences import CAUSES, sentences

WHOLE = {"false_memory": 17, "wrong_inference": 9, "both": 1}


def figures(
    right: int = 66, n: int = 100, wrong: int | None = None, errors: dict[str, int] | None = WHOLE, **more: Any
) -> dict[str, Any]:
    wrong = n - right if wrong is None else wrong
    rate = {"accuracy": right / n, "interval": [right / n * 0.9, 1 - (1 - right / n) * 0.9], "n": n}
    return {
        "accuracy": {"overall": {"before": None, "after": rate, "difference": None}},
        "metrics": {"after": {"splits": {"test": {"incorrect": wrong, "no_answer": n - right - wrong}}}},
        "errors": None if errors is None else {"test": errors},
        "right": None,
        "interventions": None,
        "confidence": None,
        "facts": None,
        **more,
    }


def with_before(right: int, value: float, low: float, high: float) -> dict[str, Any]:
    found = figures()
    found["accuracy"]["overall"] |= {
        "before": {"accuracy": right / 100, "interval": [0, 1], "n": 100},
        "difference": {"value": value, "interval": [low, high], "n": 100},
    }
    return found


class TestHowOftenItIsRight:
    def test_without_a_model_before(self) -> None:
        assert sentences(figures())[0] == (
            "The trained model answers 66 of 100 test questions correctly (66%; 95% interval 59.4% to 69.4%); "
            "the model before training was not asked."
        )

    def test_a_single_question(self) -> None:
        assert "1 of 1 test question correctly (100%" in sentences(figures(1, 1))[0]

    @pytest.mark.parametrize(
        ("value", "low", "high", "end"),
        [
            (0.3, 0.2, 0.4, ": a gain, +30 percentage points (95% interval +20 to +40)."),
            (-0.3, -0.4, -0.2, ": a loss, −30 percentage points (95% interval −40 to −20)."),
            (0.05, -0.04, 0.14, "; so few questions do not show a change, +5 percentage points "
                                "(95% interval −4 to +14)."),
        ],
    )  # fmt: skip
    def test_of_an_older_file_a_difference_is_claimed_only_where_its_interval_leaves_out_zero(
        self, value: float, low: float, high: float, end: str
    ) -> None:
        assert sentences(with_before(36, value, low, high))[0].endswith(f"before training answered 36 (36%){end}")

    @pytest.mark.parametrize(
        ("p", "end"),
        [
            (0.0003, ": a gain, +5 percentage points (95% interval +1 to +9; p < 0.001)."),
            (0.06, "; so few questions do not show a change, +5 percentage points (95% interval +1 to +9; p = 0.060)."),
        ],
    )
    def test_a_difference_is_claimed_only_where_its_test_finds_it(self, p: float, end: str) -> None:
        found = with_before(36, 0.05, 0.01, 0.09)
        found["accuracy"]["overall"]["difference"]["p"] = p
        assert sentences(found)[0].endswith(f"before training answered 36 (36%){end}")


class TestWhyItIsWrong:
    def test_many(self) -> None:
        assert sentences(figures(73))[1] == (
            "Of 27 wrong answers, 17 rest on a false memory, 9 draw a wrong conclusion from their memories "
            "and 1 has both a false memory and a wrong conclusion."
        )

    def test_one(self) -> None:
        assert (
            sentences(figures(99, errors={"answer_slip": 1}))[1]
            == "The one wrong answer contradicts its own conclusion."
        )

    def test_none(self) -> None:
        assert sentences(figures(100, errors={}))[1] == "No answer is wrong."

    def test_none_but_some_got_no_answer(self) -> None:
        assert sentences(figures(98, wrong=0, errors={}))[1] == "No answer is wrong; 2 questions got no answer."

    def test_without_a_judge(self) -> None:
        assert sentences(figures(99, errors=None))[1] == (
            "Why 1 answer is wrong is not known, because nothing judged the steps."
        )
        assert "Why 34 answers are wrong" in sentences(figures(errors=None))[1]

    @pytest.mark.parametrize(
        ("lucky", "said"), [(1, "1 of 5 right answers is lucky"), (3, "3 of 5 right answers are lucky")]
    )
    def test_luck(self, lucky: int, said: str) -> None:
        right = {"test": {"sound": 5 - lucky, "lucky": lucky, "unreadable": 0}}
        assert said in sentences(figures() | {"right": right})[1]

    @pytest.mark.parametrize("cause", CAUSES)
    def test_every_cause_has_words(self, cause: str) -> None:
        assert "_" not in sentences(figures(errors={cause: 34}))[1]


class TestWhatTrueMemoriesWouldChange:
    CORRECTED: ClassVar = {
        "n": 100,
        "accuracy_before": 0.66,
        "accuracy_after": 0.83,
        "interval_of_difference": [0.1, 0.24],
    }

    def test_a_gain(self) -> None:
        assert sentences(figures(interventions={"memories_corrected": self.CORRECTED}))[2] == (
            "With its memories corrected the model would answer 83 of 100 questions correctly (83%) instead of 66 "
            "(66%): a gain, +17 percentage points (95% interval +10 to +24)."
        )

    def test_nothing(self) -> None:
        row = self.CORRECTED | {"accuracy_after": 0.66, "interval_of_difference": [-0.03, 0.03]}
        said = sentences(figures(interventions={"memories_corrected": row}))[2]
        assert said.endswith("do not show a change, 0 percentage points (95% interval −3 to +3).")

    def test_whether_it_follows_the_page(self) -> None:
        rows = {"memories_corrected": self.CORRECTED, "memories_corrupted": {"followed": {"n": 50, "share": 0.9}}}
        assert "it gave that answer 45 of 50 times (90%)." in sentences(figures(interventions=rows))[2]

    @pytest.mark.parametrize(
        ("interval", "said"),
        [
            ([0.6, 0.8], "True memories are more probable to the model than false ones (AUROC 0.70"),
            ([0.45, 0.8], "does not show whether it is true"),
            ([0.1, 0.4], "False memories are more probable"),
        ],
    )
    def test_without_interventions_its_confidence(self, interval: list[float], said: str) -> None:
        assert said in sentences(figures(confidence={"auroc": 0.7, "auroc_interval": interval}))[2]

    def test_without_log_probabilities_the_worst_fact(self) -> None:
        fact = {"fact": "the currency of Kenya", "n": 4, "false": 3}
        assert sentences(figures(facts=[fact]))[2] == (
            "The fact that it gets wrong most often is the currency of Kenya: 3 of 4 times."
        )

    def test_without_anything(self) -> None:
        assert sentences(figures())[2] == "What it would answer with other memories was not computed."
