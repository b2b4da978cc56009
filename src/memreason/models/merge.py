"""Merging adapters into the weights that they adapt, for a while or for good."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from peft import PeftModel
from peft.tuners.tuners_utils import BaseTunerLayer
from transformers import PreTrainedModel

from memreason.models.adapters import adapted_weight
from memreason.models.sharding import is_sharded


@contextmanager
def merged_for_a_while(model: PreTrainedModel | PeftModel) -> Iterator[PreTrainedModel | PeftModel]:
    """Inside this context: ``model`` in evaluation mode, with its adapters merged into the weights.

    Afterwards every weight is bit for bit what it was. For this, copies of the original weights are kept, because
    subtracting an adapter again is not exact in 16 bits. Quantized and sharded weights are not merged.
    """
    training = model.training
    model.eval()
    layers = [module for module in model.modules() if isinstance(module, BaseTunerLayer)]
    if not layers or getattr(model, "is_quantized", False) or is_sharded(model):
        try:
            yield model
        finally:
            model.train(training)
        return
    weights = {id(weight): weight for weight in map(adapted_weight, layers)}
    # The copies are on the CPU, because a second set of weights may not fit on the GPU.
    originals = {key: weight.data.to("cpu", copy=True) for key, weight in weights.items()}
    model.merge_adapter()
    try:
        yield model
    finally:
        model.unmerge_adapter()
        for key, weight in weights.items():
            weight.data = originals[key].to(weight.device)
        model.train(training)


def merged_for_good(model: PreTrainedModel | PeftModel) -> PreTrainedModel:
    """The base model inside ``model``, with the adapters merged into its weights; a model without adapters as it is."""
    if not isinstance(model, PeftModel):
        return model
    merged = model.merge_and_unload()
    merged.tie_weights()
    return merged
