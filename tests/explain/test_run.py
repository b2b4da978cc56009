"""`memreason explain`: its figures are those of the run, and it says what it cannot know."""

import json
from collections import Counter
from dataclasses import replace
from pathlib import Path

import pytest
from helpers.recorded_runs import ATLAS, gold, make_run, trace

from memreason.config.data import DataConfig
from memreason.evaluation.files import FIGURES, REPORT
from memreason.evaluation.judge import judge_trace
from memreason.evaluation.results import RunResult, read_result
from memreason.explain.config import ExplainConfig
from memreason.explain.explanation import Explanation
from memreason.explain.judges.config import JudgeConfig
from memreason.explain.run import explain
from memreason.explain.trace_rows import trace_rows
from memreason.records import Question, Trace
from memreason.tasks.base import TaskData
from memreason.tasks.load import load_data


@pytest.fixture(scope="module")
def task() -> TaskData:
    return load_data(ATLAS)


def spoilt(right: Trace, index: int) -> Trace:
    """A wrong answer, on the same steps."""
    wrong = {"True": "False", "False": "True", "A": "B"}.get(right.question.answer, "A")
    steps = [(step.type, step.text) for step in right.steps]
    return trace(right.question, None if index % 5 == 4 else wrong, *steps)


@pytest.fixture(scope="module")
def run(task: TaskData, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Right and wrong answers, and such without an answer, in two splits; before, all were wrong."""
    traces = [each for split in ("test_seen", "test_unseen") for each in gold(task, split)]
    after = [spoilt(each, i) if i % 3 else each for i, each in enumerate(traces)]
    folder = tmp_path_factory.mktemp("runs") / "run"
    return make_run(folder, after, before=[spoilt(each, 0) for each in traces], epochs=[after[:4], after[:8]])


@pytest.fixture(scope="module")
def explanation(run: Path) -> dict:
    explain(ExplainConfig(str(run), no_model=True), progress=False)
    return json.loads((run / "explanation" / FIGURES).read_text())


def test_metrics_are_those_of_the_run(run: Path, explanation: dict) -> None:
    row = json.loads((run / "metrics.json").read_text())
    for when in ("before", "after"):
        assert explanation["metrics"][when] == {"overall": row["overall"][when], "splits": row[when]}
        for split, metrics in row[when].items():
            assert explanation["accuracy"][when][split] == {key: metrics[key] for key in ("accuracy", "interval", "n")}
    assert explanation["errors"] == {split: metrics["errors_by_cause"] for split, metrics in row["after"].items()}


def test_every_count_can_be_made_again_from_the_traces(explanation: dict) -> None:
    rows = explanation["traces"]
    for split, causes in explanation["errors"].items():
        assert causes == Counter(r["cause"] for r in rows if r["split"] == split and r["outcome"] == "incorrect")
    for family, found in explanation["families"].items():
        some = [row for row in rows if row["family"] == family]
        assert (found["n"], found["correct"]) == (len(some), sum(row["outcome"] == "correct" for row in some))
    assert sum(found["n"] for found in explanation["families"].values()) == len(rows)
    for place in explanation["positions"]:
        at = [row["steps"][place["position"] - 1]["type"] for row in rows if len(row["steps"]) >= place["position"]]
        assert place["counts"] == Counter(at)
    for outcome, found in explanation["lengths"]["steps"].items():
        lengths = [len(row["steps"]) for row in rows if row["outcome"] == outcome]
        assert found["count"] == len(lengths) and dict(map(tuple, found["histogram"])) == Counter(lengths)
    assert sum(fact["n"] for fact in explanation["facts"]) == sum(
        step["kind"] == "memory" and step["truth"] is not None for row in rows for step in row["steps"]
    )


def test_the_difference_is_that_of_the_same_questions(explanation: dict) -> None:
    both = [(row["before"]["outcome"] == "correct", row["outcome"] == "correct") for row in explanation["traces"]]
    overall = explanation["accuracy"]["overall"]
    assert overall["difference"]["value"] == pytest.approx(sum(b - a for a, b in both) / len(both))
    low, high = overall["difference"]["interval"]
    assert 0 < low < overall["difference"]["value"] < high
    four = overall["difference"]["outcomes"]
    assert [four[key] for key in ("both", "only_first", "only_second", "neither")] == [
        both.count(each) for each in ((True, True), (True, False), (False, True), (False, False))
    ]
    assert overall["difference"]["p"] == pytest.approx(min(1, 2 * 0.5 ** four["only_second"]))  # none was right before
    assert overall["difference"]["smallest"] > 0
    assert set(explanation["accuracy"]["difference"]) == {"test_seen", "test_unseen"}


def test_it_has_the_form_that_is_documented(explanation: dict) -> None:
    assert set(explanation) == set(Explanation.__annotations__)


def test_every_figure_says_how_it_is_computed(explanation: dict) -> None:
    figures = set(explanation) - {"format", "run", "config", "computed", "notes"}
    assert figures == set(explanation["computed"])
    assert all("annot show" in text for text in explanation["computed"].values())


def test_no_path_of_a_machine_is_in_it(run: Path, explanation: dict) -> None:
    text = json.dumps(explanation)
    assert "/somewhere" not in text and str(run.parent) not in text
    assert explanation["config"]["model_name_or_path"] == explanation["run"]["base_model"] == "base"


def test_a_false_fact_is_named_with_what_was_said(run: Path, task: TaskData, tmp_path: Path) -> None:
    right = next(each for each in gold(task) if "currency" in each.question.id)
    lies = trace(right.question, right.question.answer, ("reason", "The currency of Japan is the peso."))
    found, _ = explain(ExplainConfig(str(make_run(tmp_path / "run", [lies])), no_model=True), progress=False)
    assert found["facts"] == [
        {"fact": "the currency of Japan", "true": "yen", "n": 1, "false": 1, "said": {"peso": 1},
         "traces": [right.question.id]}
    ]  # fmt: skip
    assert found["types_fit"] == {"test_seen": 0}, "it says a fact under the type reason"
    assert found["right"]["test_seen"]["lucky"] == 1
    assert found["traces"][0]["first_wrong"] == 0


def test_a_run_on_data_without_facts_and_types(tmp_path: Path) -> None:
    data = tmp_path / "mine.jsonl"
    rows = [{"question": f"Is {i} odd?", "answer": str(bool(i % 2)), "steps": ["[memory]: It is."]} for i in range(10)]
    data.write_text("\n".join(map(json.dumps, rows)))
    config = DataConfig("jsonl", str(data), num_test=0)
    questions = [s.question for s in load_data(config).splits["test"]]
    run = make_run(tmp_path / "run", [trace(q, "True", ("memory", "It is.")) for q in questions], data=config)
    found, folder = explain(ExplainConfig(str(run), no_model=True, output_dir=str(tmp_path / "out")), progress=False)
    assert folder == tmp_path / "out" and {path.name for path in folder.iterdir()} == {FIGURES, REPORT}
    for name in ("errors", "right", "types_fit", "families", "facts", "confidence"):
        assert found[name] is None
    assert found["accuracy"]["before"] is None and found["accuracy"]["difference"] is None
    assert found["epochs"] == [] and found["notes"] == []
    assert "nothing judged the steps" in found["sentences"][1]
    assert found["config"]["data_path"] == "mine.jsonl"
    data.unlink()
    found, _ = explain(ExplainConfig(str(run), no_model=True), progress=False)
    assert found["notes"] == ["the dataset cannot be loaded, so its solutions and its judge are not used"]


def test_a_judge_of_the_users_own_reads_the_steps(tmp_path: Path) -> None:
    data = tmp_path / "mine.jsonl"
    rows = [{"question": f"Is {i} odd?", "answer": "True", "steps": ["[memory]: All is odd."]} for i in range(10)]
    data.write_text("\n".join(map(json.dumps, rows)))
    config = DataConfig("jsonl", str(data), num_test=0)
    questions = [s.question for s in load_data(config).splits["test"]]
    traces = [trace(q, ("True", "False")[i % 2], ("memory", "All is odd.")) for i, q in enumerate(questions)]
    (tmp_path / "facts.jsonl").write_text('{"statement": "All is odd.", "true": false}')
    judge = JudgeConfig(facts=str(tmp_path / "facts.jsonl"), measure_judge=0)
    run = make_run(tmp_path / "run", traces, data=config)
    found, _ = explain(ExplainConfig(str(run), no_model=True), judge, progress=False)
    assert found["judges"] == [{"name": "facts", "agreement": None}]
    assert found["facts"] == [
        {"fact": "All is odd.", "true": None, "n": 2, "false": 2, "said": {"All is odd.": 2},
         "traces": [question.id for question in questions]}
    ]  # fmt: skip
    assert sum(found["errors"]["test"].values()) == 1 and found["right"]["test"]["lucky"] == 1


def test_causes_by_older_definitions_are_judged_again_and_noted(task: TaskData, tmp_path: Path) -> None:
    run = make_run(tmp_path / "run", [spoilt(each, 0) for each in gold(task)])
    result = read_result(RunResult, run / "metrics.json")
    row = result.to_json()
    row["after"]["test_seen"]["errors_by_cause"] = {"unreadable": 12}
    (run / "metrics.json").write_text(json.dumps(row))
    found, _ = explain(ExplainConfig(str(run), no_model=True), progress=False)
    assert found["errors"] == {"test_seen": {"answer_slip": 12}}
    assert found["metrics"]["after"]["splits"]["test_seen"]["errors_by_cause"] == {"unreadable": 12}
    assert "judged again" in found["notes"][0]


def test_log_probabilities_that_were_recorded_are_used(run: Path, task: TaskData, tmp_path: Path) -> None:
    traces = [replace(each, step_logprobs=(-0.1,) * (len(each.steps) + 1)) for each in gold(task)]
    found, _ = explain(ExplainConfig(str(make_run(tmp_path / "run", traces)), no_model=True), progress=False)
    assert found["confidence"]["n"] == sum(step.type == "memory" for each in traces for step in each.steps)
    assert found["traces"][0]["steps"][0]["logprob"] == found["traces"][0]["answer_logprob"] == -0.1


def test_a_trace_without_steps_is_a_row() -> None:
    question = Question("q", "Is it?", "True", (), "jsonl", "test")
    (row,) = trace_rows([judge_trace(trace(question, None), "boolean")], {}, {"importance": {"q": [1]}})
    assert row["steps"] == [] and row["answer"] is None and row["first_wrong"] is None
    assert row["outcome"] == "no_answer" and row["before"] is None and row["importance"] == [1]
