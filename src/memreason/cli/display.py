"""Traces and metrics on the terminal, in colour: `memory` cyan, `reason` magenta."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from itertools import zip_longest
from textwrap import shorten

from rich.console import Console
from rich.table import Table
from rich.text import Text

from memreason.evaluation.judged_by import Agreement
from memreason.evaluation.results import Metrics, RunResult, ScoreResult
from memreason.records import MEMORY, REASON, Question, Solution, Verdict, lettered
from memreason.runtime.terminal import show

LONGEST_STEP = 200
"""At most this many characters of a step are shown: a model that repeats itself can fill pages."""
MOST_STEPS = 12
"""At most this many steps of a trace are shown."""
LONGEST_TRACE, SHORTEST_STEP = 600, 60
"""After ``LONGEST_TRACE`` characters of a trace, at most ``SHORTEST_STEP`` characters of each later step are shown."""
_NAMES_SHOWN = 5
_COLOURS = {MEMORY: "cyan", REASON: "magenta", "answer": "bold"}
_MARKS = {True: ("✓", "green"), False: ("✗", "bold red"), None: ("?", "yellow")}
_LEGEND = "✓ true (memory), valid (reason), follows (answer)   ✗ does not   ? could not be judged"
_OUTCOMES = {
    "correct": ("✓ correct", "green"),
    "incorrect": ("✗ incorrect", "red"),
    "no_answer": ("○ no answer", "yellow"),
}


def print_metrics(console: Console, metrics: Metrics) -> None:
    """Print the metrics of one split as a small table."""
    table = Table.grid(padding=(0, 2))
    table.add_column(style="dim")
    table.add_column(justify="right")
    table.add_column()
    for name, rate, remark in _metric_rows(metrics):
        table.add_row(name, _percent(rate), Text(remark), style="bold" if name == "accuracy" else "")
    show(console, table)
    for line in _accounts(metrics):
        show(console, line)


def _metric_rows(metrics: Metrics) -> list[tuple[str, float | None, str]]:
    """(name, rate, remark) of each row of the table; the truth of steps is shown only if they were judged."""
    low, high = metrics.interval
    flexible_low, flexible_high = metrics.flexible_interval
    n = metrics.n
    steps = ", ".join(f"{count} {type_}" for type_, count in metrics.steps.items())
    rows: list[tuple[str, float | None, str]] = [
        ("accuracy", metrics.accuracy, f"[{100 * low:.1f}, {100 * high:.1f}]  {metrics.correct} of {n}"),
        ("accuracy, flexible", metrics.flexible_accuracy, f"[{100 * flexible_low:.1f}, {100 * flexible_high:.1f}]"),
        ("no answer", metrics.no_answer / n, f"{metrics.no_answer} of {n}"),
        ("well formed", metrics.well_formed, f"steps: {steps or 'none'}"),
        ("truncated", metrics.truncated, ""),
    ]
    if not metrics.judged:
        return rows
    return [
        *rows,
        ("memory steps true", metrics.memory_true, _unreadable(metrics.memory_unreadable)),
        ("reason steps valid", metrics.reason_valid, _unreadable(metrics.reason_unreadable)),
        ("answers that follow", metrics.answer_follows, ""),
        *([("types that fit", metrics.types_fit, "")] if metrics.types_fit is not None else []),
    ]


def _unreadable(rate: float | None) -> str:
    return f"{100 * rate:.1f}% unreadable" if rate else ""


def print_comparison(console: Console, run: RunResult) -> None:
    """Print a run's result: accuracy by split before and after training, and the causes of wrong answers."""
    splits = run.after.splits
    judged = any(metrics.judged for metrics in splits.values())
    rates = ("well_formed", *(("memory_true", "reason_valid") if judged else ()))
    table = Table(title="accuracy, with 95% intervals", title_justify="left", box=None, padding=(0, 1))
    for heading in ("split", "before", "after", *(rate.replace("_", "\n") for rate in rates)):
        table.add_column(heading, justify="left" if heading == "split" else "right", no_wrap=True)
    for split, after in splits.items():
        before = run.before.splits.get(split) if run.before else None
        table.add_row(
            Text(split),
            _rate_with_interval(before) if before else "not asked",
            Text(_rate_with_interval(after), style="bold"),
            *(_percent(getattr(after, rate)) for rate in rates),
        )
    show(console, table)
    for split, after in splits.items():
        for line in _accounts(after):
            show(console, f"{split}: {line}")


