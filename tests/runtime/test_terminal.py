"""Nothing that others wrote moves the cursor, is read as markup, or crashes a terminal that lacks its characters."""

import ast
import io
import json
import os
import subprocess
import sys
import warnings
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
from helpers.traces import RIGHT, WRONG, judge
from rich.console import Console
from rich.table import Table
from rich.text import Text

from memreason.cli.commands.step_types import print_fit
from memreason.cli.display import print_comparison, print_metrics, print_score, print_solution, print_traces
from memreason.cli.task_table import print_task
from memreason.errors import LONGEST, UserError, plain
from memreason.evaluation.judge import judge_traces
from memreason.evaluation.judged_by import Agreement, OfKind
from memreason.evaluation.metrics import compute_metrics
from memreason.evaluation.results import EvaluationResult, Marks, RunResult, ScoreResult
from memreason.evaluation.training_account import TrainingAccount
from memreason.records import Question, Solution, Step
from memreason.runtime.terminal import guard, in_words, show, show_json
from memreason.step_types.describe import describe_fit
from memreason.step_types.store import RECORD, STEPS
from memreason.tasks.jsonl import export_jsonl

SOURCE = Path(__file__).parents[2] / "src" / "memreason"
HOSTILE = "[/]a\x1b]0;owned\x07b\x1b[2J\x9b31mc\u202ed\ud83de[red]f:smile:"
"""Ends a tag that was never begun, renames the window, clears the screen, turns the line around, half a character."""
SHOWN = "[/]a"


def is_plain(text: str) -> bool:
    return text == plain(text)


class TestPlain:
    def test_each_character_stays_or_is_replaced_by_one(self) -> None:
        assert plain(HOSTILE) == "[/]a␛]0;owned␇b␛[2J�31mc�d�e[red]f:smile:"
        assert len(plain(HOSTILE)) == len(HOSTILE)

    @pytest.mark.parametrize("text", ["naïve – ✓ 答案\n\tfamily 👨‍👩‍👧 नमस्ते", ""])
    def test_what_is_harmless_stays(self, text: str) -> None:
        assert plain(text) == text

    def test_errors_are_plain_and_end_with_what_to_do_however_much_they_quote(self) -> None:
        message = str(UserError(f"a.jsonl:3: {HOSTILE * 1000}; remove the line"))
        assert is_plain(message) and len(message) < LONGEST + 10
        assert message.startswith("a.jsonl:3: [/]a␛") and message.endswith("; remove the line")


class TestShow:
    def printed(self, what: object, **options: object) -> str:
        file = io.StringIO()
        show(Console(file=file, width=200, force_terminal=True, color_system=None), what, **options)
        return file.getvalue()

    def test_markup_is_printed_and_not_obeyed(self) -> None:
        assert self.printed("[bold]a[/] [/]") == "[bold]a[/] [/]\n"

    def test_styles_of_ours_stay_where_they_are(self) -> None:
        file = io.StringIO()
        show(Console(file=file, width=80, force_terminal=True, color_system="standard"), Text("a\x1bb", "bold"))
        assert file.getvalue() == "\x1b[1ma␛b\x1b[0m\n"

    def test_cells_of_tables_are_no_markup_either(self) -> None:
        table = Table(box=None)
        for heading in ("one", "two"):
            table.add_column(heading)
        table.add_row("\x1b[/]\x9b", "[red]x")
        printed = self.printed(table)
        assert is_plain(printed) and "␛[/]�" in printed and "[red]x" in printed

    def test_an_end_of_ones_own(self) -> None:
        assert self.printed("a", end="") == "a"

    def test_json_is_json_and_readable(self, capsys: pytest.CaptureFixture[str]) -> None:
        show_json({"a": HOSTILE, "b": "答案 ✓"})
        out = capsys.readouterr().out
        assert json.loads(out) == {"a": HOSTILE, "b": "答案 ✓"}
        assert is_plain(out) and "答案 ✓" in out


def every_print(tree: ast.AST) -> list[str]:
    found = []
    for node in ast.walk(tree):
        if isinstance(node, ast.Call):
            name = ast.unparse(node.func)
            if name == "print" or name.endswith((".print", ".out", ".rule")) or "stdout.write" in name:
                found.append(f"{name}:{node.lineno}")
    return found


ALONE = {
    "terminal.py": "show, say and show_json themselves",
    "program.py": "to the process that started it",
    "fake_server.py": "our own words, where a test server listens",
    "fresh_process.py": "numbers, to the process that started it",
}


def test_everything_printed_goes_through_the_terminals_functions() -> None:
    for path in SOURCE.rglob("*.py"):
        found = [one for one in every_print(ast.parse(path.read_text()))]
        assert not found or path.name in ALONE, f"{path.name}: {found}: use show, say or show_json of terminal.py"


NOTES = {
    "runtime/distributed": "an error, by one of several processes",
    "training/context": "what a run is about to do, and how; how long it will take; damaged checkpoints",
    "step_types/fit": "what was left out; that pictures are being drawn",
    "step_types/infer": "which types training goes on with",
    "label/progress": "lines above the bar",
    "benchmark/run": "whose turn it is",
}
"""What speaks while it works → of what. Results are returned, and printed by `cli` alone."""


@pytest.mark.parametrize("path", sorted(SOURCE.rglob("*.py")), ids=lambda path: path.relative_to(SOURCE).as_posix())
def test_only_the_command_line_prints_results(path: Path) -> None:
    name = path.relative_to(SOURCE).with_suffix("").as_posix()
    imported = {
        alias.name
        for node in ast.walk(ast.parse(path.read_text()))
        if isinstance(node, ast.ImportFrom) and node.module == "memreason.runtime.terminal"
        for alias in node.names
    }
    if imported & {"show", "say", "show_json"}:
        assert name.startswith("cli/") or name in NOTES, f"{name} prints: return it, and let cli/ print it"
        assert name.startswith("cli/") or "show_json" not in imported


