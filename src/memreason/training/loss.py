"""One forward pass of training: batch → summed loss. The fast way where a model allows it, else the plain one.

Fast is: all texts of a batch in one row without padding (`varlen_attention`), the loss inside the output head
(`linear_cross_entropy`), adapters computed beside their frozen layers (`lora`), norms and rotations as one function
each (`rms_norm_rope`), frozen weights as the processor wants them (`prepacked_linear`). Whether a model allows a way
is tried out before training, on itself and against itself as it is: the loss and its gradients must be the same, and
in a row no text may reach another.
"""

from __future__ import annotations

import inspect
import logging
from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager, ExitStack, contextmanager
from dataclasses import dataclass
from typing import Any

import torch
from torch.nn import functional
from transformers import PreTrainedModel

from memreason.config.checks import PREFIX_TUNING
from memreason.errors import Unsupported, UserError
from memreason.kernels import lora, varlen_attention
from memreason.kernels.linear_cross_entropy import LossHead
from memreason.kernels.patching import attention_implementation, attention_in_use
from memreason.kernels.prepacked_linear import packed_weights
from memreason.kernels.rms_norm_rope import fused
from memreason.kernels.varlen_attention import Documents
from memreason.models.unit import ModelUnit
from memreason.planning_tokens.layout import IGNORE
from memreason.training.collation import collate, join
from memreason.training.dataset import Example
from memreason.training.packing import PackedExamples

logger = logging.getLogger(__name__)

_WAYS = {
    "eager": "eager attention",
    "fuses": "norms and rotations as one function",
    "in_head": "the loss inside the output head",
    "unpadded": "rows without padding",
}
_AS_IT_IS = "as it is"
_SIZES = (48, 40, 32)
"""Tokens of the texts that a model is tried out on: more than convolutions reach, few enough to take no time."""
_CLOSE = {"float32": (1e-4, 1e-3), "16 bits": (0.02, 0.5)}
"""How much of the loss, and of its gradient, may differ between two ways of computing it. In 16 bits only gross
faults show here; that texts do not reach each other is exact in any data type."""
_NOT_WITH_THIS_MODEL = (
    Unsupported, RuntimeError, TypeError, ValueError, AttributeError, LookupError, AssertionError,
)  # fmt: skip


