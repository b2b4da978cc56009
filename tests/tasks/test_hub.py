"""Datasets in the hub's layout, from a local folder; and what is said when the hub gives nothing."""

import os
import subprocess
import sys

import datasets
import pytest
from huggingface_hub.errors import GatedRepoError

from memreason.errors import UserError
from memreason.records import Step
from memreason.tasks.registry import load_task

STRATEGYQA = [
    {"qid": f"q{n}", "term": "t", "question": f"Is {n} even?", "answer": n % 2 == 0, "facts": "A fact. Another one."}
    for n in range(12)
]
COMMONSENSEQA = [
    {
        "id": f"q{n}",
        "question": f"Where is {n}?",
        "question_concept": "place",
        "choices": {"label": ["A", "B"], "text": ["a town", "a city"]},
        "answerKey": "B",
    }
    for n in range(12)
]
TRUTHFULQA = [
    {"question": f"What is {n}?", "mc1_targets": {"choices": ["right", "wrong"], "labels": [1, 0]}} for n in range(4)
]

GSM8K = [{"question": "What is 1+1?", "answer": "It is <<1+1=2>>2.\n#### 2"}]
AQUA = [{"question": "What?", "options": ["A)1", "B)2"], "rationale": "So.", "correct": "B"}]
SVAMP = [{"ID": "c1", "Body": "I have 2.", "Question": "How many?", "Equation": "2", "Answer": "2"}]
ROWS = {"strategyqa": STRATEGYQA, "truthfulqa": TRUTHFULQA, "gsm8k": GSM8K, "aqua": AQUA, "svamp": SVAMP}


@pytest.fixture(autouse=True)
def cache(tmp_path, monkeypatch):
    """Nothing is written to the user's home."""
    monkeypatch.setattr(datasets.config, "HF_DATASETS_CACHE", tmp_path / "cache")


def write_parquet(folder, **splits):
    for split, rows in splits.items():
        datasets.Dataset.from_list(rows).to_parquet(folder / "data" / f"{split}-00000-of-00001.parquet")


def counts(task):
    return {split: len(solutions) for split, solutions in task.splits.items()}


def test_strategyqa(tmp_path):
    write_parquet(tmp_path, train=STRATEGYQA[:10], test=STRATEGYQA[10:])
    task = load_task("strategyqa", str(tmp_path))
    assert counts(task) == {"train": 9, "validation": 1, "test": 2}
    question = task.splits["test"][0].question
    assert (question.id, question.text, question.answer) == ("q10", "Is 10 even?", "True")
    assert task.splits["test"][0].steps == (Step("step", "A fact."), Step("step", "Another one."))


def test_commonsenseqa(tmp_path):
    write_parquet(tmp_path, train=COMMONSENSEQA[:10], validation=COMMONSENSEQA[10:])
    task = load_task("commonsenseqa", str(tmp_path))
    assert counts(task) == {"train": 9, "validation": 1, "test": 2}
    assert task.splits["test"][0].question.options == ("a town", "a city")


def test_truthfulqa(tmp_path):
    write_parquet(tmp_path, validation=TRUTHFULQA)
    assert counts(load_task("truthfulqa", str(tmp_path))) == {"test": 4}


def test_agent_labelled_rows(tmp_path):
    steps = ["[rag]: A fact.", "[reason]: So."]
    write_parquet(tmp_path, test=[{"question": "Is it?", "answer": "True", "cot_steps": steps}])
    assert len(load_task("strategyqa", str(tmp_path)).splits["test"][0].steps) == 2


def test_jsonl_in_a_data_folder(tmp_path):
    (tmp_path / "data").mkdir()
    datasets.Dataset.from_list(STRATEGYQA).to_json(tmp_path / "data" / "test.jsonl")
    assert counts(load_task("strategyqa", str(tmp_path))) == {"test": 12}


