"""A model and splits of a dataset → traces and metrics on disk, in memory that knows nothing of their number."""

import gc
from pathlib import Path

from helpers.tiny import SOLUTIONS

from memreason.config.commands import EvaluateConfig
from memreason.config.model import ModelConfig
from memreason.evaluation.evaluate import evaluate, evaluate_splits
from memreason.evaluation.results import EvaluationResult, read_result
from memreason.generation.options import GenerationOptions
from memreason.models.build import build
from memreason.records import Judgement, Question, Solution, Trace
from memreason.runtime.disk_list import DiskList
from memreason.tasks.base import TaskData
from memreason.tasks.jsonl import export_jsonl


def solutions(split: str, count: int) -> list[Solution]:
    texts = [s.question.text for s in SOLUTIONS]
    return [
        Solution(Question(f"{split}-{i}", texts[i % 4] + " Really?" * (i % 3), "True", split=split))
        for i in range(count)
    ]


def test_splits_are_answered_together_and_told_apart_in_the_metrics(bases: dict[str, Path], tmp_path: Path) -> None:
    unit = build(ModelConfig(model_name_or_path=str(bases["tied"]), dtype="float32"), 60)
    task = TaskData("made", "boolean", {"test_a": solutions("test_a", 5), "test_b": solutions("test_b", 3)})
    result, verdicts = evaluate_splits(unit, task, ["test_a", "test_b"], tmp_path, GenerationOptions(3), progress=False)
    assert [v.trace.question.id for v in verdicts] == [
        s.question.id for split in task.splits.values() for s in split
    ]  # in the order of the questions, though they are answered by length
    assert [result.splits[name].n for name in ("test_a", "test_b")] == [5, 3] and result.overall.n == 8
    assert read_result(EvaluationResult, tmp_path / "metrics.json") == result
    alone, _ = evaluate_splits(unit, task, ["test_b"], tmp_path / "alone", GenerationOptions(3), progress=False)
    assert alone == EvaluationResult(result.splits["test_b"], {"test_b": result.splits["test_b"]}, "float32")


def test_no_more_traces_exist_than_have_just_ended(bases: dict[str, Path], tmp_path: Path) -> None:
    unit = build(ModelConfig(model_name_or_path=str(bases["tied"]), dtype="float32"), 40)
    there: list[int] = []

    def judge(trace: Trace) -> Judgement:
        there.append(sum(type(thing) is Trace for thing in gc.get_objects()))
        return Judgement((True,) * (len(trace.steps) + 1), None)

    gc.collect()
    before = sum(type(thing) is Trace for thing in gc.get_objects())
    task = TaskData("made", "boolean", {"test": DiskList(solutions("test", 12))}, judge=judge)
    _, verdicts = evaluate_splits(unit, task, ["test"], tmp_path, GenerationOptions(3), progress=False)
    assert len(there) == len(verdicts) == 12
    assert max(there) - before <= 3


def test_examples_for_a_base_model_are_drawn_from_all_of_train_however_few_the_questions(
    bases: dict[str, Path], tmp_path: Path
) -> None:
    for name, there in (("train", SOLUTIONS), ("test", solutions("test", 2))):
        export_jsonl(there, tmp_path / f"{name}.jsonl")
    config = EvaluateConfig(
        str(bases["tied"]), dataset="jsonl", data_path=str(tmp_path), num_validation=1, num_test=1, k_shot=2,
        model_max_length=192, output_dir=str(tmp_path / "out"),
    )  # fmt: skip
    result, _, _ = evaluate(config, progress=False)
    assert result.overall.n == 1
