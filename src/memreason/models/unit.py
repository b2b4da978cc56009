"""A base model, its planning tokens and its adapters as one unit.

`build.build` makes one, `load.load` reads a saved one. Three kinds of embeddings work: untied with one row for
each token (Llama), untied with more rows than the tokenizer has tokens (Qwen2.5-7B), and tied (SmolLM2,
Qwen2.5-0.5B). The token ids decide which rows are new, never the number of rows, and the matrix never shrinks.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from threading import RLock

import torch
from peft import PeftModel
from peft.utils import set_peft_model_state_dict
from torch import nn
from transformers import DynamicCache, PreTrainedModel, PreTrainedTokenizerBase

from memreason.config.checks import PREFIX_TUNING
from memreason.errors import UserError
from memreason.models.adapter_files import check_adapter, read_adapter
from memreason.models.manifest import Manifest
from memreason.models.merge import merged_for_a_while, merged_for_good
from memreason.models.save import save_checkpoint
from memreason.models.sharding import is_sharded, take_over
from memreason.models.weights import load_finite
from memreason.planning_tokens.layout import PlanningTokens


@dataclass
class ModelUnit:
    """A causal LM (with or without PEFT around it), its tokenizer, and its manifest."""

    model: PreTrainedModel | PeftModel
    tokenizer: PreTrainedTokenizerBase
    manifest: Manifest
    _in_use: RLock = field(default_factory=RLock, repr=False, compare=False)
    _is_merged: bool = field(default=False, repr=False, compare=False)

    @property
    def layout(self) -> PlanningTokens:
        """The planning tokens of this model, and with them the layout of its texts."""
        return self.manifest.planning_tokens

    @cached_property
    def end_id(self) -> int:
        """The id of the token that ends a solution."""
        return self.layout.end_id(self.tokenizer)

    @property
    def device(self) -> torch.device:
        """The device of the first weights, where inputs must be."""
        return next(self.model.parameters()).device

    @contextmanager
    def merged(self) -> Iterator[PreTrainedModel | PeftModel]:
        """Inside this context: the model in evaluation mode with its adapters merged (`merged_for_a_while`).

        In mode `prefix-tuning` there is nothing to merge, and this is the base model, to be used with `prefix_cache`.
        Only one thread at a time can be inside; others wait. Raises UserError where the same thread is inside already:
        it would wait for itself.
        """
        with self._in_use:
            if self._is_merged:
                raise UserError("this model is in use by an engine of the same thread; close that engine first")
            self._is_merged = True
            try:
                with merged_for_a_while(self.model) as model:
                    yield model.get_base_model() if self._has_prefix else model
            finally:
                self._is_merged = False

    @property
    def _has_prefix(self) -> bool:
        return self.manifest.parameter_efficient_mode == PREFIX_TUNING

    @torch.no_grad()
    def prefix_cache(self) -> DynamicCache | None:
        """In mode `prefix-tuning`, the trained keys and values before every text (batch size 1); else None."""
        return self.model.get_prompt(1) if self._has_prefix else None

    def merge(self) -> PreTrainedModel:
        """The base model with the adapters merged into its weights for good; the unit cannot be used afterwards.

        Raises UserError in mode `prefix-tuning`: its keys and values are not weights of the model.
        """
        if self._has_prefix:
            raise UserError("a prefix-tuned model cannot be merged: load it with PEFT, as it is")
        return merged_for_good(self.model)

    def save(self, folder: Path) -> None:
        """Write a checkpoint into ``folder``, as `save_checkpoint` does."""
        save_checkpoint(self.model, self.tokenizer, self.manifest, folder)

    def load_weights(self, folder: Path) -> None:
        """Replace the trained weights by those in ``folder``, which a unit of the same build saved.

        Raises UserError where the saved weights are damaged, or are not the ones that this unit trains.
        """
        if isinstance(self.model, PeftModel):
            saved = read_adapter(folder)
            if not is_sharded(self.model):
                check_adapter(self.model, saved, folder)
            load = set_peft_model_state_dict
        else:
            saved = load_finite(folder, self.model.dtype, device=torch.device("cpu")).state_dict()
            load = nn.Module.load_state_dict
        (take_over if is_sharded(self.model) else load)(self.model, saved)


def bare(model: PreTrainedModel | PeftModel) -> PreTrainedModel:
    """``model`` without PEFT around it."""
    return model.get_base_model() if hasattr(model, "get_base_model") else model
