"""The output of `memreason tasks`: a list of all datasets, or one dataset with its counts and an example."""

from __future__ import annotations

from collections import Counter

from rich.console import Console
from rich.table import Table
from rich.text import Text

from memreason.planning_tokens.layout import PlanningTokens
from memreason.records import MEMORY, PLAIN, REASON
from memreason.runtime.terminal import show
from memreason.tasks.registry import ALIASES, TASKS, load_task

LONGEST_ANSWER = 30
"""At most this many characters of an answer are shown in the table: answers in LaTeX can fill lines."""


def print_tasks(console: Console) -> None:
    """List all datasets, and show the one that needs no file as an example."""
    table = Table(box=None, padding=(0, 2), title="datasets", title_justify="left")
    for heading in ("name", "what", "answers", "where from"):
        table.add_column(heading, overflow="fold")
    for name, task in TASKS.items():
        table.add_row(Text(name, style="bold"), task.description, task.answer_kind or "by the data", task.source)
    show(console, table)
    spellings = ", ".join(f"{alias} = {name}" for alias, name in ALIASES.items())
    show(console, f"other spellings: {spellings}", style="dim")
    print_task(console, "atlas")
    show(console, "memreason tasks NAME --data_path …  shows another one", style="dim")


def print_task(console: Console, name: str, data_path: str | None = None) -> None:
    """Print a dataset's counts by split, its notes from loading, and one example in the form of a training text."""
    task = load_task(name, data_path)
    table = Table(box=None, padding=(0, 2), title=Text(task.name, style="table.title"), title_justify="left")
    types = [t for t in (MEMORY, REASON, PLAIN) if t in task.step_types]
    for heading in ("split", "questions", "with steps", *types, "answers"):
        table.add_column(heading, justify="left" if heading in ("split", "answers") else "right")
    for split, solutions in task.splits.items():
        steps = Counter(step.type for solution in solutions for step in solution.steps)
        answers = Counter(solution.question.answer for solution in solutions)
        table.add_row(
            Text(split),
            str(len(solutions)),
            str(sum(bool(solution.steps) for solution in solutions)),
            *(str(steps[type_]) for type_ in types),
            Text(", ".join(f"{_short(answer)} {count}" for answer, count in answers.most_common(5))),
        )
    show(console, table)
    for note in task.notes:
        show(console, f"note: {note}")
    solved = next((s for s in task.splits.get("train", []) if s.steps), None)
    if solved:
        layout = PlanningTokens(1, 1, (MEMORY, REASON))
        show(console, "example (1 general and 1 special planning token):", style="dim")
        text = layout.prompt_text(solved.question) + layout.solution_text(solved.steps, solved.question.answer)
        show(console, text)


def _short(answer: str) -> str:
    return answer if len(answer) <= LONGEST_ANSWER else f"{answer[: LONGEST_ANSWER - 1]}…"
