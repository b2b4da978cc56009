"""A test on a few tokens, before anything is decoded, whether passes over slots (`slot_pass`) are correct for a model.

The logits of such passes must be the same as those of a plain pass over the whole text, and the logits of one text must
not depend on the texts in other slots.
"""

from __future__ import annotations

import copy
import logging
from collections.abc import Callable, Sequence
from weakref import WeakKeyDictionary

import torch
from transformers import DynamicCache, PreTrainedModel

from memreason.errors import Unsupported
from memreason.generation.agreement import ERRORS, agree, is_exact, out_of_memory, turns_with_length
from memreason.generation.kv_cache import SlotCache
from memreason.generation.slot_attention import SlotAttention, attending_over
from memreason.generation.slot_masks import Masks, within
from memreason.generation.slot_pass import Row, logits_of
from memreason.models.unit import bare

logger = logging.getLogger(__name__)

_PROVEN: WeakKeyDictionary[torch.nn.Module, dict[bool, tuple[int, Masks]]] = WeakKeyDictionary()
"""Model → with shared tokens or without → the greatest length that was tested, and the model's masks up to it. The
result depends on the architecture, not on the weights."""
_SAID: WeakKeyDictionary[torch.nn.Module, set[str]] = WeakKeyDictionary()
"""Model → the reasons why passes over slots cannot be used that were logged already."""
_DIFFERENT = "its logits differ from those of a plain pass"


def prove_once(
    model: PreTrainedModel,
    ids: Sequence[int],
    shared: DynamicCache | None,
    longest: int,
    any_rank: Callable[[bool], bool] | None,
) -> Masks:
    """The masks of the model, for texts of at most ``longest`` tokens. Raises Unsupported, in all processes or in none,
    if passes over slots give other logits in this model; the log then says why, once.

    A model is tested once, and again only for a greater length than before.
    """
    proven, behind = _PROVEN.setdefault(bare(model), {}), shared is not None
    if behind not in proven or proven[behind][0] < longest:
        proven[behind] = longest, _proof(model, ids, shared, longest, any_rank)
    return within(proven[behind][1], longest, model.device)


def _proof(
    model: PreTrainedModel,
    ids: Sequence[int],
    shared: DynamicCache | None,
    longest: int,
    any_rank: Callable[[bool], bool] | None,
) -> Masks:
    """The masks of the model, if passes over slots are correct for it."""
    reason: str | None = None
    masks: Masks = ()
    try:
        masks = _masks_if_alike(model, ids, shared, longest)
    except Unsupported as error:
        reason = str(error)
    except ERRORS as error:
        if out_of_memory(error):
            raise
        reason = f"it fails ({type(error).__name__}: {error})"
    if any_rank(reason is not None) if any_rank else reason:
        reason = reason or "the test failed in another process"
        if reason not in (said := _SAID.setdefault(bare(model), set())):
            said.add(reason)
            logger.info(f"batch by batch: {reason}")
        raise Unsupported(reason)
    return masks


def _masks_if_alike(model: PreTrainedModel, ids: Sequence[int], shared: DynamicCache | None, longest: int) -> Masks:
    """The masks of the model. Raises Unsupported if passes over slots do not give the logits of a plain pass over each
    text, whatever text is in the other slot, or if the model needs another kind of attention.

    The texts are shorter than most windows. That masks are right in longer ones follows from how they are made: by the
    model's own description, which is drawn for the first and the last tokens of the longest text.
    """
    if turns_with_length(model, longest):
        raise Unsupported(f"its rotary positions depend on the length of a text, within {longest} tokens")
    # Texts of different lengths that have nothing in common at the same position.
    first = (list(ids) * 12)[:12]
    second, third = first[-2::-1], [*first[5:], *first[:5]]
    masks, together = _by_slots(model, [first, second], shared, longest)
    if not is_exact(model):  # in the test below, a small influence of the other text could be mistaken for rounding
        _, beside = _by_slots(model, [third, second], shared, longest)
        if not agree(model, beside[1], together[1], exactly=True):
            raise Unsupported(_DIFFERENT)
    with torch.no_grad():
        for text, logits in zip((first, second), together, strict=True):
            own = {"past_key_values": copy.deepcopy(shared)} if shared is not None else {"use_cache": False}
            plain = model(input_ids=torch.tensor([text], device=model.device), **own).logits[0]
            at = len(text) - 4 + torch.arange(len(logits), device=plain.device)
            if not agree(model, logits, plain[at]):
                raise Unsupported(_DIFFERENT)
    return masks


def _by_slots(
    model: PreTrainedModel, texts: Sequence[list[int]], shared: DynamicCache | None, longest: int
) -> tuple[Masks, list[torch.Tensor]]:
    """The model's masks, and the logits (4, vocabulary) of the first text and (2, vocabulary) of the second, by passes
    over slots: after the prompt (all but the last three tokens), and after the tokens that are read later."""
    slots = SlotAttention(SlotCache(2, shared), longest)
    first, second = (Row(at, slots.cache.shared_length, text[:-3]) for at, text in enumerate(texts))
    with attending_over(model, slots):
        slots.learning = []
        alone = logits_of(model, slots, [], [first])
        masks, layers = slots.learn(), model.config.get_text_config().num_hidden_layers
        if not masks or len(masks) % layers:  # some attend more than once
            raise Unsupported("not every layer attends through transformers' attention interface")
        before = slots.cache.shared_length
        _read_on(first, texts[0], 1, before)
        joined = logits_of(model, slots, [first], [second])
        _read_on(first, texts[0], 2, before)
        _read_on(second, texts[1], 1, before)
        going_on = logits_of(model, slots, [first, second], [])
    return masks, [torch.cat([alone, joined[:1], going_on[:2]]), torch.cat([joined[1:], going_on[2:]])]


def _read_on(row: Row, text: list[int], count: int, before: int) -> None:
    """Note that the pending tokens have been read, and that the next ``count`` tokens of ``text``, which stands behind
    ``before`` others, are pending."""
    row.read += len(row.pending)
    at = row.read - before
    row.pending = text[at : at + count]
