"""A model + a dataset → traces, verdicts and metrics on disk: in the training loop, and by `memreason evaluate`."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace
from itertools import chain, repeat
from pathlib import Path
from typing import NamedTuple

from memreason.config.ablations import AblationConfig
from memreason.config.checks import bits_to_load
from memreason.config.commands import EvaluateConfig
from memreason.config.data import DataConfig
from memreason.config.model import ModelConfig
from memreason.config.run import read_config
from memreason.errors import UserError
from memreason.evaluation.files import EVALUATION, check_folder, write_result, write_traces
from memreason.evaluation.judge import judge_trace
from memreason.evaluation.results import EvaluationResult
from memreason.generation.answer import answer_each
from memreason.generation.decoding import Decoding
from memreason.generation.few_shot import demonstrations_of, draw_shots, few_shot_text
from memreason.generation.options import GenerationOptions
from memreason.models.base_checks import check_texts
from memreason.models.load import load, load_base
from memreason.models.manifest import is_checkpoint
from memreason.models.unit import ModelUnit
from memreason.records import Question, Solution, Trace, Verdict
from memreason.runtime import distributed
from memreason.runtime.allocator import keep_freed_memory
from memreason.runtime.devices import choose_device
from memreason.runtime.disk_list import DiskList
from memreason.tasks.base import TaskData
from memreason.tasks.load import draw, load_data
from memreason.tasks.registry import ALIASES, check_name, task_of

BASE_BATCH_SIZE, BASE_MAX_LENGTH = 64, 512


class Evaluated(NamedTuple):
    """What `evaluate` returns: the result, the verdicts, and the folder that they were written to."""

    result: EvaluationResult
    verdicts: Sequence[Verdict]
    folder: Path


def evaluate_splits(
    unit: ModelUnit,
    task: TaskData,
    names: Sequence[str],
    folder: Path,
    options: GenerationOptions,
    progress: bool = True,
) -> tuple[EvaluationResult, Sequence[Verdict]]:
    """Evaluate the splits ``names``, and write their traces and metrics together into ``folder``.

    Where there are several processes, each answers a part of the questions. Returns (result, verdicts). Raises
    UserError where there are no questions.
    """
    title = f"  answering {', '.join(names)}" if progress and distributed.is_main() else None

    def answer(questions: DiskList[Question], on_result: distributed.OnResult[Verdict]) -> None:
        def judge(place: int, trace: Trace) -> None:
            on_result(place, judge_trace(trace, task.answer_kind, task.judge))

        answer_each(unit, questions, judge, options, title, task.answer_kind)

    questions = DiskList(solution.question for solution in _solutions(task, names))
    verdicts = distributed.share(questions, answer, size=lambda question: len(question.text))
    split_of = chain.from_iterable(repeat(name, len(task.splits[name])) for name in names)
    overall, splits = write_traces(folder, verdicts, _solutions(task, names), split_of, unit.layout)
    result = EvaluationResult(overall, splits, unit.manifest.dtype)
    write_result(folder, result)
    return result, verdicts


def _solutions(task: TaskData, names: Sequence[str]) -> Iterable[Solution]:
    return chain.from_iterable(task.splits[name] for name in names)


def evaluate(config: EvaluateConfig, progress: bool = True) -> Evaluated:
    """Run `memreason evaluate` on a checkpoint, which holds its data and settings, or on a base model.

    Raises UserError where an option contradicts the checkpoint, or for bad input.
    """
    keep_freed_memory()
    decoding = Decoding(
        temperature=config.temperature, top_p=config.top_p, seed=config.seed, logprobs=config.logprobs,
        constrained=config.constrained,
    )  # fmt: skip
    trained = is_checkpoint(config.model_name_or_path)
    if config.output_dir and distributed.is_main():
        check_folder(Path(config.output_dir))
    data, unit, batch_size, ablations = _checkpoint(config) if trained else _base(config)
    task = load_data(data)
    demonstrations = demonstrations_of(ablations, data, task)
    shots = [] if trained else draw_shots(task, config.k_shot, data.split_seed)
    if config.num_test:  # of atlas too: it is made with the sizes of training, then questions are drawn from it
        splits = {name: draw(solutions, config.num_test, data.split_seed) for name, solutions in task.splits.items()}
        task = replace(task, splits=splits)
    names = [config.split] if config.split else task.test_splits
    for name in names:
        if not task.splits.get(name):
            have = ", ".join(split for split, solutions in task.splits.items() if solutions)
            what = f"--split {name}" if config.split else f"the split {name} has no questions"
            raise UserError(f"{what}: {task.name} has the splits {have}; choose one of them with --split")
    if not names:
        raise UserError(f"{task.name} has no test split; choose one with --split: {', '.join(task.splits)}")
    if not trained:
        check_texts(unit.layout, unit.tokenizer, _solutions(task, list(task.splits)))
    shown = "" if trained else few_shot_text(unit, shots)
    folder = Path(config.output_dir or Path(config.model_name_or_path) / _folder_name(config))
    options = GenerationOptions(
        batch_size, shown, demonstrations, data.use_calculator, data.generation_backend, decoding
    )
    result, verdicts = evaluate_splits(unit, task, names, folder, options, progress)
    return Evaluated(result, verdicts, folder)


def _folder_name(config: EvaluateConfig) -> str:
    """`evaluation`, the folder that training wrote, if no option changes the evaluation; otherwise a name that tells
    the options."""
    path = Path(config.data_path).stem if config.data_path else None
    calculator = {True: "calculator", False: "no-calculator", None: None}[config.use_calculator]
    sampled = (
        f"temperature-{config.temperature}-top_p-{config.top_p}-seed-{config.seed}" if config.temperature else None
    )
    options = (config.dataset, path, config.split, config.num_test, config.model_max_length, config.dtype, calculator,
               config.generation_backend, "constrained" if config.constrained else None, sampled)  # fmt: skip
    return "-".join([EVALUATION, *(str(value) for value in options if value is not None)])


def _checkpoint(config: EvaluateConfig) -> tuple[DataConfig, ModelUnit, int, AblationConfig]:
    """The data options, the unit, the batch size and the ablations for a trained checkpoint."""
    folder = Path(config.model_name_or_path)
    frozen = read_config(folder)
    options = frozen.options()
    for flag in (*ModelConfig.checked_flags, *AblationConfig.checked_flags):
        value = getattr(config, flag)
        if value is not None and value != options[flag]:
            raise UserError(
                f"--{flag} {value}: the checkpoint was trained with {options[flag]}; leave the flag out, the "
                "checkpoint holds the value"
            )
    if config.k_shot:
        raise UserError("--k_shot is for base models; a trained checkpoint gets its prompts as in training")
    data = frozen.data
    known = ALIASES.get(data.dataset, data.dataset)
    if config.dataset and ALIASES.get(config.dataset, config.dataset) != known:
        data = replace(data, dataset=config.dataset, data_path=None, num_train=None, num_countries=None)
    elif config.split_seed is not None and config.split_seed != data.split_seed:
        raise UserError(
            f"--split_seed {config.split_seed}: the checkpoint was trained with {data.split_seed}; with another "
            "one, questions that it was trained on would be among the test questions"
        )
    given = ["data_path", "split_seed", "model_max_length", "use_calculator", "generation_backend"]
    check_name(data.dataset)
    if not ((task := task_of(data.dataset)) and task.made_to_size):
        given.append("num_test")
    data = replace(data, **{name: value for name in given if (value := getattr(config, name)) is not None})
    device = choose_device(config.device)
    bits = bits_to_load(config.load_in_8bit, config.load_in_4bit)
    unit = load(folder, config.base_model_name_or_path, config.dtype, bits, config.model_max_length, device)
    batch_size = config.per_device_eval_batch_size or frozen.training.per_device_eval_batch_size
    return data, unit, batch_size, frozen.ablations


def _base(config: EvaluateConfig) -> tuple[DataConfig, ModelUnit, int, AblationConfig]:
    """The data options, the unit, the batch size and the ablations for a base model."""
    name = config.model_name_or_path
    if not config.dataset:
        what = "has no memreason.json in it" if Path(name).is_dir() else "is no folder here"
        raise UserError(
            f"{name} {what}, so it is not a checkpoint of memreason. If you mean a base model, say on which "
            "--dataset to evaluate it"
        )
    if config.output_dir is None:
        raise UserError(f"--output_dir is missing: {name} is a base model; give a folder for its traces and metrics")
    data = DataConfig(
        dataset=config.dataset,
        data_path=config.data_path,
        num_train=config.num_train,
        num_validation=config.num_validation,
        num_countries=config.num_countries,
        num_test=config.num_test,
        split_seed=config.split_seed or 0,
        model_max_length=config.model_max_length or BASE_MAX_LENGTH,
        use_calculator=bool(config.use_calculator),
        generation_backend=config.generation_backend or "auto",
    )
    bits = bits_to_load(config.load_in_8bit, config.load_in_4bit)
    unit = load_base(name, config.dtype or "auto", data.model_max_length, bits, choose_device(config.device))
    return data, unit, config.per_device_eval_batch_size or BASE_BATCH_SIZE, AblationConfig()
