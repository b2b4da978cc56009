"""The scripts in examples/ run from their beginning to their end, small."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
SMALL = {
    "train_and_inspect": ("--model", "{base}", "--num_train", "16", "--num_test", "4", "--run", "run"),
    "own_data": ("--model", "{base}", "--num_train", "16", "--folder", "own"),
    "label": ("--num_questions", "10", "--folder", "labelling"),
}


def test_each_example_is_run_here() -> None:
    assert set(SMALL) == {path.stem for path in (ROOT / "examples").iterdir() if path.suffix}


@pytest.mark.slow
@pytest.mark.parametrize("name", SMALL)
def test_an_example_runs(name: str, bases: dict[str, Path], tmp_path: Path) -> None:
    words = [word.format(base=bases["tied"]) for word in SMALL[name]]
    made = subprocess.run(
        [sys.executable, ROOT / "examples" / f"{name}.py", *words],
        cwd=tmp_path,
        env=os.environ | {"PYTHONPATH": str(ROOT / "src")},
        capture_output=True,
        text=True,
    )
    assert made.returncode == 0, made.stderr
    assert "answer  " in made.stdout if name != "label" else "atlas.jsonl" in made.stdout