def _accounts(metrics: Metrics) -> list[str]:
    """Why wrong answers are wrong and what right ones rest on, in words; nothing where there are none of them."""
    parts = (
        (metrics.incorrect, "wrong", metrics.errors_by_cause, _CAUSES),
        (metrics.correct, "right", metrics.grounds, _GROUNDS),
    )
    older = " (by the first fault, as older versions counted)" if metrics.grounds is None else ""
    return [
        f"of {total} {which} answers{older}, "
        + ", ".join(f"{n} {words.get(key, key)}" for key, n in sorted(counts.items(), key=lambda item: -item[1]))
        for total, which, counts, words in parts
        if counts
    ]


_CAUSES = {
    "false_memory": "from a false memory",
    "wrong_inference": "from a wrong inference",
    "both": "from both",
    "missing_memory": "from a missing memory",
    "answer_slip": "from a slip of the answer line",
    "unreadable": "from steps that could not be judged",
}
_GROUNDS = {
    "sound": "sound",
    "lucky": "lucky (a false or invalid step)",
    "unreadable": "not judged in full",
}


def _percent(rate: float | None) -> str:
    return "–" if rate is None else f"{100 * rate:.1f}%"


def _rate_with_interval(metrics: Metrics) -> str:
    low, high = metrics.interval
    return f"{_percent(metrics.accuracy)} [{100 * low:.0f}, {100 * high:.0f}]"


def print_score(console: Console, result: ScoreResult) -> None:
    """Print the metrics, and below them how far to trust the judge, texts without a question, questions without a text,
    and differing marks."""
    print_metrics(console, result.overall)
    if result.judge:
        print_agreement(console, result.judge, result.agreement)
    if marked := result.marked:
        agreeing = f"{marked.agree} of its marks agree with ours{_names('; not', marked.differing)}"
        show(console, f"the file marks {marked.correct} of {marked.n} correct; {agreeing}", soft_wrap=True)
    unmatched = result.unmatched
    notes = [
        f"texts that match no question: {unmatched} (see unmatched.jsonl)" if unmatched else "",
        _names("questions without a text", result.missing),
        _names("questions with several texts, all counted", tuple(result.repeated)),
        _names("texts without an answer line", result.without_answer_line),
    ]
    for note in filter(None, notes):
        show(console, note, style="yellow", soft_wrap=True)


def print_agreement(console: Console, judge: str, agreement: Agreement | None) -> None:
    """Print how far the judge agrees with the exact one, or that this is not known."""
    if agreement is None:
        exact = judge == "atlas"
        how = "the exact one" if exact else "how far it can be trusted was not measured"
        show(console, f"judge of the steps: {judge}; {how}", soft_wrap=True)
        return
    show(console, f"judge of the steps: {judge}; how it finds false ones, measured on {agreement.on}:", soft_wrap=True)
    table = Table(box=None, padding=(0, 1))
    for heading in ("steps", "n", "precision", "recall", "kappa", "unverifiable"):
        table.add_column(heading, justify="left" if heading == "steps" else "right")
    for kind, of_kind in agreement.kinds.items():
        kappa = "–" if of_kind.kappa is None else f"{of_kind.kappa:.2f}"
        rates = (_percent(of_kind.precision), _percent(of_kind.recall), kappa, _percent(of_kind.unverifiable))
        table.add_row(kind, str(of_kind.n), *rates)
    show(console, table)
    if agreement.same_cause is not None:
        share = _percent(agreement.same_cause)
        show(console, f"there it named the exact cause of {share} of {agreement.wrong} wrong answers", soft_wrap=True)


def _names(what: str, ids: Sequence[str]) -> str:
    """``what: count (id, id, …)``; empty if there are no ids."""
    if not ids:
        return ""
    more = ", …" if len(ids) > _NAMES_SHOWN else ""
    return f"{what}: {len(ids)} ({', '.join(ids[:_NAMES_SHOWN])}{more})"


