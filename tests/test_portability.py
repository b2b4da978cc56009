"""What only some machines have is taken away: training, evaluation and the rest go on without it."""

import ctypes
import os
import signal
import sys
from collections.abc import Iterator
from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path
from types import SimpleNamespace

import pytest
import torch
from helpers.runs import options

from memreason.benchmark.machine import describe, peak_memory
from memreason.config.commands import EvaluateConfig
from memreason.evaluation.evaluate import evaluate
from memreason.kernels import prepacked_linear
from memreason.label import resume
from memreason.label import solutions_and_rejects as files
from memreason.runtime import allocator, distributed
from memreason.training.train import train


@pytest.fixture
def bare(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[None]:
    """No glibc, no flags of an x86 processor, no oneDNN, no CUDA, no /proc and no control groups, nor Unix's own."""

    def no_library(name: str) -> None:
        raise OSError(f"{name}: no such library")

    def no_file(self: Path, *args: object, **more: object) -> str:
        if str(self).startswith(("/proc", "/sys")):
            raise FileNotFoundError(self)
        return read(self, *args, **more)  # type: ignore[arg-type]

    read = Path.read_text
    with monkeypatch.context() as patch:
        patch.setattr(ctypes, "CDLL", no_library)
        patch.delattr(torch.cpu, "get_capabilities")
        patch.setattr(torch.ops, "mkldnn", SimpleNamespace())
        patch.setattr(torch.backends.mkldnn, "is_available", lambda: False)
        patch.setattr(torch.cuda, "is_available", lambda: False)
        patch.setattr(Path, "read_text", no_file)
        patch.setattr(allocator, "_CONTAINER", tmp_path / "nothing")
        patch.setitem(sys.modules, "resource", None)
        patch.delattr(os, "register_at_fork")
        patch.delattr(os, "sysconf")
        prepacked_linear._works.cache_clear()
        yield
    prepacked_linear._works.cache_clear()


@pytest.mark.usefixtures("bare")
@pytest.mark.parametrize(
    "dtype", [*(pytest.param(name, marks=pytest.mark.slow) for name in ("float32", "bfloat16")), "auto"]
)
def test_a_model_trains_and_is_evaluated(bases: dict[str, Path], data: Path, tmp_path: Path, dtype: str) -> None:
    run = tmp_path / "run"
    result, _ = train(*options(bases["tied"], data, run, dtype=dtype, num_train_epochs=1))
    assert not prepacked_linear._works()
    again, _, _ = evaluate(EvaluateConfig(str(run), output_dir=str(tmp_path / "again")), progress=False)
    assert again == result.after
    assert again.dtype in (("float32", "bfloat16") if dtype == "auto" else (dtype,))


@pytest.mark.usefixtures("bare")
def test_a_machine_describes_itself() -> None:
    machine = describe()
    assert machine["processor"] and machine["memory"] > 1e6
    assert machine["features"] == [] and machine["gpu"] is None
    assert peak_memory()["process"] > 1e6


@pytest.mark.usefixtures("bare")
def test_files_of_labelled_solutions_are_written(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "fcntl", None)  # it cannot be imported
    spec = spec_from_file_location(files.__name__, files.__file__)
    assert spec and spec.loader
    fresh = module_from_spec(spec)
    spec.loader.exec_module(fresh)
    with fresh.RunFiles(tmp_path / "out.jsonl") as out:
        resume.begin(out, {"a": 1}, overwrite=False)
    assert resume.settings_path(out.output).exists()


@pytest.mark.usefixtures("bare")
def test_signals_are_left_alone_where_they_are_not_unixs() -> None:
    before = signal.getsignal(signal.SIGTERM)
    distributed.say_when_ended("ended")
    assert signal.getsignal(signal.SIGTERM) is before
