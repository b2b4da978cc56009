"""Activations computed again instead of kept: the same training, in less memory."""

from pathlib import Path
from types import SimpleNamespace

import pytest
import torch
from helpers.tiny import SOLUTIONS

from memreason.config.model import ModelConfig
from memreason.models.build import build
from memreason.training.config import TrainingConfig, recomputes
from memreason.training.encoding import encode_solutions
from memreason.training.trainer import GenerationTrainer

STEPS = 3


def trained(base: Path, mode: str, folder: Path, **options: object) -> tuple[list[float], list[torch.Tensor], int]:
    """(losses, weights, forward passes of the first layer's MLP) of a few steps, dropout included."""
    torch.manual_seed(0)
    unit = build(ModelConfig(model_name_or_path=str(base), parameter_efficient_mode=mode, dtype="float32"), 96)
    args = TrainingConfig(output_dir=str(folder), max_steps=STEPS, logging_steps=1, learning_rate=1e-2, warmup_steps=0,
                          per_device_train_batch_size=2, gradient_accumulation_steps=1, eval_strategy="no",
                          save_strategy="no", disable_tqdm=True, **options)  # fmt: skip
    examples, _ = encode_solutions(SOLUTIONS, unit.layout, unit.tokenizer, 96)
    passes = []
    layers = next(module for name, module in unit.model.named_modules() if name.endswith("layers"))
    torch.manual_seed(1)
    trainer = GenerationTrainer(unit, args, examples, lambda epoch: {}, lambda folder: None)
    layers[0].mlp.register_forward_pre_hook(lambda *_: passes.append(1))
    trainer.train()
    losses = [entry["loss"] for entry in trainer.state.log_history if "loss" in entry]
    return losses, [p.detach() for p in unit.model.parameters() if p.requires_grad], len(passes)


@pytest.mark.slow
@pytest.mark.parametrize("mode", ["lora+prompt-tuning", "prompt-tuning", "none"])
def test_losses_and_weights_are_the_same(bases: dict[str, Path], mode: str, tmp_path: Path) -> None:
    losses, weights, passes = trained(bases["untied"], mode, tmp_path)
    found, others, more = trained(bases["untied"], mode, tmp_path, activation_checkpointing=True)
    assert (passes, more) == (STEPS, 2 * STEPS)  # it did compute them again
    assert len(losses) == STEPS and found == losses
    assert all(torch.equal(one, other) for one, other in zip(weights, others, strict=True))
    assert trained(bases["untied"], mode, tmp_path, gradient_checkpointing=True)[2] == 2 * STEPS  # its old name


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        ({"activation_checkpointing": True, "gradient_checkpointing": None}, True),
        ({"gradient_checkpointing": True}, True),  # all that older versions of transformers have
        ({"gradient_checkpointing": False}, False),
    ],
)
def test_the_option_is_found_under_both_of_its_names(options: dict[str, object], expected: bool) -> None:
    assert recomputes(SimpleNamespace(**options)) is expected
