"""Telling base models apart by their weights."""

from __future__ import annotations

import hashlib

import torch
from transformers import (
    PreTrainedModel,
)


def fingerprint_of(model: PreTrainedModel) -> str:
    """A digest that tells base models apart: parameter shapes, and some embeddings in bf16.

    Computed before any resize, and the same for a model loaded in float32 as in bfloat16.
    """
    digest = hashlib.sha256()
    for name, parameter in model.named_parameters():
        digest.update(f"{name}{tuple(parameter.shape)}".encode())
    sample = model.get_input_embeddings().weight.detach()[:: max(1, model.config.get_text_config().vocab_size // 64)]
    last = [p for p in model.parameters() if p.dim() == 1 or p.dim() == 2][-1].detach().flatten()[:4096]
    for values in (sample, last):
        digest.update(values.to("cpu", torch.bfloat16).view(torch.int16).numpy().tobytes())
    return digest.hexdigest()[:16]
