"""One forward pass of training: batch → summed loss. The fast way where a model allows it, else the plain one.

Fast is: all texts of a batch in one row without padding (`document_attention`), the loss inside the output head
(`head_loss`), adapters computed beside their frozen layers (`lora_layers`), norms and rotations as one function
each (`fused_layers`), frozen weights as the processor wants them (`packed_weights`). Whether a model allows the
first two is tried out on two texts before training, against the model as it is.
"""

from __future__ import annotations

import inspect
import logging
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from typing import Any

import torch
from torch.nn import functional
from transformers import PreTrainedModel

from memreason import document_attention, lora_layers
from memreason.batches import PackedExamples, check_apart, collate, join
from memreason.config import PREFIX_TUNING
from memreason.document_attention import Documents
from memreason.errors import Unsupported
from memreason.examples import Example
from memreason.fused_layers import fused
from memreason.head_loss import LossHead
from memreason.model import ModelUnit
from memreason.packed_weights import packed_weights
from memreason.planning_tokens import IGNORE

logger = logging.getLogger(__name__)

_TOLERANCE = 0.02
"""How much of the loss may differ between two ways of computing it, in 16 bits."""


class TrainingPass:
    """How a unit's loss is computed; ``unpadded`` and ``in_head`` say which of the fast ways it allows."""

    def __init__(self, unit: ModelUnit, examples: Sequence[Example], label_smoothing: float = 0.0):
        self.unit = unit
        self.model = causal_lm(unit)
        self.label_smoothing = label_smoothing
        self.head = LossHead(self.model, label_smoothing)
        self.keeps_logits = "logits_to_keep" in inspect.signature(self.model.forward).parameters
        self.usual_attention = self.model.config._attn_implementation
        self.drops = any(module.p for module in unit.model.modules() if isinstance(module, torch.nn.Dropout))
        self.unpadded = self.in_head = False
        # The shortest ones of the first few: enough to see whether texts are kept apart.
        few = sorted((examples[i] for i in range(min(len(examples), 16))), key=lambda one: len(one["input_ids"]))[:2]
        self._try_out(few)
        if isinstance(examples, PackedExamples) and not self.unpadded:
            check_apart(unit.model, examples)

    def collate(self, examples: Sequence[Example]) -> dict[str, Any]:
        """A batch in the form that this model takes."""
        if self.unpadded:
            return join(examples)
        return collate(examples, self.unit.tokenizer.pad_token_id)

    def loss(self, model: torch.nn.Module, batch: dict[str, Any]) -> torch.Tensor:
        """Cross entropies of all target tokens, summed. ``model`` is the unit's, perhaps wrapped.

        Logits are computed only at positions where some row of the batch has a target: prompts
        need none, and over a large vocabulary they are the larger part of the work.
        """
        labels = batch["labels"]
        keep = (labels[:, 1:] != IGNORE).any(0).nonzero().flatten()
        targets = labels[:, keep + 1]
        inputs: dict[str, Any] = {
            name: batch[name] for name in ("input_ids", "attention_mask", "position_ids") if name in batch
        }
        if "lengths" in batch:
            inputs["documents"] = Documents.of(batch["lengths"], labels.device)
        if self.keeps_logits:
            inputs["logits_to_keep"] = keep
        if self.drops:
            lora_layers.refill(labels.device)
        if self.in_head:
            with self.head.against(targets):
                return model(**inputs, use_cache=False).logits
        logits = model(**inputs, use_cache=False).logits
        logits = logits if self.keeps_logits else logits[:, keep]
        return functional.cross_entropy(
            logits.float().flatten(0, 1),
            targets.flatten(),
            ignore_index=IGNORE,
            reduction="sum",
            label_smoothing=self.label_smoothing,
        )

    @contextmanager
    def prepared(self, packed: bool = True) -> Iterator[None]:
        """Within, the model is as training wants it. ``packed`` is for weights that stay whole."""
        with ExitStack() as stack:
            stack.enter_context(self.attention())
            stack.enter_context(fused(self.model))
            if packed:
                stack.enter_context(packed_weights(self.model, with_gradients=True))
            yield

    @contextmanager
    def attention(self) -> Iterator[None]:
        """Within, the model attends as training wants it: over unpadded rows, or plainly on a CPU, where the
        backward pass of fused attention is slow on short texts."""
        on_cpu = self.unit.device.type == "cpu"
        usual = self.model.config._attn_implementation
        wanted = document_attention.NAME if self.unpadded else "eager" if on_cpu else self.usual_attention
        self.model.set_attn_implementation(wanted)
        try:
            yield
        finally:
            self.model.set_attn_implementation(usual)

    @torch.no_grad()
    def _try_out(self, examples: Sequence[Example]) -> None:
        """Find out what the model allows: the loss must be what it is without."""
        training = self.model.training
        self.model.eval()
        plain = self._of(examples)
        self.in_head = self.keeps_logits and self.head.is_known
        self.in_head = self.in_head and self._agrees(examples, plain, "the loss inside the output head")
        if not self.unit.manifest.sparse_attention and self.unit.manifest.parameter_efficient_mode != PREFIX_TUNING:
            self.unpadded = True
            self.unpadded = self._agrees(examples, plain, "rows without padding")
        self.model.train(training)

    def _agrees(self, examples: Sequence[Example], plain: float, what: str) -> bool:
        try:
            found = self._of(examples)
        except (Unsupported, RuntimeError, TypeError, ValueError, AttributeError) as error:
            logger.info(f"{what}: not with this model ({error})")
            return False
        if abs(found - plain) > _TOLERANCE * abs(plain):
            logger.info(f"{what}: not with this model (loss {found:.3f} instead of {plain:.3f})")
            return False
        return True

    def _of(self, examples: Sequence[Example]) -> float:
        batch = self.collate(examples)
        on_device = {k: v.to(self.unit.device) if torch.is_tensor(v) else v for k, v in batch.items()}
        with self.attention(), torch.autocast(self.unit.device.type, torch.bfloat16, enabled=self.casts):
            return float(self.loss(self.unit.model, on_device))

    @property
    def casts(self) -> bool:
        """Whether training needs autocast: weights in bf16 beside adapters in float32 that stock layers compute."""
        return self.unit.manifest.dtype == "bfloat16" and not lora_layers.all_beside_frozen(self.unit.model)


def causal_lm(unit: ModelUnit) -> PreTrainedModel:
    """The unit's model without PEFT around it."""
    return unit.model.get_base_model() if hasattr(unit.model, "get_base_model") else unit.model
