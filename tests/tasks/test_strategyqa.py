"""StrategyQA without agents' labels: its facts are the steps."""

import json
from pathlib import Path

import pytest

from memreason.tasks.registry import load_task

DATA = Path(__file__).parents[2] / "../shared/data/raw/strategyqa"


def load(path, content, name="strategyqa"):
    path.write_text(json.dumps(content))
    (solution,) = load_task(name, str(path)).splits["test"]
    return solution


def test_released_facts_are_steps(tmp_path):
    row = {"qid": "q", "question": "Would a pear sink?", "answer": False, "facts": ["A pear is light. Very.", "So."]}
    solution = load(tmp_path / "test.json", [row])
    assert [(step.type, step.text) for step in solution.steps] == [("step", "A pear is light. Very."), ("step", "So.")]
    assert solution.question.answer == "False"


def test_facts_in_one_text_are_steps_by_sentence(tmp_path):
    row = {"question": "Would a pear sink?", "answer": False, "facts": "A pear has 0.59 g/cm^3. Water has 1."}
    assert [step.text for step in load(tmp_path / "test.json", [row]).steps] == [
        "A pear has 0.59 g/cm^3.",
        "Water has 1.",
    ]


def test_big_benchs_form_is_one_object_with_examples(tmp_path):
    example = {"input": "Is it?", "target_scores": {"Yes": 1, "No": 0}, "target": "Yes. It is so.  No one doubts it. "}
    solution = load(tmp_path / "strategyqa_test.json", {"name": "strategyqa", "examples": [example]}, "qa")
    assert [step.text for step in solution.steps] == ["It is so.", "No one doubts it."]
    assert solution.question.answer == "True"


@pytest.mark.skipif(not DATA.is_dir(), reason="the real data is not here (../shared/data)")
def test_real_strategyqa():
    task = load_task("strategyqa", str(DATA))
    assert {split: len(s) for split, s in task.splits.items()} == {"train": 1731, "validation": 100, "test": 458}
    assert all(s.steps for solutions in task.splits.values() for s in solutions)
