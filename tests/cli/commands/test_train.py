"""The last line that `memreason train` prints: the command to type next."""

import io

from helpers.traces import RIGHT, WRONG
from rich.console import Console

from memreason.cli.commands.train import print_next
from memreason.evaluation.judge import judge_traces


def test_the_next_command_asks_what_was_answered_rightly() -> None:
    file = io.StringIO()
    print_next(Console(file=file, width=80), "runs/my run", judge_traces([WRONG, RIGHT], "boolean"))
    assert file.getvalue().startswith("next: ")
    assert "ask 'Is Lyon the capital of France?' --model_name_or_path 'runs/my run'" in file.getvalue()
