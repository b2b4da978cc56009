"""What the README tells a new user to do is so."""

import re
import shlex
from pathlib import Path

import pytest

from memreason.cli.commands import COMMANDS
from memreason.cli.commands.ask import FIRST_QUESTION, UNSEEN_QUESTION
from memreason.tasks.registry import load_task

ROOT = Path(__file__).parents[1]
README = (ROOT / "README.md").read_text()


def test_the_data_loads_when_it_is_saved_as_shown(tmp_path: Path) -> None:
    (block,) = re.findall(r"```json\n(.*?)```", README, re.S)
    (tmp_path / "mine.jsonl").write_text(block)
    task = load_task("jsonl", str(tmp_path / "mine.jsonl"))
    assert {name: len(found) for name, found in task.splits.items()} == {"train": 1, "validation": 1, "test": 1}
    assert task.step_types == {"memory", "reason"}


def test_its_questions_are_those_of_the_help() -> None:
    assert README.count(FIRST_QUESTION) >= 3 and UNSEEN_QUESTION in README
    atlas = load_task("atlas", sizes={"num_train": 800, "num_test": 100, "num_countries": 45}, num_validation=60)
    trained_on = [solution.question.text for solution in atlas.splits["train"]]
    assert any("Australia" in text and "capital" in text.lower() for text in trained_on)
    assert not any("Kenya" in text for text in trained_on)


@pytest.mark.parametrize("line", sorted(set(re.findall(r"^memreason [^\n#]+", README, re.M))))
def test_its_commands_have_the_flags_that_it_shows(line: str) -> None:
    import io
    from contextlib import redirect_stdout, suppress

    from memreason.cli.main import main

    words = shlex.split(line.replace("…", "X"))[1:]
    assert words[0] in COMMANDS
    command = words[:2] if words[1:2] in (["inspect"], ["convert"], ["fit"], ["show"]) else words[:1]
    page = io.StringIO()
    with redirect_stdout(page), suppress(SystemExit):
        main([*command, "--help"])
        if "--as_trained" in words:
            main(["train", "--help"])
    known = page.getvalue()
    flags = {word for word in words if word.startswith("--")}
    assert all(flag in known or flag == "--config" for flag in flags), flags
