"""What people see of traces and metrics on the terminal."""

import io
from dataclasses import replace

from helpers.traces import CUT, LOOSE, RIGHT, WRONG, judge
from rich.console import Console

from memreason.cli.display import print_comparison, print_metrics, print_score, print_traces, varied
from memreason.evaluation.judge import judge_traces
from memreason.evaluation.metrics import compute_metrics
from memreason.evaluation.results import EvaluationResult, Marks, Metrics, RunResult, ScoreResult
from memreason.evaluation.training_account import TrainingAccount
from memreason.records import Judgement, Step


def printed(show, *args):
    file = io.StringIO()
    show(Console(file=file, width=80), *args)
    return [line.rstrip() for line in file.getvalue().splitlines()]


def of_one(metrics: Metrics) -> EvaluationResult:
    return EvaluationResult(metrics, {"test": metrics}, "float32")


def test_a_printed_trace_reads_without_colour():
    lines = printed(print_traces, judge_traces([WRONG, RIGHT], "boolean", judge), 1)
    assert lines[:5] == [
        "✗ incorrect: false memory  q1",
        "           Is Lyon the capital of France?",
        "  memory ✗ Lyon is the capital.",
        "  reason ? Lyon is Lyon.",
        "  answer ✓ True  (gold: False)",
    ]
    assert not any("Paris" in line for line in lines)  # only the first was asked for


def test_options_and_a_missing_answer_are_shown_as_they_are():
    lines = printed(print_traces, judge_traces([CUT], "choice"), 1)
    assert lines[0] == "○ no answer  q2  (cut off)  (not well formed)"
    assert "          B. [b]Tokyo[/b]" in lines
    assert "  answer  none  (gold: B)" in lines


def test_a_trace_that_does_not_end_does_not_fill_the_page():
    long = replace(RIGHT, steps=RIGHT.steps * 20)
    lines = printed(print_traces, judge_traces([long], "boolean"), 1)
    assert len(lines) < 20
    assert any(f"… and {len(long.steps) - 12} steps more" in line for line in lines)
    assert "  answer" in "\n".join(lines)


def test_printed_metrics_show_counts_intervals_and_causes():
    lines = printed(print_metrics, compute_metrics(judge_traces([RIGHT, WRONG, CUT], "mixed", judge)))
    text = "\n".join(lines)
    assert lines[0].split() == ["accuracy", "33.3%", "[6.1,", "79.2]", "1", "of", "3"]
    assert "of 1 wrong answers, 1 from a false memory\nof 1 right answers, 1 not judged in full" in text
    assert "100.0% unreadable" in text


def test_a_lucky_answer_is_marked_as_such_and_an_older_attribution_too():
    lucky = judge_traces([RIGHT], "mixed", lambda trace: Judgement((True, False, True), None, ("memory", "reason")))
    assert printed(print_traces, lucky, 1)[0] == "✓ correct: lucky  q1"
    assert "1 lucky (a false or invalid step)" in "\n".join(printed(print_metrics, compute_metrics(lucky)))
    older = replace(compute_metrics(judge_traces([WRONG], "mixed", judge)), grounds=None)
    assert "by the first fault, as older versions counted" in " ".join(printed(print_metrics, older))


def test_a_comparison_shows_before_and_after_and_the_causes_of_errors():
    before, after = (compute_metrics(judge_traces(traces, "mixed", judge)) for traces in ([WRONG, CUT], [RIGHT, WRONG]))
    run = RunResult(of_one(before), of_one(after), None, TrainingAccount(1, 2))
    text = "\n".join(printed(print_comparison, run))
    assert "0.0% [0, 66]" in text and "50.0% [9, 91]" in text
    assert "…" not in text
    assert "test: of 1 wrong answers, 1 from a false memory" in text


def test_varied_takes_one_of_each_outcome_and_cause_in_turn():
    verdicts = judge_traces([RIGHT, RIGHT, WRONG, CUT, LOOSE], "mixed", judge)
    assert {v.outcome for v in varied(verdicts, 3)} == {"correct", "incorrect", "no_answer"}
    assert len(varied(verdicts, 99)) == 5


def test_loops_do_not_push_the_table_off_the_screen():
    loops = [
        replace(RIGHT, steps=(Step("memory", "Paris and " * 400),) * 30),
        replace(RIGHT, steps=(Step("memory", "x" * 4000),) * 30),
    ]
    lines = printed(print_traces, judge_traces(loops, "boolean"), 2)
    assert len(lines) < 60 and all(len(line) <= 80 for line in lines)


def test_a_score_tells_what_was_not_matched_and_how_the_files_own_marks_agree():
    metrics = compute_metrics(judge_traces([RIGHT, WRONG, CUT], "mixed"))
    result = ScoreResult(metrics, {"test": metrics}, 2, ("q8", "q9"), {"q1": 2}, ("q2",), Marks(3, 2, 2, ("q1",)))
    text = "\n".join(printed(print_score, result))
    assert "33.3%" in text and "the file marks 2 of 3 correct; 2 of its marks agree with ours; not: 1 (q1)" in text
    assert "texts that match no question: 2" in text and "questions without a text: 2 (q8, q9)" in text
    assert "questions with several texts, all counted: 1 (q1)" in text and "without an answer line: 1 (q2)" in text
