"""What the README says of its data and questions is so; that its commands run is tests/test_docs.py's."""

import re
from pathlib import Path

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
    assert README.count(FIRST_QUESTION) >= 2 and UNSEEN_QUESTION in README
    atlas = load_task("atlas", sizes={"num_train": 800, "num_test": 100, "num_countries": 45}, num_validation=60)
    trained_on = [solution.question.text for solution in atlas.splits["train"]]
    assert any("Australia" in text and "capital" in text.lower() for text in trained_on)
    assert not any("Kenya" in text for text in trained_on)


def test_it_lists_the_folders_that_there_are() -> None:
    folders = {path.name for path in (ROOT / "src" / "memreason").iterdir() if path.is_dir() and path.name[0] != "_"}
    assert set(re.findall(r"^  (\w+)/ ", README, re.M)) == folders
