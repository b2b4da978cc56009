"""Kinds of file in fits, runs and checkpoints, on a tiny model."""

import contextlib
import functools
import io
import shutil
import sys
import tempfile
from dataclasses import replace
from pathlib import Path
from typing import Any

import torch
from fuzz.mutate import as_bytes, as_json, as_jsonl, as_safetensors, as_yaml
from helpers.tiny import SOLUTIONS, make_base
from rich.console import Console

from memreason.cli.commands.step_types import print_fit
from memreason.config.ablations import AblationConfig
from memreason.config.data import DataConfig
from memreason.config.model import ModelConfig
from memreason.config.run import RunConfig, read_config, write_config
from memreason.models.build import build
from memreason.models.load import load
from memreason.records import MEMORY, REASON
from memreason.step_types.config import StepTypesConfig
from memreason.step_types.describe import describe_fit
from memreason.step_types.fit import fit
from memreason.step_types.store import load as load_fit
from memreason.tasks.jsonl import export_jsonl
from memreason.training.config import TrainingConfig
from memreason.training.run_folder import check_run, frozen_config
from memreason.training.train import train

CPU = torch.device("cpu")
CHECKPOINT = "checkpoint-2"


@functools.cache
def template(what: str) -> Path:
    """A folder with a valid base model, checkpoint, fit or run, made once a process."""
    folder = Path(tempfile.mkdtemp(prefix="memreason-fuzz-"))
    torch.set_num_threads(1)
    if what == "base":
        return make_base(folder, "tied")
    base = str(template("base"))
    config = _config(base)
    if what == "checkpoint":
        build(config, 128, device=CPU).save(folder / "checkpoint")
        return folder / "checkpoint"
    if what == "fit":
        export_jsonl(SOLUTIONS * 4, folder / "train.jsonl")
        data = DataConfig(dataset="jsonl", data_path=str(folder / "train.jsonl"), model_max_length=128)
        options = StepTypesConfig("k-means", 2, base, dtype="float32", device="cpu", output_dir=str(folder / "fit"))
        return fit(options, data, _nowhere(), progress=False)
    data = DataConfig(dataset="jsonl", data_path=base, model_max_length=128)
    write_config(folder, _frozen(config, data, folder))
    return folder


def _config(base: str) -> ModelConfig:
    tokens = {"num_general_prefix_tokens": 1, "num_special_prefix_tokens": 2}
    return ModelConfig(model_name_or_path=base, dtype="float32", **tokens)


def _frozen(config: ModelConfig, data: DataConfig, folder: Path) -> RunConfig:
    return frozen_config(config, data, TrainingConfig(output_dir=str(folder), use_cpu=True), AblationConfig())


def _nowhere() -> Console:
    return Console(file=io.StringIO(), width=100)


def copy_of(what: str) -> Any:
    return lambda folder: shutil.copytree(template(what), folder, dirs_exist_ok=True) and None


def read_checkpoint(folder: Path) -> Any:
    return load(folder, device=CPU)


def odd_unit(unit: Any) -> str:
    layout = unit.manifest.planning_tokens
    numbers = (layout.num_general_prefix_tokens, layout.num_special_prefix_tokens)
    if layout.step_types != (MEMORY, REASON) or numbers != (1, 2):
        return f"the planning tokens {layout}"
    if not all(weight.isfinite().all() for weight in unit.model.parameters() if weight.is_floating_point()):
        return "weights that are not finite"
    return ""


@functools.cache
def _options() -> dict[str, Any]:
    """The options of the run that `stopped` begins."""
    folder = Path(tempfile.mkdtemp(prefix="memreason-fuzz-"))
    for split in ("train", "validation", "test"):
        asked = [
            replace(s.question, id=f"{split}-{s.question.id}", text=f"{split}: {s.question.text}") for s in SOLUTIONS
        ]
        solutions = (replace(s, question=question) for s, question in zip(SOLUTIONS, asked, strict=True))
        export_jsonl(solutions, folder / f"{split}.jsonl")
    return {"data_path": str(folder)}


