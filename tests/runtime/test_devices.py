"""One place decides where models compute, and transformers' Trainer does as it says."""

from collections.abc import Callable

import pytest
import torch

from memreason.errors import UserError
from memreason.runtime.devices import choose_device
from memreason.training.config import TrainingConfig

Present = Callable[..., None]


@pytest.fixture
def present(monkeypatch: pytest.MonkeyPatch) -> Present:
    """Say which devices there are beside the CPU."""

    def say(*names: str) -> None:
        for name, module in {"cuda": torch.cuda, "mps": torch.backends.mps, "xpu": torch.xpu}.items():
            monkeypatch.setattr(module, "is_available", lambda name=name: name in names)

    return say


def test_auto_is_a_gpu_that_was_thought_of_or_the_cpu(present: Present, monkeypatch: pytest.MonkeyPatch) -> None:
    for there, chosen in {(): "cpu", ("cuda",): "cuda", ("mps",): "cpu", ("xpu",): "cpu"}.items():
        present(*there)
        assert choose_device().type == choose_device("auto").type == chosen
    present("cuda")
    monkeypatch.setenv("ACCELERATE_USE_CPU", "true")  # what `accelerate launch --cpu` says
    assert choose_device().type == "cpu"


def test_what_is_asked_for_and_there_is_taken(present: Present) -> None:
    for name in ("cuda", "mps", "xpu", "cpu"):
        present(name)
        assert choose_device(name).type == name


def test_what_is_not_there_is_an_error_that_says_what_is(present: Present) -> None:
    present()
    for name in ("cuda", "mps", "xpu"):
        with pytest.raises(UserError, match=f"--device {name}: there is none .*here, only cpu$"):
            choose_device(name)
    with pytest.raises(UserError, match="must be one of auto, cpu, cuda, mps, xpu"):
        choose_device("gpu")


@pytest.mark.parametrize("gpu", ["cuda", "mps", "xpu"])
def test_the_trainer_stays_on_the_cpu_where_we_do(present: Present, gpu: str) -> None:
    present(gpu)
    args = TrainingConfig(output_dir="run", on_device="cpu")
    assert args.device.type == "cpu" and args.n_gpu == 0
    if gpu != "cuda":
        assert TrainingConfig(output_dir="run").device.type == "cpu"  # transformers would take it


def test_training_on_what_is_not_there_or_on_two_things_is_an_error(present: Present) -> None:
    present()
    with pytest.raises(UserError, match="--device mps: there is none"):
        TrainingConfig(output_dir="run", on_device="mps")
    with pytest.raises(UserError, match="--use_cpu with --device cuda"):
        TrainingConfig(output_dir="run", on_device="cuda", use_cpu=True)
