"""The method `grad_x_input`: how the log-probability of the answer depends on each token before it, to first order."""

from __future__ import annotations

import inspect
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np
import torch
from torch.utils.checkpoint import checkpoint
from transformers import PreTrainedModel
from transformers.modeling_layers import GradientCheckpointingLayer

from memreason.errors import UserError
from memreason.explain.attention.base import Attribution
from memreason.explain.attention.shares import Head
from memreason.explain.attention.text import Text
from memreason.explain.attention.watch import Caches
from memreason.generation.agreement import forget_lengths
from memreason.kernels.patching import replaced


def grad_x_input(model: PreTrainedModel, text: Text, cache: Caches, head: Head = None) -> Attribution:
    """Gradient × input (Shrikumar et al. 2016, arXiv 1605.01713): for each token, the product of its embedding and the
    gradient by it of the log-probability of the answer's own tokens, summed over the dimensions.

    ``token_map`` (1, tokens) has these products with their signs; shares are those of their absolute values. Only the
    row of the answer is given. Raises UserError where the trace has no answer line, and where a ``head`` is asked for.
    """
    if head is not None:
        raise UserError("--layer, --head: gradients belong to the whole model; leave them out")
    if text.said is None:
        raise UserError(f"trace {text.trace_id}: it has no answer line, and gradients are those of an answer")
    products = np.zeros(len(text.tokens), np.float32)
    products[text.before :] = _products(model, text, cache)
    shares = np.abs(products) / max(np.abs(products).sum(), np.finfo(np.float32).tiny)
    step_map = np.full((len(text.spans), len(text.spans)), np.nan, np.float32)
    answer = next(place for place, span in enumerate(text.spans) if span.start <= text.said.start < span.end)
    step_map[answer] = [shares[span.start : span.end].sum() for span in text.spans]
    kinds = np.array(text.kinds)
    mass = {str(kind): float(shares[kinds == kind].sum()) for kind in dict.fromkeys(text.kinds)}
    return Attribution(
        "grad_x_input", text.trace_id, text.tokens, text.kinds, text.spans, step_map, mass, token_map=products[None]
    )


def _products(model: PreTrainedModel, text: Text, cache: Caches) -> np.ndarray:
    """(ids,) the gradient of the answer's log-probability times the embedding, of each id."""
    assert text.said is not None
    first, end = text.said.start - text.before, text.said.stop - text.before
    taken: list[torch.Tensor] = []

    def take(_: torch.nn.Module, __: Any, out: torch.Tensor) -> torch.Tensor:
        taken.append(out.detach().requires_grad_())
        return taken[-1]

    past = cache()
    inputs: dict[str, Any] = {"past_key_values": past} if past is not None else {"use_cache": False}
    # The ids are given, not embeddings, because some models use the ids in their layers too.
    hook = model.get_input_embeddings().register_forward_hook(take)
    forget_lengths(model)
    try:
        with torch.enable_grad(), _recomputed(model if past is None else None):
            ids = torch.tensor([text.ids[: end - 1]], device=model.device)
            keep = end - first
            if "logits_to_keep" in inspect.signature(model.forward).parameters:
                logits = model(input_ids=ids, **inputs, logits_to_keep=keep).logits[0]
            else:
                logits = model(input_ids=ids, **inputs).logits[0, -keep:]
            said = torch.tensor(text.ids[first:end], device=logits.device)
            logprob = logits.float().log_softmax(-1).gather(1, said[:, None]).sum()
            (gradient,) = torch.autograd.grad(logprob, taken[:1])
    finally:
        hook.remove()
    products = torch.zeros(len(text.ids))
    products[: end - 1] = (gradient[0].float() * taken[0][0].detach().float()).sum(-1).cpu()
    return products.numpy()


@contextmanager
def _recomputed(model: PreTrainedModel | None) -> Iterator[None]:
    """Within this context, the layers keep only their inputs, and are computed again for the gradients. So memory is
    bounded by one layer, not by all."""
    layers = [] if model is None else [one for one in model.modules() if isinstance(one, GradientCheckpointingLayer)]

    def forward(layer: torch.nn.Module) -> Any:
        own = layer.forward
        return lambda *args, **options: checkpoint(own, *args, use_reentrant=False, **options)

    with replaced([(layer, {"forward": forward(layer)}) for layer in layers]):
        yield