def varied(verdicts: Iterable[Verdict], n: int) -> list[Verdict]:
    """Up to ``n`` different verdicts: in turn one of each outcome and cause of error, the most frequent cause first."""
    kinds: dict[tuple[str, str | None], list[Verdict]] = {}
    counts: Counter[tuple[str, str | None]] = Counter()
    for verdict in verdicts:
        kind = (verdict.outcome, verdict.cause)
        counts[kind] += 1
        if counts[kind] <= n:
            kinds.setdefault(kind, []).append(verdict)
    turns = zip_longest(*(kinds[kind] for kind in sorted(kinds, key=lambda kind: (kind[0], -counts[kind]))))
    return [verdict for turn in turns for verdict in turn if verdict][:n]


def print_traces(console: Console, verdicts: Sequence[Verdict], n: int) -> None:
    """Print the first ``n`` traces: each step with its type and, if it was judged, with ✓, ✗ or ? before it."""
    for verdict in verdicts[:n]:
        _print_trace(console, verdict)
    if any(verdict.step_truth for verdict in verdicts[:n]):
        show(console, _LEGEND, style="dim")


def print_solution(console: Console, solution: Solution) -> None:
    """Print a labelled solution: each step with its type, then the answer."""
    grid = _question_grid(solution.question)
    for type_, text in [*((step.type, step.text) for step in solution.steps), ("answer", solution.question.answer)]:
        grid.add_row(Text(f"  {type_}", style=_COLOURS.get(type_, "blue")), "", Text(text))
    show(console, Text(solution.question.id, style="dim"))
    show(console, grid)
    show(console)


def _question_grid(question: Question) -> Table:
    """A table of three columns (type, mark, text) that begins with the question and its options."""
    grid = Table.grid(padding=(0, 1))
    for _ in range(3):
        grid.add_column()
    grid.add_row("", "", Text(question.text, style="bold"))
    for option in lettered(question.options):
        grid.add_row("", "", Text(option, style="dim"))
    return grid


def _print_trace(console: Console, verdict: Verdict) -> None:
    trace, question = verdict.trace, verdict.trace.question
    label, colour = _OUTCOMES[verdict.outcome]
    why = verdict.cause or (verdict.grounds if verdict.grounds == "lucky" else None)
    head = Text(label + (f": {why.replace('_', ' ')}" if why else ""), style=f"bold {colour}")
    head.append(f"  {question.id}", style="not bold dim")
    for flag, words in ((trace.truncated, "cut off"), (not trace.well_formed, "not well formed")):
        if flag:
            head.append(f"  ({words})", style="not bold yellow")
    grid = _question_grid(question)
    truths = verdict.step_truth or ()
    lines, room = [(step.type, step.text) for step in trace.steps], LONGEST_TRACE
    for i, (type_, text) in enumerate([*lines, ("answer", trace.answer or "none")]):
        if MOST_STEPS <= i < len(lines):
            if i == MOST_STEPS:
                grid.add_row("", "", Text(f"… and {len(lines) - i} steps more", style="dim"))
            continue
        style = _COLOURS.get(type_, "blue")
        judged = i < len(truths) and not (type_ == "answer" and trace.answer is None)
        mark, mark_style = _MARKS[truths[i]] if judged else ("", "")
        length = max(SHORTEST_STEP, min(LONGEST_STEP, room)) if i < len(lines) else LONGEST_STEP
        content = Text(_cut(text, length))
        room -= len(content)
        if type_ == "answer" and verdict.outcome != "correct":
            content.append(f"  (gold: {question.answer})", style="dim")
        grid.add_row(Text(f"  {type_}", style=style), Text(mark, style=mark_style), content)
    show(console, head)
    show(console, grid)
    show(console)


def _cut(text: str, length: int) -> str:
    """At most ``length`` characters of ``text``, cut between words if possible."""
    cut = shorten(text, length, placeholder=" …")
    return cut if len(cut) > 2 or len(text) <= length else f"{text[: length - 2]} …"
