"""One forward pass of training, from a batch to its summed loss: fast where the model allows it, otherwise plain.

The fast ways are: all texts of a batch in one row without padding (`varlen_attention`), the loss inside the output
head (`linear_cross_entropy`), adapters computed beside their frozen layers (`lora`), norms and rotations as one
function each (`rms_norm_rope`), and frozen weights in the order in which the processor reads them (`prepacked_linear`).
Before training, each way is tested on the model itself: the loss and its gradients must be the same as those of the
unchanged model, and no text in a row may influence another.
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
from memreason.models.unit import ModelUnit, bare
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
"""Lengths, in tokens, of the texts that a model is tested on: longer than the reach of convolutions, and short enough
to take hardly any time."""
_CLOSE = {"float32": (1e-4, 1e-3), "16 bits": (0.02, 0.5)}
"""The relative differences in the loss, and in its gradient, that are allowed between two ways of computing it. In 16
bits they show only large errors; but whether texts influence each other is tested exactly in every data type."""
_NOT_WITH_THIS_MODEL = (
    Unsupported, RuntimeError, TypeError, ValueError, AttributeError, LookupError, AssertionError,
)  # fmt: skip


class TrainingPass:
    """How the loss of a unit is computed.

    ``eager``, ``fuses``, ``in_head`` and ``unpadded`` say which fast ways the model allows. Raises UserError if
    ``examples`` are packed rows, and the texts of a row influence each other in this model.
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
        """Examples as a batch, in the form that this model takes: one row without padding, or padded rows."""
        if self.unpadded:
            return join(examples)
        return collate(examples, self.unit.tokenizer.pad_token_id)

    def loss(self, model: torch.nn.Module, batch: dict[str, Any]) -> torch.Tensor:
        """The sum of the cross entropies of all target tokens. ``model`` is the unit's model, perhaps wrapped.

        Logits are computed only at positions where some row of the batch has a target: prompts need none, and with a
        large vocabulary logits take most of the time.
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
        """Within this context, the model computes in the fast ways. ``packed`` must be False for sharded weights."""
        with ExitStack() as stack:
            stack.enter_context(self.attention())
            if self.fuses:
                stack.enter_context(fused(self.model))
            if packed:
                stack.enter_context(packed_weights(self.model, with_gradients=True))
            yield

    def attention(self) -> AbstractContextManager[None]:
        """Within this context, the model uses the attention for training: over rows without padding, or else, on a CPU,
        the eager one, because there the backward pass of fused attention is slow on short texts."""
        wanted = varlen_attention.NAME if self.unpadded else "eager" if self.eager else self.usual_attention
        return attention_implementation(self.model, wanted)

    def _try_out(self, examples: Sequence[Example]) -> None:
        """Test which fast ways the model allows: all together first, and if that fails, each in turn."""
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
                    "--mode constant_len: in this model, solutions in one row see each other (its kind of attention "
                    "does not separate packed texts); use --mode separate"
                )
        finally:
            self.model.train(training)

    def _allows(self, ways: list[str], row: Example, place: slice, plain: _Computed | None, level: int) -> bool:
        """Switch ``ways`` on, and keep them on if the text at ``place`` in ``row`` then has the loss ``plain``."""
        for way in ways:
            setattr(self, way, True)
        if not self.unpadded:
            row, place = _row_of(row["input_ids"][place]), slice(0, place.stop - place.start)
        agrees = self._agrees(row, place, plain, " and ".join(_WAYS[way] for way in ways), level)
        for way in ways:
            setattr(self, way, agrees)
        return agrees

    def _agrees(self, row: Example, place: slice, plain: _Computed | None, what: str, level: int) -> bool:
        """Whether the text at ``place`` in ``row`` has the loss and gradient ``plain``, and the other texts have no
        gradient."""
        fast = self._computed(row, what, level) if plain else None
        if not fast or not plain:
            return False
        of_loss, of_gradient = _CLOSE["float32" if self.unit.manifest.dtype == "float32" else "16 bits"]
        others = torch.cat([fast.gradient[: place.start], fast.gradient[place.stop :]])
        off = float((fast.gradient[place] - plain.gradient).norm() / plain.gradient.norm())
        if others.any():
            logger.log(level, f"{what}: not with this model (texts in one row see each other)")
        elif not (abs(fast.loss - plain.loss) <= of_loss * abs(plain.loss) and off <= of_gradient):
            difference = f"loss {fast.loss:.5g} instead of {plain.loss:.5g}, gradients {off:.2g} off"
            logger.log(level, f"{what}: not with this model ({difference})")
        else:
            return True
        return False

    def _computed(self, row: Example, what: str, level: int = logging.INFO) -> _Computed | None:
        """The loss of a row and its gradient for the embeddings of all tokens; None if the model fails at it."""
        batch = self.collate([row])
        batch = {k: v.to(self.unit.device) if torch.is_tensor(v) else v for k, v in batch.items()}
        if "lengths" in batch:
            batch["documents"] = Documents.of(batch["lengths"], self.unit.device, doubted=True)
        read: list[torch.Tensor] = []
        of_head: list[torch.Tensor] = []

        def remember(_: torch.nn.Module, __: Any, vectors: torch.Tensor) -> torch.Tensor:
            read.append(vectors.detach().requires_grad_())
            return read[-1].clone()  # a model may change the clone in place

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
        """Raise Unsupported unless every layer has attended over the row exactly once: a layer that has not mixes
        tokens in another way."""
        layers, calls = self.model.config.get_text_config().num_hidden_layers, documents.attended
        if not len(calls) == len({id(module) for module in calls}) == layers:
            raise Unsupported(f"its {layers} layers attended {len(calls)} times through transformers' interface")

    @property
    def casts(self) -> bool:
        """Whether training needs autocast: for bfloat16 weights with float32 adapters in PEFT's own layers."""
        return self.unit.manifest.dtype == "bfloat16" and not lora.all_beside_frozen(self.unit.model)


@dataclass
class _Computed:
    """A loss, and its gradient (tokens, hidden) for the embeddings of all tokens read."""

    loss: float
    gradient: torch.Tensor


def _unsupported(model: PreTrainedModel, error: Exception) -> Exception:
    """The error to raise where a model cannot compute a loss and its gradient even in transformers' own way."""
    if isinstance(error, torch.OutOfMemoryError) or "alloc" in str(error):
        return error
    return UserError(
        f"{type(model).__name__} is not supported: in a test with one solution before training, its own forward and "
        f"backward pass failed, with new tokens and adapters ({type(error).__name__}: {error}); use another base model "
        "(docs/architectures.md lists those that were tried), or another --lora_module or --parameter_efficient_mode"
    )


def _texts_of(examples: Sequence[Example]) -> list[list[int]]:
    """Three different texts, none longer than the longest of the first examples, so that the model has positions for
    them."""
    few = [list(examples[i]["input_ids"]) for i in range(min(len(examples), 16))]
    together, longest = [token for ids in few for token in ids], max(map(len, few))
    sizes = [max(2, min(size, longest) - i) for i, size in enumerate(_SIZES)]
    together *= 1 + sum(sizes) // len(together)
    return [together[sum(sizes[:i]) :][:size] for i, size in enumerate(sizes)]


def _row_of(*texts: list[int]) -> Example:
    """Texts as one packed row, in which only the tokens of the middle text are targets."""
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
    return bare(unit.model)
