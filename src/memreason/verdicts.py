"""Traces → Verdicts → metrics, and the files and tables that show them. Needs no torch."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from itertools import zip_longest
from pathlib import Path
from typing import TYPE_CHECKING, Any

from memreason.answers import extract_flexible, extract_strict, outcome
from memreason.errors import UserError
from memreason.planning_tokens import PlanningTokens
from memreason.records import (
    MEMORY,
    REASON,
    Solution,
    Trace,
    Verdict,
    atomic_write,
    read_jsonl,
    verdict_from_json,
    write_json,
    write_jsonl,
)

if TYPE_CHECKING:
    from rich.console import Console

    from memreason.tasks import AnswerKind, Judgement


def judge_traces(
    traces: Iterable[Trace], kind: AnswerKind, judge: Callable[[Trace], Judgement] | None = None
) -> list[Verdict]:
    """Score each trace with both extractors and, where the task has one, its step judge."""
    return [_verdict(trace, kind, judge) for trace in traces]


def _verdict(trace: Trace, kind: AnswerKind, judge: Callable[[Trace], Judgement] | None) -> Verdict:
    strict = extract_strict(trace.answer, trace.question, kind)
    flexible = extract_flexible(trace.text, trace.question, kind)
    result = outcome(strict, trace.question.answer, kind)
    judgement = judge(trace) if judge else None
    return Verdict(
        trace=trace,
        strict=strict,
        flexible=flexible,
        outcome=result,
        flexible_outcome=outcome(flexible, trace.question.answer, kind),
        step_truth=judgement.step_truth if judgement else None,
        cause=judgement.cause if judgement and result == "incorrect" else None,
    )


def metrics(verdicts: Sequence[Verdict]) -> dict[str, Any]:
    """Counts and rates in [0, 1] over the verdicts, with 95% Wilson intervals of both accuracies.

    No answer counts against accuracy, and apart from wrong answers in the counts. Where a judge
    read the steps: ``memory_true`` and ``reason_valid`` are rates over all steps of that type, in
    which a step the judge could not read is not true (``…_unreadable`` says how many those are);
    ``answer_follows`` is over the traces that have an answer line. A rate over nothing is None.
    Raises UserError where there are no verdicts.
    """
    n = len(verdicts)
    if n == 0:
        raise UserError("there are no traces to score; check the split and the limit on its questions")
    outcomes = Counter(verdict.outcome for verdict in verdicts)
    flexible = sum(verdict.flexible_outcome == "correct" for verdict in verdicts)
    result: dict[str, Any] = {
        "accuracy": outcomes["correct"] / n,
        "interval": wilson(outcomes["correct"], n),
        "n": n,
        "correct": outcomes["correct"],
        "incorrect": outcomes["incorrect"],
        "no_answer": outcomes["no_answer"],
        "well_formed": sum(verdict.trace.well_formed for verdict in verdicts) / n,
        "truncated": sum(verdict.trace.truncated for verdict in verdicts) / n,
        "flexible_accuracy": flexible / n,
        "flexible_interval": wilson(flexible, n),
        "steps": dict(Counter(step.type for verdict in verdicts for step in verdict.trace.steps)),
    }
    judged = [verdict for verdict in verdicts if verdict.step_truth is not None]
    return result | _judged_metrics(judged) if judged else result


def _judged_metrics(verdicts: Sequence[Verdict]) -> dict[str, Any]:
    truths: dict[str, list[bool | None]] = {MEMORY: [], REASON: [], "answer": []}
    for verdict in verdicts:
        assert verdict.step_truth is not None
        for step, truth in zip(verdict.trace.steps, verdict.step_truth, strict=False):
            truths.setdefault(step.type, []).append(truth)
        if verdict.trace.answer is not None:
            truths["answer"].append(verdict.step_truth[-1])
    wrong = [verdict for verdict in verdicts if verdict.outcome == "incorrect"]
    return {
        "memory_true": _share(True, truths[MEMORY]),
        "memory_unreadable": _share(None, truths[MEMORY]),
        "reason_valid": _share(True, truths[REASON]),
        "reason_unreadable": _share(None, truths[REASON]),
        "answer_follows": _share(True, truths["answer"]),
        "errors_by_cause": dict(Counter(verdict.cause or "unexplained" for verdict in wrong)),
    }


def _share(value: bool | None, truths: list[bool | None]) -> float | None:
    return sum(truth is value for truth in truths) / len(truths) if truths else None


def wilson(successes: int, n: int) -> list[float]:
    """The 95% Wilson score interval [low, high] of a rate."""
    from scipy.stats import binomtest

    interval = binomtest(successes, n).proportion_ci(method="wilson")
    return [float(interval.low), float(interval.high)]


def write_evaluation(
    folder: Path,
    verdicts: Sequence[Verdict],
    solutions: Sequence[Solution],
    *,
    layout: PlanningTokens,
    extra: dict[str, Any] | None = None,
) -> dict[str, Any]:
    """Write traces.jsonl, traces.txt and metrics.json (with ``extra``) into the folder; return the metrics.

    traces.txt is for reading: of each question the prompt, the generated solution and the
    ground-truth solution, in the given layout, with empty lines between.
    """
    result = metrics(verdicts) | (extra or {})
    truths = {solution.question.id: solution for solution in solutions}
    write_jsonl(folder / "traces.jsonl", (verdict.to_json() for verdict in verdicts))
    with atomic_write(folder / "traces.txt") as file:
        for verdict in verdicts:
            question = verdict.trace.question
            solution = truths.get(question.id, Solution(question))
            truth = layout.solution_text(solution.steps, question.answer)
            prompt = layout.prompt_text(question)
            file.write(f"{prompt}\n{verdict.trace.text.strip()}\n\n{truth}\n\n{'=' * 80}\n\n")
    write_json(folder / "metrics.json", result)
    return result


def read_traces(path: Path) -> list[Verdict]:
    """Read a traces.jsonl back. Raises UserError naming file:line and the missing field."""
    if not path.is_file():
        raise UserError(f"{path}: no such file; give the traces.jsonl that `memreason evaluate` wrote")
    verdicts = []
    for number, row in read_jsonl(path):
        try:
            verdicts.append(verdict_from_json(row))
        except (KeyError, TypeError) as error:
            field = error.args[0] if isinstance(error, KeyError) else json.dumps(str(error))
            raise UserError(
                f"{path}:{number}: not a trace (field {field}); give a traces.jsonl that memreason wrote"
            ) from error
    return verdicts


# ---- to the terminal ---------------------------------------------------------------------------

_COLOURS = {MEMORY: "cyan", REASON: "magenta", "answer": "bold"}
_MARKS = {True: ("✓", "green"), False: ("✗", "bold red"), None: ("?", "yellow")}
_LEGEND = "✓ true (memory), valid (reason), follows (answer)   ✗ does not   ? could not be judged"
_OUTCOMES = {
    "correct": ("✓ correct", "green"),
    "incorrect": ("✗ incorrect", "red"),
    "no_answer": ("○ no answer", "yellow"),
}


def print_metrics(console: Console, result: dict[str, Any]) -> None:
    """Print what `metrics` gave as a small table."""
    from rich.table import Table

    table = Table.grid(padding=(0, 2))
    table.add_column(style="dim")
    table.add_column(justify="right")
    table.add_column()
    for name, rate, remark in _metric_rows(result):
        shown = "–" if rate is None else f"{100 * rate:.1f}%"
        table.add_row(name, shown, remark, style="bold" if name == "accuracy" else "")
    console.print(table)
    if causes := result.get("errors_by_cause"):
        listed = ", ".join(f"{count} {cause.replace('_', ' ')}" for cause, count in sorted(causes.items()))
        console.print(f"wrong answers by first cause: {listed}", highlight=False)


def _metric_rows(result: dict[str, Any]) -> list[tuple[str, float | None, str]]:
    """(name, rate, remark) of what to show; what a judge says only where there was one."""
    low, high = result["interval"]
    flexible_low, flexible_high = result["flexible_interval"]
    n, no_answer = result["n"], result["no_answer"]
    steps = ", ".join(f"{count} {type_}" for type_, count in result["steps"].items())
    rows: list[tuple[str, float | None, str]] = [
        ("accuracy", result["accuracy"], f"[{100 * low:.1f}, {100 * high:.1f}]  {result['correct']} of {n}"),
        (
            "accuracy, flexible",
            result["flexible_accuracy"],
            f"[{100 * flexible_low:.1f}, {100 * flexible_high:.1f}]",
        ),
        ("no answer", no_answer / n, f"{no_answer} of {n}"),
        ("well formed", result["well_formed"], f"steps: {steps or 'none'}"),
        ("truncated", result["truncated"], ""),
    ]
    if "memory_true" not in result:
        return rows
    return [
        *rows,
        ("memory steps true", result["memory_true"], _unreadable(result["memory_unreadable"])),
        ("reason steps valid", result["reason_valid"], _unreadable(result["reason_unreadable"])),
        ("answers that follow", result["answer_follows"], ""),
    ]


def _unreadable(rate: float | None) -> str:
    return f"{100 * rate:.1f}% unreadable" if rate else ""


def print_comparison(console: Console, result: dict[str, Any]) -> None:
    """Print a run's `metrics.json`: accuracy by split before and after, and what the errors are."""
    from rich.table import Table

    table = Table(title="accuracy, with 95% intervals", title_justify="left", box=None, padding=(0, 2))
    for heading in ("split", "before", "after", "well formed", "memory true", "reason valid"):
        table.add_column(heading, justify="left" if heading == "split" else "right")
    for split, after in result["after"].items():
        before = result.get("before", {}).get(split)
        table.add_row(
            split,
            _rate_with_interval(before) if before else "not asked",
            f"[bold]{_rate_with_interval(after)}[/bold]",
            *(_percent(after.get(key)) for key in ("well_formed", "memory_true", "reason_valid")),
        )
    console.print(table, highlight=False)
    for split, after in result["after"].items():
        wrong = after["incorrect"]
        if causes := after.get("errors_by_cause"):
            listed = ", ".join(
                f"{count} from {_CAUSES.get(cause, cause)}"
                for cause, count in sorted(causes.items(), key=lambda item: -item[1])
            )
            console.print(f"{split}: of {wrong} wrong answers, {listed}", highlight=False)


