"""From turns to figures."""

from memreason.benchmark.contestants import Contestant
from memreason.benchmark.summary import summarise
from memreason.benchmark.workload import Turn

CEILINGS = [
    {"bfloat16": 1000.0, "float32": 200.0, "bandwidth": 50.0},
    {"bfloat16": 3000.0, "float32": 1, "bandwidth": 150.0},
]


def one(name: str, seconds: list[float], error: str = "", texts: dict[int, str] | None = None) -> Contestant:
    contestant = Contestant("generation", name, work=None)  # type: ignore[arg-type]
    contestant.error = error
    dtype = "float32" if name.endswith("float32") else "bfloat16"
    contestant.turns = [
        Turn(s, 4, 40, 500.0, 100.0, dtype, texts=texts or {}, peak_memory={"process": 10 + i})
        for i, s in enumerate(seconds)
    ]
    return contestant


def test_rates_are_medians_and_compare_turns_of_the_same_round() -> None:
    rows = summarise("generation", [one("memreason", [1, 2, 4]), one("batches", [4, 4, 4])], CEILINGS)
    assert rows["memreason"]["items_per_second"] == {"median": 2.0, "min": 1.0, "max": 4.0}
    assert rows["memreason"]["tokens_per_second"]["median"] == 20.0
    assert rows["batches"]["ratio"] == {"median": 2.0, "min": 1.0, "max": 4.0}
    assert rows["memreason"]["ratio"] == {"median": 1.0, "min": 1.0, "max": 1.0}


def test_shares_are_of_the_median_ceiling_and_memory_is_the_most() -> None:
    row = summarise("generation", [one("memreason", [1, 1])], CEILINGS)["memreason"]
    assert row["share_of_matrix_rate"] == 500 / 2000
    assert row["share_of_bandwidth"] == 1.0
    assert row["peak_memory"] == {"process": 11}


def test_traces_are_compared_with_one_at_a_time_in_the_same_data_type() -> None:
    rows = summarise(
        "generation",
        [
            one("memreason", [1], texts={0: "a", 1: "b", 2: "c"}),
            one("memreason-float32", [1], texts={0: "a", 1: "x", 2: "c"}),
            one("one-by-one", [1], texts={0: "a", 2: "d"}),
            one("one-by-one-float32", [1], texts={0: "a", 2: "c"}),
        ],
        CEILINGS,
    )
    traces = {name: row["traces"] for name, row in rows.items()}
    assert traces == {
        "memreason": {"against": "one-by-one", "compared": 2, "differ": 1},
        "memreason-float32": {"against": "one-by-one-float32", "compared": 2, "differ": 0},
        "one-by-one": {"against": "one-by-one-float32", "compared": 2, "differ": 1},
        "one-by-one-float32": None,
    }


def test_one_that_failed_is_a_row_with_the_reason_and_what_it_did_before() -> None:
    rows = summarise(
        "generation", [one("memreason", [], error="no memory"), one("batches", [2.0], error="it died")], CEILINGS
    )
    assert rows["memreason"] == {"title": "memreason", "error": "no memory"}
    assert rows["batches"]["error"] == "it died" and rows["batches"]["seconds"] == [2.0]
    assert rows["batches"]["ratio"] is None
