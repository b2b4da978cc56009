"""Model units that are trained a little."""

from pathlib import Path

import torch
from helpers.tiny import SOLUTIONS

from memreason.config.model import ModelConfig
from memreason.models.unit import ModelUnit
from memreason.training.collation import collate
from memreason.training.encoding import encode_solutions


def config(base: Path, mode: str = "lora+prompt-tuning", **options) -> ModelConfig:
    return ModelConfig(
        model_name_or_path=str(base),
        parameter_efficient_mode=mode,
        num_general_prefix_tokens=1,
        num_special_prefix_tokens=2,
        dtype=options.pop("dtype", "float32"),
        **options,
    )


def train_a_little(unit: ModelUnit, steps: int = 3) -> None:
    """A few real optimizer steps on the four solutions."""
    examples, _ = encode_solutions(SOLUTIONS, unit.layout, unit.tokenizer, 256)
    batch = collate(examples, unit.tokenizer.pad_token_id)
    optimizer = torch.optim.AdamW([p for p in unit.model.parameters() if p.requires_grad], lr=1e-2)
    unit.model.train()
    for _ in range(steps):
        unit.model(**batch).loss.backward()
        optimizer.step()
        optimizer.zero_grad()
    unit.model.eval()


@torch.no_grad()
def logits(model: torch.nn.Module, unit: ModelUnit) -> torch.Tensor:
    """Logits over a text with planning tokens in it, for the ids that every side knows."""
    ids = unit.layout.encode(unit.tokenizer, SOLUTIONS[1]).ids
    return model(input_ids=torch.tensor([ids])).logits.float()
