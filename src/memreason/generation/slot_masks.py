"""Which earlier tokens a layer hides: windows, chunks and the like, for tokens in slots.

transformers describes a mask by a function of two places in the row that is read. Only in a row with a single text
these are positions in this text. So descriptions are learned from such a row, and then used for all rows.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import torch
from transformers.masking_utils import sdpa_mask

from memreason.errors import Unsupported
from memreason.kernels.attention_masks import Seen

Masks = tuple[Seen | None, ...]
"""For each time that a model attends in one pass, in order, which keys its tokens see; None: all up to their own."""
_FEW = 64


def described(
    longest: int,
    *,
    mask_function: Callable[..., torch.Tensor],
    device: torch.device,
    local_size: int | None = None,
    use_vmap: bool = False,
    **_: Any,
) -> Seen | None:
    """What transformers gives to a function that makes a mask, for a row with a single text of at most ``longest``
    tokens. None if each token sees all earlier ones. Raises Unsupported if the mask can only be drawn by vmap."""
    few = min(longest, _FEW)
    options: dict[str, Any] = {"mask_function": mask_function, "use_vmap": use_vmap, "device": device,
                               "allow_is_causal_skip": False}  # fmt: skip
    last = sdpa_mask(1, 1, longest, q_offset=longest - 1, **options)
    first = sdpa_mask(1, few, few, **options)
    if last.all() and torch.equal(first, torch.ones_like(first).tril()):
        return None
    if use_vmap:
        raise Unsupported("a mask of its own")
    return Seen(mask_function, local_size, device)


def checked(masks: Sequence[Seen | None], longest: int, device: torch.device) -> Masks:
    """The same masks, with one object for those that are alike. (A model may describe its mask for each layer anew.)

    Raises Unsupported if a token sees what follows it, or not even itself, in texts of at most ``longest`` tokens.
    """
    kinds: dict[Seen, torch.Tensor] = {}
    found: list[Seen | None] = []
    for seen in masks:
        if seen is not None and seen not in kinds:
            drawn = _drawn(seen, longest, device)
            if drawn.triu(1).any() or not drawn.diagonal().all():
                raise Unsupported("attention to what follows")
            alike = (one for one in kinds if one.local_size == seen.local_size is not None)
            seen = next((one for one in alike if torch.equal(kinds[one], drawn)), seen)
            kinds[seen] = drawn
        found.append(seen)
    return tuple(found)


def within(masks: Masks, longest: int, device: torch.device) -> Masks:
    """The same masks with None for those that hide nothing from tokens of texts with at most ``longest`` tokens."""
    hiding = {seen for seen in masks if seen is not None and _hides(seen, longest, device)}
    return tuple(seen if seen in hiding else None for seen in masks)


def _drawn(seen: Seen, longest: int, device: torch.device) -> torch.Tensor:
    """(places, places) bool: what the first and the last tokens of a text see of each other."""
    places = torch.cat([torch.arange(min(longest, _FEW)), torch.arange(max(0, longest - _FEW), longest)])
    places = places.unique().to(device)
    return seen.at(places[:, None], places)


def _hides(seen: Seen, longest: int, device: torch.device) -> bool:
    places = torch.arange(longest, device=device)
    few = places[:_FEW]
    first = seen.at(few[:, None], few)
    return not (seen.at(places[-1:, None], places).all() and torch.equal(first, torch.ones_like(first).tril()))
