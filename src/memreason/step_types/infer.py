"""Gives the steps of the training solutions their inferred types, and the model what it must know of those types."""

from __future__ import annotations

import shlex
from dataclasses import replace
from pathlib import Path

import torch
from rich.console import Console

from memreason.config.data import DataConfig
from memreason.config.model import LABELLED, InferredTypes, ModelConfig
from memreason.errors import UserError
from memreason.models.manifest import Manifest, read_manifest
from memreason.records import PLAIN
from memreason.runtime.reading import reading
from memreason.runtime.terminal import show
from memreason.step_types.controls import CONTROLS, LABELS, shuffled, unshuffled
from memreason.step_types.corpus import Corpus
from memreason.step_types.describe import Use, telling_words
from memreason.step_types.embeddings import embed_steps
from memreason.step_types.methods import find_method, fit_types
from memreason.step_types.store import RECORD, Fit, default_folder, load
from memreason.tasks.base import TaskData

WORDS_FOR_A_ROW = 3
"""How many describing words a new token's row starts from."""
_BATCH = 8


def with_inferred_types(
    config: ModelConfig,
    data: DataConfig,
    task: TaskData,
    seed: int,
    console: Console,
    progress: bool = True,
    device: torch.device | None = None,
) -> tuple[TaskData, InferredTypes | None]:
    """(``task`` with the types that ``config`` asks for on its training steps, those types).

    If no types are to be inferred: (``task`` unchanged, None). Types come from the folder `--step_types_path`, or from
    the folder where `step-types fit` puts them; if there is none, a method that needs no embeddings is fitted here.
    Raises UserError if a fit is needed and missing, if it is of another method or number of types, or if it was made
    with other weights.
    """
    method = config.extract_step_type_tokens
    inner, is_shuffled = unshuffled(method)
    if config.step_types_path and inner in (*LABELLED, LABELS, *CONTROLS):
        raise UserError(f"--step_types_path: --extract_step_type_tokens {method} reads no fitted types; leave it out")
    if method in LABELLED:
        return task, None
    train = task.splits["train"]
    if inner == LABELS:
        corpus = Corpus(train)
        types = shuffled(_labels(corpus, task), seed)
        names = sorted(set(types))
        record = {"method": method, "names": names, "dataset": task.name, "seed": seed}
        inferred = InferredTypes({name: name for name in names}, record)
    else:
        fit, corpus = _fit_and_corpus(inner, config, data, task, seed, progress, device)
        with reading(f"the fitted types of {inner} do not fit the steps", "fit them again"):
            types = [fit.types.names[i] for i in fit.types.assign(corpus)]
        record = fit.record
        if is_shuffled:
            types, record = shuffled(types, seed), {**record, "method": method, "shuffle_seed": seed}
        inferred = InferredTypes(describing_words(fit), record)
    relabelled = {solution.question.id: solution for solution in corpus.relabelled(types)}
    # A solution that was too long to embed has no types, and is left out. One without steps stays: it is counted later.
    solutions = [relabelled.get(s.question.id, s) for s in train if s.question.id in relabelled or not s.steps]
    if len(solutions) < len(train):
        show(
            console,
            f"left out of training: {len(train) - len(solutions)} solutions that were too long to embed "
            f"(--model_max_length {data.model_max_length})",
        )
    counts = {name: types.count(name) for name in inferred.words}
    use = Use.of(list(counts.values()))
    listed = ", ".join(f"{count} {name}" for name, count in counts.items())
    show(
        console,
        f"step types by {method}: {listed} (entropy {100 * use.entropy:.0f}% of the maximum)",
    )
    return replace(task, splits={**task.splits, "train": solutions}), inferred


def _labels(corpus: Corpus, task: TaskData) -> list[str]:
    types = [step.type for step in corpus.steps]
    if not types or PLAIN in types:
        raise UserError(
            f"--extract_step_type_tokens shuffled permutes the labels of the data, but the steps of {task.name} have "
            "none; permute inferred types instead, for example with shuffled:+-*/"
        )
    return types


def _fit_and_corpus(
    method: str,
    config: ModelConfig,
    data: DataConfig,
    task: TaskData,
    seed: int,
    progress: bool,
    device: torch.device | None,
) -> tuple[Fit, Corpus]:
    """(the fit that gives the types, the training steps in the form that it reads)."""
    corpus = Corpus([solution for solution in task.splits["train"] if solution.steps])
    if method in CONTROLS:
        control = CONTROLS[method](config.num_plan_types, seed)
        return Fit(method, control, None, task.name, seed, {}), corpus
    default = default_folder(task.name, method, config.num_plan_types, config.model_name_or_path)
    folder = Path(config.step_types_path or default)
    if config.step_types_path or (folder / RECORD).is_file():
        fit = load(folder)
        _check(fit, method, config, folder)
        if fit.source:
            corpus, _ = embed_steps(corpus.solutions, fit.source, data.model_max_length, _BATCH, progress, device)
        return fit, corpus
    if find_method(method).reads_embeddings:
        raise UserError(
            f"--extract_step_type_tokens {method} needs types that were fitted before, and there are none in {folder}; "
            f"fit them with:\n  {_command(method, config, data)}\nor name their folder with --step_types_path"
        )
    types = fit_types(method, corpus, config.num_plan_types, seed)
    words = telling_words(corpus.texts, types.assign(corpus), types.names)
    return Fit(method, types, None, task.name, seed, words), corpus


def _check(fit: Fit, method: str, config: ModelConfig, folder: Path) -> None:
    if fit.method != method:
        raise UserError(f"--extract_step_type_tokens {method}: {folder} holds types that {fit.method} inferred")
    if not find_method(method).fixed_types and len(fit.types.names) != config.num_plan_types:
        raise UserError(
            f"--num_plan_types {config.num_plan_types}: {folder} holds {len(fit.types.names)} types; give this number, "
            "or another --step_types_path"
        )


def _command(method: str, config: ModelConfig, data: DataConfig) -> str:
    """The command that fits the missing types, on the same training questions."""
    same = ("data_path", "num_train", "num_validation", "num_test", "split_seed", "num_countries", "model_max_length")
    options: dict[str, object] = {"dataset": data.dataset}
    options |= {name: getattr(data, name) for name in same if getattr(data, name) != getattr(DataConfig, name)}
    options |= {"model_name_or_path": config.model_name_or_path, "selection_method": method}
    options["num_types"] = config.num_plan_types
    return "memreason step-types fit " + shlex.join(
        str(part) for name, value in options.items() for part in (f"--{name}", value)
    )


def describing_words(fit: Fit) -> dict[str, str]:
    """Type → the words whose embeddings the rows of its tokens start from.

    The type's name if that is a word, else the words that tell its steps from the others, else its number. In this way
    the types of one method start from different rows.
    """
    if fit.types.names_are_words:  # `models.token_embeddings` has words for the operators
        return {name: name for name in fit.types.names}
    return {
        name: " ".join(fit.words.get(name, [])[:WORDS_FOR_A_ROW]) or name.rpartition("_")[2] for name in fit.types.names
    }


def check_same_types(checkpoint: Path, manifest: Manifest) -> None:
    """Raise UserError if the checkpoint to go on from was trained with other types than ``manifest`` names."""
    if read_manifest(checkpoint).step_type_record != manifest.step_type_record:
        raise UserError(
            f"--resume: the run in {checkpoint.parent} was begun with other step types; they have been fitted again "
            "since, so start the run again as well, with --overwrite_output_dir"
        )