_CAUSES = {
    "false_memory": "a false memory",
    "wrong_inference": "a wrong inference",
    "unreadable": "steps that no rule could read",
}


def _percent(rate: float | None) -> str:
    return "–" if rate is None else f"{100 * rate:.1f}%"


def _rate_with_interval(result: dict[str, Any]) -> str:
    low, high = result["interval"]
    return f"{_percent(result['accuracy'])} [{100 * low:.0f}, {100 * high:.0f}]"


def varied(verdicts: Sequence[Verdict], n: int) -> list[Verdict]:
    """About ``n`` verdicts worth looking at: in turn one of each outcome and cause of error."""
    kinds: dict[tuple[str, str | None], list[Verdict]] = {}
    for verdict in verdicts:
        kinds.setdefault((verdict.outcome, verdict.cause), []).append(verdict)
    turns = zip_longest(*(kinds[key] for key in sorted(kinds, key=str)))
    return [verdict for turn in turns for verdict in turn if verdict][:n]


def print_traces(console: Console, verdicts: Sequence[Verdict], n: int) -> None:
    """Print the first ``n`` traces: each step with its type and, where judged, ✓ ✗ or ? before it."""
    for verdict in verdicts[:n]:
        _print_trace(console, verdict)
    if any(verdict.step_truth for verdict in verdicts[:n]):
        console.print(_LEGEND, style="dim", highlight=False)