# ---- all printing, with a hostile text in every place that others fill -----------------------------


QUESTION = Question(f"id {HOSTILE}", f"text {HOSTILE}", "True", (HOSTILE,), HOSTILE, "test")
STEPS_OF_IT = (Step(f"memory{HOSTILE}", HOSTILE), Step("reason", HOSTILE))


def verdicts() -> list:
    traces = [replace(trace, question=QUESTION, steps=STEPS_OF_IT, answer=HOSTILE) for trace in (RIGHT, WRONG)]
    return [replace(one, cause=HOSTILE) for one in judge_traces(traces, "boolean", judge)]


def of_traces(console: Console, _: Path) -> None:
    print_traces(console, verdicts(), 2)


def of_metrics(console: Console, _: Path) -> None:
    metrics = compute_metrics(verdicts())
    print_metrics(console, metrics)
    evaluation = EvaluationResult(metrics, {HOSTILE: metrics}, HOSTILE)
    print_comparison(console, RunResult(evaluation, evaluation, None, TrainingAccount(1, 2)))
    marks = Marks(n=2, correct=1, agree=1, differing=(HOSTILE,))
    agreement = Agreement(HOSTILE, HOSTILE, 1, {HOSTILE: OfKind(1, 0, None, None, None, {})}, 1, 1.0)
    account = (1, (HOSTILE,), {HOSTILE: 2}, (HOSTILE,), marks, HOSTILE, agreement)
    print_score(console, ScoreResult(metrics, {HOSTILE: metrics}, *account))


def of_solutions(console: Console, _: Path) -> None:
    print_solution(console, Solution(QUESTION, STEPS_OF_IT))


def of_a_dataset(console: Console, folder: Path) -> None:
    text = HOSTILE.replace("\ud83d", "")
    steps = (Step("memory", text), Step("reason", text))
    export_jsonl(
        [Solution(Question(f"{text}{i}", f"{text} {i}?", text, (), "", "train"), steps) for i in range(12)],
        folder / "train.jsonl",
    )
    print_task(console, "jsonl", str(folder / "train.jsonl"))


def of_fitted_types(console: Console, folder: Path) -> None:
    record = {"format": 1, "method": "tf-idf", "names": [HOSTILE, "b[/]"], "dataset": HOSTILE, "seed": 0,
              "source": {"model": HOSTILE, "layer": 1}, "words": {HOSTILE: [HOSTILE]}, "settings": {}}  # fmt: skip
    (folder / RECORD).write_text(json.dumps(record))
    (folder / STEPS).write_text(json.dumps({"id": "1", "type": HOSTILE, "text": HOSTILE, "distance": 0.5}) + "\n")
    print_fit(console, describe_fit(folder))


@pytest.mark.parametrize("printing", [of_traces, of_metrics, of_solutions, of_a_dataset, of_fitted_types])
def test_no_printing_lets_a_control_character_or_markup_through(
    printing: Callable[[Console, Path], None], tmp_path: Path
) -> None:
    file = io.StringIO()
    printing(Console(file=file, width=100), tmp_path)
    printed = file.getvalue()
    assert is_plain(printed)
    assert SHOWN in printed and "[red]f" in printed.replace("\n", "")


@pytest.mark.slow
class TestAsACommand:
    """In a process of its own, with what others wrote on its way to a real stdout and stderr."""

    def run(self, *argv: str, **environment: str) -> subprocess.CompletedProcess[bytes]:
        return subprocess.run([sys.executable, "-m", "memreason", *argv], capture_output=True, check=False,
                              env={**os.environ, **environment})  # fmt: skip

    def test_errors_quote_names_plainly(self, tmp_path: Path) -> None:
        done = self.run("score", "--dataset", "atlas", "--generations", str(tmp_path / "a\x1b[2J[/].jsonl"))
        assert done.returncode == 2 and b"\x1b" not in done.stderr
        assert "a␛[2J[/].jsonl" in done.stderr.decode()

    @pytest.mark.parametrize("command", [["tasks"], ["--help"], ["tasks", "atlas"]])
    def test_a_terminal_with_ascii_only(self, command: list[str]) -> None:
        done = self.run(*command, PYTHONIOENCODING="ascii")
        assert done.returncode == 0, done.stderr.decode()
        assert done.stdout.isascii() and b"\\u2026" not in done.stdout


def test_a_crash_and_a_log_entry_are_plain_too(capsys: pytest.CaptureFixture[str]) -> None:
    import logging

    with guard():
        logging.getLogger("somebody").warning("a %s", HOSTILE)
        sys.stderr.write(warnings.formatwarning(HOSTILE, UserWarning, "a.py", 1))
        try:
            raise ValueError(HOSTILE)
        except ValueError as error:
            sys.excepthook(type(error), error, error.__traceback__)
    sys.excepthook = sys.__excepthook__
    said = capsys.readouterr().err
    assert "ValueError: [/]a␛" in said and "UserWarning: [/]a␛" in said and is_plain(said)


@pytest.mark.parametrize(
    "seconds, words",
    [(0, "10 s"), (44, "40 s"), (89, "90 s"), (90, "2 min"), (5900, "98 min"), (7500, "2 h 05 min")],
)
def test_times_are_round(seconds: float, words: str) -> None:
    assert in_words(seconds) == words
