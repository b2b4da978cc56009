"""What `memreason tasks` prints."""

import io
import json
from pathlib import Path

from rich.console import Console

from memreason.cli.task_table import print_task, print_tasks
from memreason.tasks.registry import ALIASES, TASKS


def printed(function, *args: str, width: int = 400) -> str:
    console = Console(file=io.StringIO(), width=width)
    function(console, *args)
    return console.file.getvalue()


def test_every_dataset_is_listed_with_what_it_is_and_every_other_spelling() -> None:
    page = printed(print_tasks)
    assert all(f" {name} " in page and task.source in page for name, task in TASKS.items())
    assert all(f"{alias} = {name}" in page for alias, name in ALIASES.items())


def test_nothing_is_cut_off_where_the_terminal_is_narrow() -> None:
    assert "…" not in printed(print_tasks, width=60).partition("other spellings")[0]


def test_only_the_step_types_that_occur_have_a_column(tmp_path: Path) -> None:
    path = tmp_path / "gsm8k_test.jsonl"
    path.write_text(json.dumps({"question": "How many?", "answer": "One.\nIt is <<1+1=2>>2.\n#### 2"}))
    heading = next(line for line in printed(print_task, "gsm8k", str(path)).splitlines() if "split" in line)
    assert heading.split() == ["split", "questions", "with", "steps", "step", "answers"]


def test_brackets_in_answers_and_notes_are_printed_as_they_are(tmp_path: Path) -> None:
    """Rich reads [/x] as its own markup."""
    path = tmp_path / "test[a].jsonl"
    answers = ["[a,b]", "[/x]", "x" * 40, "[/x]"]
    rows = [{"problem": f"What is {i}?", "solution": f"$\\boxed{{{answer}}}$"} for i, answer in enumerate(answers)]
    path.write_text("".join(json.dumps(row) + "\n" for row in [*rows, {"problem": "No?", "solution": "none"}]))
    page = printed(print_task, "math", str(path))
    assert f"[/x] 2, [a,b] 1, {'x' * 29}… 1" in page
    assert "gold answer not valid: 1 (test[a].jsonl:5)" in page