def go_on(run: Path, resume: bool = True) -> Any:
    """Train, or go on training, for two short epochs."""
    data = DataConfig(dataset="jsonl", model_max_length=96, **_options())
    training = TrainingConfig(
        output_dir=str(run), num_train_epochs=2, per_device_train_batch_size=2, gradient_accumulation_steps=1,
        disable_tqdm=True, use_cpu=True, resume=resume, learning_rate=1e-2,
    )  # fmt: skip
    with contextlib.redirect_stdout(io.StringIO()), contextlib.redirect_stderr(io.StringIO()):
        return train(_config(str(template("base"))), data, training)


def stopped(folder: Path) -> None:
    """A run that was interrupted in the evaluation at its second epoch's end."""
    module = sys.modules["memreason.training.train"]
    whole = module.evaluate_splits

    def interrupted(unit: Any, task: Any, names: Any, at: Path, *rest: Any) -> Any:
        if at.name == "epoch-2":
            raise KeyboardInterrupt
        return whole(unit, task, names, at, *rest)

    module.evaluate_splits = interrupted
    try:
        with contextlib.suppress(KeyboardInterrupt):
            go_on(folder / "run", resume=False)
    finally:
        module.evaluate_splits = whole
    (checkpoint,) = (folder / "run").glob("checkpoint-*")
    checkpoint.rename(folder / "run" / CHECKPOINT)
    shutil.move(folder / "run", folder / "kept")
    shutil.copytree(folder / "kept" / CHECKPOINT, folder / "damaged")


def read_stopped(folder: Path) -> Any:
    run = folder / "run"
    shutil.rmtree(run, ignore_errors=True)
    shutil.copytree(folder / "kept", run)
    shutil.rmtree(run / CHECKPOINT)
    shutil.copytree(folder / "damaged", run / CHECKPOINT)
    return go_on(run)


def of_stopped(file: str, form: Any) -> dict[str, Any]:
    return dict(make=stopped, file=f"damaged/{file}", form=form, read=read_stopped, share=0.01, place="checkpoint-")


def read_fit(folder: Path) -> Any:
    print_fit(_nowhere(), describe_fit(folder))
    return load_fit(folder)


def read_run(folder: Path) -> Any:
    found = read_config(folder)
    base = str(template("base"))
    data = DataConfig(dataset="jsonl", data_path=base, model_max_length=128)
    check_run(folder, _frozen(_config(base), data, folder), resume=True, overwrite=False)
    return found


def of_checkpoint(file: str, form: Any) -> dict[str, Any]:
    return dict(make=copy_of("checkpoint"), file=file, form=form, read=read_checkpoint, nonsense=odd_unit, share=0.1)


def of_fit(file: str, form: Any) -> dict[str, Any]:
    return dict(make=copy_of("fit"), file=file, form=form, read=read_fit, share=0.3, place="step")


KINDS: dict[str, dict[str, Any]] = {
    "step types": of_fit("step_types.json", as_json),
    "step types' tensors": of_fit("step_types.safetensors", as_safetensors),
    "step types' steps": of_fit("steps.jsonl", as_jsonl),
    "frozen config": dict(make=copy_of("run"), file="config.yaml", form=as_yaml, read=read_run, share=0.3),
    "manifest": of_checkpoint("memreason.json", as_json),
    "adapter config": of_checkpoint("adapter_config.json", as_json),
    "adapter weights": of_checkpoint("adapter_model.safetensors", as_safetensors),
    "tokenizer": of_checkpoint("tokenizer.json", as_json),
    "tokenizer config": of_checkpoint("tokenizer_config.json", as_json),
    "state of a run": of_stopped("trainer_state.json", as_json),
    "state of an optimizer": of_stopped("optimizer.pt", as_bytes),
    "state of random draws": of_stopped("rng_state.pth", as_bytes),
}