class TrainingPass:
    """How a unit's loss is computed.

    ``eager``, ``fuses``, ``in_head`` and ``unpadded`` say which of the fast ways it allows. Raises UserError where
    packed rows are given to a model that cannot keep their texts apart.
    """

    def __init__(self, unit: ModelUnit, examples: Sequence[Example], label_smoothing: float = 0.0):
        self.unit = unit
        self.model = causal_lm(unit)
        self.label_smoothing = label_smoothing
        self.head = LossHead(self.model, label_smoothing)
        self.keeps_logits = "logits_to_keep" in inspect.signature(self.model.forward).parameters
        self.usual_attention = attention_in_use(self.model.config)
        self.drops = any(module.p for module in unit.model.modules() if isinstance(module, torch.nn.Dropout))
        self.random_bytes = lora.random_bytes_of(unit.model)
        self.eager = self.fuses = self.in_head = self.unpadded = False
        self._try_out(examples)
        rows = "rows without padding" if self.unpadded else "padded batches"
        logger.info(f"training in {rows}" + (", the loss inside the output head" if self.in_head else ""))

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
            inputs["documents"] = batch.get("documents") or Documents.of(batch["lengths"], labels.device)
        if self.keeps_logits:
            inputs["logits_to_keep"] = keep
        if self.random_bytes and self.drops and self.model.training:
            self.random_bytes.refill(labels.device)
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
            if self.fuses:
                stack.enter_context(fused(self.model))
            if packed:
                stack.enter_context(packed_weights(self.model, with_gradients=True))
            yield

    def attention(self) -> AbstractContextManager[None]:
        """Within, the model attends as training wants it: over unpadded rows, or plainly on a CPU, where the
        backward pass of fused attention is slow on short texts."""
        wanted = varlen_attention.NAME if self.unpadded else "eager" if self.eager else self.usual_attention
        return attention_implementation(self.model, wanted)

    def _try_out(self, examples: Sequence[Example]) -> None:
        """Find out what the model allows: all at once, and if not, one after the other."""
        first, own, last = _texts_of(examples)
        row, place = _row_of(first, own, last), slice(len(first), len(first) + len(own))
        sparse, mode = self.unit.manifest.sparse_attention, self.unit.manifest.parameter_efficient_mode
        ways = ["eager"] * (self.unit.device.type == "cpu") + ["fuses"]
        ways += ["in_head"] * (self.keeps_logits and self.head.is_known)
        ways += ["unpadded"] * (not sparse and mode != PREFIX_TUNING)
        training = self.model.training
        self.model.eval()
        try:
            plain = self._computed(_row_of(own), _AS_IT_IS)
            if not self._allows(ways, row, place, plain, logging.DEBUG):
                for way in ways:
                    self._allows([way], row, place, plain, logging.INFO)
            is_packed = isinstance(examples, PackedExamples) and not self.unpadded
            if is_packed and not self._agrees(row, place, plain, "packed rows", logging.INFO):
                raise UserError(
                    "--mode constant_len: this model lets solutions in one row see each other (a kind of attention "
                    "that knows nothing of packed texts); use --mode separate"
                )
        finally:
            self.model.train(training)

    def _allows(self, ways: list[str], row: Example, place: slice, plain: _Computed | None, level: int) -> bool:
        """Switch ``ways`` on, for good if the loss of the text in the ``place`` of the ``row`` is then as it was."""
        for way in ways:
            setattr(self, way, True)
        if not self.unpadded:
            row, place = _row_of(row["input_ids"][place]), slice(0, place.stop - place.start)
        agrees = self._agrees(row, place, plain, " and ".join(_WAYS[way] for way in ways), level)
        for way in ways:
            setattr(self, way, agrees)
        return agrees

    def _agrees(self, row: Example, place: slice, plain: _Computed | None, what: str, level: int) -> bool:
        found = self._computed(row, what, level) if plain else None
        if not found or not plain:
            return False
        of_loss, of_gradient = _CLOSE["float32" if self.unit.manifest.dtype == "float32" else "16 bits"]
        others = torch.cat([found.gradient[: place.start], found.gradient[place.stop :]])
        off = float((found.gradient[place] - plain.gradient).norm() / plain.gradient.norm())
        if others.any():
            logger.log(level, f"{what}: not with this model (texts in one row see each other)")
        elif not (abs(found.loss - plain.loss) <= of_loss * abs(plain.loss) and off <= of_gradient):
            difference = f"loss {found.loss:.5g} instead of {plain.loss:.5g}, gradients {off:.2g} off"
            logger.log(level, f"{what}: not with this model ({difference})")
        else:
            return True
        return False

    def _computed(self, row: Example, what: str, level: int = logging.INFO) -> _Computed | None:
        """The loss of a row and its gradient by all that is read, None where the model does not do that."""
        batch = self.collate([row])
        batch = {k: v.to(self.unit.device) if torch.is_tensor(v) else v for k, v in batch.items()}
        if "lengths" in batch:
            batch["documents"] = Documents.of(batch["lengths"], self.unit.device, doubted=True)
        read: list[torch.Tensor] = []
        of_head: list[torch.Tensor] = []

        def remember(_: torch.nn.Module, __: Any, vectors: torch.Tensor) -> torch.Tensor:
            read.append(vectors.detach().requires_grad_())
            return read[-1].clone()  # which may be changed in place

        try:
            with ExitStack() as stack:
                stack.enter_context(self.attention())
                stack.enter_context(self.model.get_input_embeddings().register_forward_hook(remember))
                if self.in_head:
                    hook = self.head.head.register_forward_hook(lambda _, __, loss: of_head.append(loss.detach()))
                    stack.enter_context(hook)
                if self.fuses:
                    stack.enter_context(fused(self.model))
                stack.enter_context(torch.autocast(self.unit.device.type, torch.bfloat16, enabled=self.casts))
                loss = self.loss(self.unit.model, batch)
            if self.in_head and not (len(of_head) == 1 and torch.equal(of_head[0], loss)):
                raise Unsupported("it changes its logits after the head")
            if "documents" in batch:
                self._check_attended(batch["documents"])
            (gradient,) = torch.autograd.grad(loss, read)
        except _NOT_WITH_THIS_MODEL as error:
            if what == _AS_IT_IS:
                raise _unsupported(self.model, error) from error
            logger.log(level, f"{what}: not with this model ({error})")
            return None
        return _Computed(loss.item(), gradient[0].float())

    def _check_attended(self, documents: Documents) -> None:
        """Every layer must have attended over the row, once: else it mixes tokens in a way of its own."""
        layers, calls = self.model.config.get_text_config().num_hidden_layers, documents.attended
        if not len(calls) == len({id(module) for module in calls}) == layers:
            raise Unsupported(f"its {layers} layers attended {len(calls)} times through transformers' interface")

    @property
    def casts(self) -> bool:
        """Whether training needs autocast: weights in bf16 beside adapters in float32 that stock layers compute."""
        return self.unit.manifest.dtype == "bfloat16" and not lora.all_beside_frozen(self.unit.model)


@dataclass
class _Computed:
    """A loss, and its gradient (tokens, hidden) by the vectors of all tokens read."""

    loss: float
    gradient: torch.Tensor


def _unsupported(model: PreTrainedModel, error: Exception) -> Exception:
    """What to raise where a model cannot compute a loss and its gradient even in transformers' own way."""
    if isinstance(error, torch.OutOfMemoryError) or "alloc" in str(error):
        return error
    return UserError(
        f"{type(model).__name__} is not supported: trying one solution before training, its own forward and backward "
        f"pass failed with the new tokens and adapters in it ({type(error).__name__}: {error}); use another base model "
        "(docs/architectures.md lists those that were tried), or another --lora_module or --parameter_efficient_mode"
    )


def _texts_of(examples: Sequence[Example]) -> list[list[int]]:
    """Three different texts, no longer than some example is, so that the model has places for them."""
    few = [list(examples[i]["input_ids"]) for i in range(min(len(examples), 16))]
    together, longest = [token for ids in few for token in ids], max(map(len, few))
    sizes = [max(2, min(size, longest) - i) for i, size in enumerate(_SIZES)]
    together *= 1 + sum(sizes) // len(together)
    return [together[sum(sizes[:i]) :][:size] for i, size in enumerate(sizes)]


def _row_of(*texts: list[int]) -> Example:
    """Texts as one packed row, with a target at every token of the one in the middle and at no other."""
    middle = len(texts) // 2
    row: Example = {"input_ids": [], "labels": []}
    for i, ids in enumerate(texts):
        row["input_ids"] += ids
        row["labels"] += [IGNORE, *ids[1:]] if i == middle else [IGNORE] * len(ids)
    if len(texts) > 1:
        row["position_ids"] = [at for ids in texts for at in range(len(ids))]
    return row


def causal_lm(unit: ModelUnit) -> PreTrainedModel:
    """The unit's model without PEFT around it."""
    return unit.model.get_base_model() if hasattr(unit.model, "get_base_model") else unit.model
