"""The folder of a run: its frozen config, and whether the run is new, unfinished or finished."""

from __future__ import annotations

import errno
import reprlib
from contextlib import suppress
from dataclasses import asdict, fields, replace
from pathlib import Path
from typing import Any

from memreason.config.ablations import AblationConfig
from memreason.config.data import DataConfig
from memreason.config.model import ModelConfig
from memreason.config.run import CONFIG, MainArguments, RunConfig, read_config, read_options, write_config
from memreason.errors import UserError
from memreason.evaluation.files import EXPLANATION, EXPLANATION_FILES
from memreason.models.base import absolute
from memreason.models.manifest import MANIFEST, read_manifest
from memreason.training.checkpoints import (
    ADAPTER_FILES,
    MODEL_FILES,
    STATE,
    checkpoints_of,
    remove,
    remove_checkpoint,
    remove_evaluation,
    remove_if_empty,
)
from memreason.training.config import HOW_TO_START, TrainingConfig

BASE = "model_name_or_path"
FINISHED = "metrics.json"
"""Written last: a run whose folder has this file is finished."""
_OF_A_RUN = (FINISHED, MANIFEST, STATE, "adapter_*", "model*.safetensors*",
             "checkpoint-*", "epochs", "evaluation*", "config.json", "tokenizer*")  # fmt: skip
"""Files that, in a folder without a config, may be the work of somebody else."""
LOGS = "logs"
"""The folder in a run's folder for what trackers (`--report_to`) write."""
TRACKER_RUNS = "tracker_runs.json"
"""The file in `LOGS` with the id of the run in each tracker: a resumed run goes on there."""
_LOG_FILES = ("events.out.tfevents.*", "wandb", TRACKER_RUNS)
_ALWAYS = ("dataset", "k_shot", "lora_r")
"""Options that are in every config of memreason; configs of other programs hardly have all three."""
_SHORT = reprlib.Repr()
_SHORT.maxstring = _SHORT.maxother = 300
"""For messages: a few lines of YAML, each a list that repeats the line before, can make a value of gigabytes."""
_NOT_FROZEN = {*HOW_TO_START, "output_dir", "on_device", "use_cpu", "dataloader_pin_memory"}
"""Options that a resumed run may change: they name its folder or device, or say how to start it."""


def frozen_config(
    model: ModelConfig, data: DataConfig, training: TrainingConfig, ablations: AblationConfig
) -> RunConfig:
    """The config to freeze: all options of memreason, and every other training argument that is not at its default.

    Secrets are left out. Paths that exist are made absolute, so that the checkpoint can be evaluated from any folder.
    """
    # On the same device: transformers keeps one device for all TrainingArguments, that of the last ones created.
    defaults = TrainingConfig(output_dir=training.output_dir, use_cpu=training.use_cpu, on_device=training.on_device)
    at_default, values = defaults.to_dict(), training.to_dict()
    main = {field.name: values[field.name] for field in fields(MainArguments)}
    others = {
        key: value
        for key, value in values.items()
        if at_default.get(key) != value and key not in {*_NOT_FROZEN, *main} and not key.endswith("_token")
    }
    model = replace(
        model,
        model_name_or_path=absolute(model.model_name_or_path),
        base_model_name_or_path=None,
        step_types_path=str(Path(model.step_types_path).resolve()) if model.step_types_path else model.step_types_path,
    )
    if data.data_path and Path(data.data_path).exists():
        data = replace(data, data_path=str(Path(data.data_path).resolve()))
    return RunConfig(model, ablations, data, MainArguments(**main), others)


def _options_of_run(folder: Path) -> dict[str, Any]:
    """The options in the config of ``folder``. Raises UserError where memreason did not write it: then no file in the
    folder is known to be memreason's."""
    options = read_options(folder)
    if missing := [name for name in _ALWAYS if name not in options]:
        raise UserError(
            f"{folder / CONFIG} is not the config of a run of memreason: it has no {missing[0]}; give another "
            "--output_dir (nothing was changed in this one)"
        )
    return options