@pytest.mark.parametrize(
    ("name", "data_path", "asked"),
    [
        ("strategyqa", None, ("ChilleD/StrategyQA",)),
        ("truthfulqa", None, ("truthfulqa/truthful_qa", "multiple_choice")),
        ("strategyqa", "hf://some/where", ("some/where",)),
        ("strategyqa", "some/where", ("some/where",)),
        ("gsm8k", None, ("openai/gsm8k", "main")),
        ("aqua", None, ("deepmind/aqua_rat", "raw")),
        ("svamp", None, ("ChilleD/SVAMP",)),
    ],
)
def test_ids_go_to_the_hub(monkeypatch, name, data_path, asked):
    calls = []

    def load_dataset(*args):
        calls.append(args)
        return {"test": ROWS[name]}

    monkeypatch.setattr(datasets, "load_dataset", load_dataset)
    load_task(name, data_path)
    assert calls == [asked]


def test_every_config_of_a_dataset_is_read(monkeypatch):
    """MATH has one for each subject."""
    calls = []

    def load_dataset(path, config):
        calls.append((path, config))
        row = {"problem": f"What is {config}?", "level": "Level 1", "type": config, "solution": "It is $\\boxed{1}$."}
        return {"train": [row], "test": [row | {"problem": f"Why {config}?"}]}

    monkeypatch.setattr(datasets, "load_dataset", load_dataset)
    task = load_task("math")
    assert counts(task) == {"train": 6, "validation": 1, "test": 7}
    assert [path for path, _ in calls] == ["EleutherAI/hendrycks_math"] * 7 and len(set(calls)) == 7
    assert ("EleutherAI/hendrycks_math", "number_theory") in calls


def test_of_a_copy_of_a_hub_repository_only_the_configs_that_are_read_there_are_read(tmp_path):
    for config in ("main", "socratic"):
        for split, count in (("train", 12), ("test", 2)):
            rows = [GSM8K[0] | {"question": f"What of {split} is {n} in {config}?"} for n in range(count)]
            datasets.Dataset.from_list(rows).to_parquet(tmp_path / config / f"{split}-00000-of-00001.parquet")
    task = load_task("gsm8k", str(tmp_path))
    assert counts(task) == {"train": 11, "validation": 1, "test": 2}
    assert all("in main" in s.question.text for s in task.splits["train"])


def fail_with(monkeypatch, error):
    def load_dataset(*args):
        raise error

    monkeypatch.setattr(datasets, "load_dataset", load_dataset)


def test_a_gated_dataset_needs_its_terms_accepted(monkeypatch, tmp_path):
    gated = datasets.exceptions.DatasetNotFoundError("not there")
    gated.__cause__ = GatedRepoError.__new__(GatedRepoError)
    fail_with(monkeypatch, gated)
    with pytest.raises(UserError, match=r"some/where: this dataset is gated; accept its terms.*HF_TOKEN"):
        load_task("strategyqa", "hf://some/where")


def test_an_unreachable_hub_leaves_data_path(monkeypatch):
    monkeypatch.setenv("HF_TOKEN", "hf_secret")
    fail_with(monkeypatch, ConnectionError("no network\nat all"))
    with pytest.raises(UserError, match=r"ChilleD/StrategyQA: .*no network.*HF_TOKEN.*--data_path") as caught:
        load_task("strategyqa")
    assert "hf_secret" not in str(caught.value)


def test_a_misspelled_local_folder_is_not_asked_of_the_hub(tmp_path, monkeypatch):
    fail_with(monkeypatch, AssertionError("asked the hub"))
    (tmp_path / "data").mkdir()
    monkeypatch.chdir(tmp_path)
    with pytest.raises(UserError, match="--data_path data/agnt: no such file or folder"):
        load_task("strategyqa", "data/agnt")


@pytest.mark.slow
def test_a_hub_that_does_not_answer_is_asked_once(tmp_path):
    """In a process of its own, since the tests' own is told to be offline."""
    environment = {**os.environ, "HF_HUB_OFFLINE": "0", "HF_ENDPOINT": "http://127.0.0.1:9", "HF_HOME": str(tmp_path)}
    command = [sys.executable, "-m", "memreason", "tasks", "gsm8k"]
    run = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=120)
    assert run.returncode == 2
    assert "could not be loaded from the hub" in run.stderr and "--data_path" in run.stderr
    assert "Retrying" not in run.stderr and len(run.stderr.splitlines()) == 1
