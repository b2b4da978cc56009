"""What CONTRIBUTING.md shows is done, block by block, in a copy of the package."""

import os
import re
import shlex
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
BLOCKS = re.findall(r"^```(\w+)\n(.*?)^```", (ROOT / "CONTRIBUTING.md").read_text(), re.S | re.M)


@pytest.mark.slow
def test_each_example_works(tmp_path: Path) -> None:
    shutil.copytree(ROOT / "src", tmp_path / "src", ignore=shutil.ignore_patterns("__pycache__", "*.egg-info"))
    for kind, block in BLOCKS:
        first, _, rest = block.partition("\n")
        if named := re.fullmatch(r"# (src/\S+\.py)(?:, (in|before) (\w+))?", first):
            insert(tmp_path / named[1], named[2], named[3], rest)
        elif kind == "json":
            (tmp_path / ("answers.json" if block.startswith("[") else "riddles.jsonl")).write_text(block)
        elif kind == "python":
            run(tmp_path, "-c", block)
        else:
            for line in re.findall(r"^memreason .*", block, re.M):
                run(tmp_path, "-m", *shlex.split(line))


def insert(path: Path, where: str | None, table: str | None, text: str) -> None:
    """Write a new file, or text before a table of an old one, or a line in it."""
    if where is None:
        path.write_text(text)
        return
    before = path.read_text()
    start = re.search(rf"^{table}\b.*?\{{", before, re.S | re.M)
    assert start, f"{path} has no table {table}"
    place = start.end() if where == "in" else start.start()
    path.write_text(f"{before[:place]}\n{text}\n{before[place:]}")


def run(folder: Path, *arguments: str) -> None:
    environment = os.environ | {"PYTHONPATH": str(folder / "src")}
    tried = subprocess.run([sys.executable, *arguments], cwd=folder, env=environment, text=True, capture_output=True)
    assert tried.returncode == 0, f"{arguments}\n{tried.stdout}{tried.stderr}"