def _print_trace(console: Console, verdict: Verdict) -> None:
    from rich.table import Table
    from rich.text import Text

    trace, question = verdict.trace, verdict.trace.question
    label, colour = _OUTCOMES[verdict.outcome]
    head = Text(label + (f": {verdict.cause.replace('_', ' ')}" if verdict.cause else ""), style=f"bold {colour}")
    head.append(f"  {question.id}", style="not bold dim")
    for flag, words in ((trace.truncated, "cut off"), (not trace.well_formed, "not well formed")):
        if flag:
            head.append(f"  ({words})", style="not bold yellow")
    grid = Table.grid(padding=(0, 1))
    for _ in range(3):
        grid.add_column()
    grid.add_row("", "", Text(question.text, style="bold"))
    for i, option in enumerate(question.options):
        grid.add_row("", "", Text(f"{chr(65 + i)}. {option}", style="dim"))
    truths = verdict.step_truth or ()
    lines = [(step.type, step.text) for step in trace.steps]
    for i, (type_, text) in enumerate([*lines, ("answer", trace.answer or "none")]):
        style = _COLOURS.get(type_, "blue")
        judged = i < len(truths) and not (type_ == "answer" and trace.answer is None)
        mark, mark_style = _MARKS[truths[i]] if judged else ("", "")
        content = Text(text)
        if type_ == "answer" and verdict.outcome != "correct":
            content.append(f"  (gold: {question.answer})", style="dim")
        grid.add_row(Text(f"  {type_}", style=style), Text(mark, style=mark_style), content)
    console.print(head)
    console.print(grid)
    console.print()
