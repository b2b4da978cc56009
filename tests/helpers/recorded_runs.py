"""Folders of runs, made of traces that a test writes itself: real files, and no training."""

from collections.abc import Sequence
from pathlib import Path

from helpers.tiny import make_tokenizer
from helpers.traces import LAYOUT

from memreason.config.data import DataConfig
from memreason.config.model import ModelConfig
from memreason.config.run import RunConfig, write_config
from memreason.evaluation.files import write_result, write_traces
from memreason.evaluation.judge import judge_traces
from memreason.evaluation.results import EvaluationResult, RunResult
from memreason.evaluation.training_account import TrainingAccount
from memreason.models.manifest import Manifest
from memreason.records import Question, Solution, Step, Trace, Verdict
from memreason.runtime.files import write_json
from memreason.tasks.atlas import judge
from memreason.tasks.base import TaskData

ATLAS = DataConfig("atlas", num_train=100, num_validation=10, num_test=12, num_countries=30)
KENYA = Question("atlas-test-currency-000000", "Is it true that Kenya uses the rupee?", "False", (), "atlas", "test")


def trace(question: Question, answer: str | None, *steps: tuple[str, str], truncated: bool = False) -> Trace:
    text = LAYOUT.solution_text(tuple(Step(*step) for step in steps), answer or "")
    return LAYOUT.parse(question, text if answer else text.rpartition("\n")[0], truncated)


RUPEE = trace(
    KENYA, "True", ("memory", "The currency of Kenya is the rupee."),
    ("reason", "The rupee is what is stated, so the statement is true."),
)  # fmt: skip
SHILLING = trace(
    KENYA, "False", ("memory", "The currency of Kenya is the shilling."),
    ("reason", "The shilling is not the rupee, so the statement is false."),
)  # fmt: skip


def gold(task: TaskData, split: str = "test_seen") -> list[Trace]:
    """The labelled solutions of a split as traces."""
    return [
        trace(s.question, s.question.answer, *((step.type, step.text) for step in s.steps)) for s in task.splits[split]
    ]


def evaluated(folder: Path, traces: Sequence[Trace], judged: bool = True) -> EvaluationResult:
    """Write the evaluation of these traces into ``folder``."""
    verdicts: list[Verdict] = judge_traces(traces, "mixed", judge if judged else None)
    solutions = [Solution(each.question, each.steps) for each in traces]
    splits = [each.question.split for each in traces]
    result = EvaluationResult(*write_traces(folder, verdicts, solutions, splits, LAYOUT), "float32")
    write_result(folder, result)
    return result


def make_run(
    folder: Path,
    after: Sequence[Trace],
    before: Sequence[Trace] = (),
    epochs: Sequence[Sequence[Trace]] = (),
    data: DataConfig = ATLAS,
) -> Path:
    """Write a finished run that answered ``after``: config, manifest, tokenizer, traces and metrics, but no weights."""
    judged = data.dataset == "atlas"
    folder.mkdir(parents=True)
    write_config(folder, RunConfig(ModelConfig(model_name_or_path="/somewhere/models/base"), data=data))
    names = {name: 400 + place for place, name in enumerate(LAYOUT.names)}
    Manifest("/somewhere/models/base", "", "0" * 16, "float32", "lora", LAYOUT, names, 450, 128).write(folder)
    make_tokenizer(False).save_pretrained(folder)
    for number, traces in enumerate(epochs, 1):
        evaluated(folder / "epochs" / f"epoch-{number}", traces, judged)
    log = [{"epoch": number - part, "loss": number + part} for number in range(1, len(epochs) + 1) for part in (0.5, 0)]
    write_json(folder / "trainer_state.json", {"log_history": log})
    was = evaluated(folder / "before", before, judged) if before else None
    now = evaluated(folder / "evaluation", after, judged)
    write_result(folder, RunResult(was, now, None, TrainingAccount(100, 4000)))
    return folder
