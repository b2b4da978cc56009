"""A fingerprint of a base model's weights, by which it is recognised."""

from __future__ import annotations

import hashlib

import torch
from transformers import (
    PreTrainedModel,
)


def fingerprint_of(model: PreTrainedModel) -> str:
    """A digest (16 hex digits) that differs between base models.

    It covers the names and shapes of all parameters, and, in bf16, about 64 rows of the embedding and the start of
    the last parameter with one or two dimensions. Call it before the model is resized. A model loaded in float32 and
    in bfloat16 has the same digest.
    """
    digest = hashlib.sha256()
    for name, parameter in model.named_parameters():
        digest.update(f"{name}{tuple(parameter.shape)}".encode())
    sample = model.get_input_embeddings().weight.detach()[:: max(1, model.config.get_text_config().vocab_size // 64)]
    last = [p for p in model.parameters() if p.dim() == 1 or p.dim() == 2][-1].detach().flatten()[:4096]
    for values in (sample, last):
        digest.update(values.to("cpu", torch.bfloat16).view(torch.int16).numpy().tobytes())
    return digest.hexdigest()[:16]