def check_run(folder: Path, config: RunConfig, resume: bool, overwrite: bool) -> bool:
    """Whether there is a run in ``folder`` to continue. Writes nothing.

    A run can continue on any device; with `--dtype auto` it keeps its own data type (`begun_dtype`). With ``resume``
    and an empty folder (for example of a run that was killed before it began), the answer is no. Raises UserError where
    the folder holds a run and neither ``resume`` nor ``overwrite`` is given, where the run to resume was started with
    other options, and where memreason did not write the config.
    """
    if folder.exists() and not folder.is_dir():
        raise UserError(f"--output_dir {folder} is a file; give a folder")
    if not (folder / CONFIG).exists():
        others = sorted(path.name for pattern in _OF_A_RUN for path in folder.glob(pattern))
        if others:
            raise UserError(f"--output_dir {folder} holds {', '.join(others)}, but no run; give an empty folder")
        return False
    options = _options_of_run(folder)
    was = read_config(folder, options)
    if resume:
        # A training argument that is missing is damage, and no option that was added later: it has no default.
        missing = asdict(was.training).keys() - options.keys()
        begun, now = was.options() | dict.fromkeys(missing), config.options()
        changed = [
            key
            for key in {**begun, **now}
            if begun.get(key) != now.get(key)
            and key not in {*_NOT_FROZEN, BASE}
            and (key, now.get(key)) != ("dtype", "auto")
        ]
        if not (folder / FINISHED).exists():
            _check_base(folder, was.model.model_name_or_path, config.model.model_name_or_path)
        if changed:
            pairs = ", ".join(
                f"{key} was {_SHORT.repr(begun.get(key))} and is {_SHORT.repr(now.get(key))}" for key in changed
            )
            raise UserError(f"--resume: the run in {folder} was begun with other options: {pairs}")
        return True
    if not overwrite:
        raise UserError(
            f"{folder} already holds a run: continue it with --resume, start it anew with "
            "--overwrite_output_dir, or give another --output_dir"
        )
    return False


def _check_base(folder: Path, was: str, now: str) -> None:
    """Raise UserError where the run's base model is gone and no other place is given. Another place is accepted here;
    later, `check_same_base` compares the weights."""
    gone = Path(was).is_absolute() and not Path(was).is_dir()
    if gone and (now == was or str(Path(now).resolve()) == was):
        raise UserError(
            f"--resume: the run in {folder} was begun with the base model in {was}, which is not there any more; if it "
            "lies elsewhere now, say where with --model_name_or_path (it must have the same weights)"
        )


def check_same_base(folder: Path, checkpoint: Path | None, base: str, fingerprint: str) -> None:
    """Raise UserError where the run in ``folder``, which continues from ``checkpoint``, was started with other weights
    than those of ``base``, or where this cannot be known."""
    was = read_config(folder).model.model_name_or_path
    if checkpoint is None and base != was:
        raise UserError(
            f"--resume: the run in {folder} was begun with --model_name_or_path {was}, and has no checkpoint yet to "
            f"compare {base} with; start it anew with --overwrite_output_dir"
        )
    if checkpoint is not None and read_manifest(checkpoint).base_fingerprint != fingerprint:
        raise UserError(
            f"--resume: the run in {folder} was begun with the base model {was}, and {base} has other weights; give "
            "the right one with --model_name_or_path"
        )


def begun_dtype(folder: Path) -> str:
    """The data type in which the run in ``folder`` was started; `auto` if no file there says it."""
    for checkpoint in checkpoints_of(folder):  # for runs of older versions, whose config may say `auto`
        with suppress(UserError):  # the checkpoint is incomplete or damaged
            return read_manifest(checkpoint).dtype
    return read_config(folder).model.dtype


def begin_run(folder: Path, config: RunConfig) -> None:
    """Remove the run that is in ``folder``, if any, and write ``config`` there.

    Only files of names that a run writes are removed; all others stay.
    """
    if (folder / CONFIG).exists():
        whole = _options_of_run(folder).get("parameter_efficient_mode") == "none"
        for checkpoint in checkpoints_of(folder):
            remove_checkpoint(checkpoint)
        before = config.data.k_shot and not config.ablations.use_demonstrations  # then it was just written
        for pattern in ("epochs/epoch-*", "evaluation", "evaluation-*", *(() if before else ("before",))):
            for evaluation in folder.glob(pattern):
                remove_evaluation(evaluation)
        remove(folder / LOGS, _LOG_FILES)
        remove(folder / EXPLANATION, EXPLANATION_FILES)
        for emptied in ("epochs", LOGS, EXPLANATION):
            remove_if_empty(folder / emptied)
        written = (FINISHED, MANIFEST, STATE, *ADAPTER_FILES, *(MODEL_FILES if whole else ()), ".saving.*", CONFIG)
        remove(folder, written)
    try:
        write_config(folder, config)
    except OSError as error:
        if error.errno not in (errno.EACCES, errno.EPERM, errno.EROFS, errno.ENOTDIR):
            raise
        raise UserError(
            f"--output_dir {folder}: cannot be written to ({error.strerror}); give another folder, or make it writable"
        ) from error
