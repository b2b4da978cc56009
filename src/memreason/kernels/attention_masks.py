"""What a model gives to an attention function besides queries, keys and values: all of it is respected, or refused.

transformers' decoders describe which tokens each token may see by a function of two positions, and the mask for an
attention function is made from it. They also pass options by name. An attention function that ignores either of these
computes something else than the model, without any error. So the description is passed on unchanged (`Seen`), and
Unsupported is raised for every option that is not known to be harmless.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import torch

from memreason.errors import Unsupported

_HARMLESS = frozenset({
    "position_ids", "use_cache", "output_attentions", "output_hidden_states", "output_router_logits", "return_dict",
    "cache_position", "logits_to_keep",
    "sliding_window",  # which is in the mask too, and there for every model
})  # fmt: skip
"""Options of attention functions that do not change what is computed."""


class Seen:
    """Which key each query may see, as the model describes it. Attention functions get it instead of a mask.

    ``local_size`` is the length of the window or chunk in which the tokens of a layer see each other; None if there is
    none.
    """

    def __init__(self, function: Callable[..., torch.Tensor], local_size: int | None, device: torch.device | str):
        self.local_size = local_size
        self._function, self._device = function, device
        self._drawn: dict[tuple[int, int], torch.Tensor] = {}

    def is_plain(self, longest: int) -> bool:
        """Whether each token sees all earlier tokens of its text, in texts of at most ``longest`` tokens."""
        return self.local_size is None or self.local_size >= longest

    def at(self, queries: torch.Tensor, keys: torch.Tensor) -> torch.Tensor:
        """Whether the query at each of ``queries`` (…, 1) sees the key at each of ``keys`` (keys,): (…, keys) bool.

        Both are places in the row. In a row of one text, they are positions in the text.
        """
        zero = torch.zeros((1,) * queries.dim(), dtype=torch.long, device=queries.device)
        return self._function(zero, zero, queries, keys).expand(*queries.shape[:-1], len(keys))

    def among(self, start: int, length: int) -> torch.Tensor:
        """(length, length) bool, for the ``length`` tokens of the row from ``start`` on: whether query i sees key j."""
        if (start, length) not in self._drawn:
            at = torch.arange(start, start + length, device=self._device)
            self._drawn[start, length] = self.at(at[:, None], at)
        return self._drawn[start, length]


def mask_of(
    *,
    mask_function: Callable[..., torch.Tensor],
    attention_mask: torch.Tensor | None = None,
    local_size: int | None = None,
    use_vmap: bool = False,
    device: torch.device | str = "cpu",
    **_: Any,
) -> Seen:
    """The function that transformers calls to make a mask, once it is registered. It returns a `Seen`.

    Raises Unsupported where a batch is padded, or the model makes a mask of another kind.
    """
    if attention_mask is not None:
        raise Unsupported("a mask of padding")
    if use_vmap:
        raise Unsupported("a mask of its own")
    return Seen(mask_function, local_size, device)


def check_options(options: Mapping[str, Any]) -> None:
    """Raise Unsupported if one of the ``options`` of an attention function could change what is computed."""
    for name, value in options.items():
        if value is not None and name not in _HARMLESS and not (name == "is_causal" and value is True):
            raise Unsupported(f"{name} in its attention")


def seen_of(attention_mask: object, options: Mapping[str, Any]) -> Seen:
    """The `Seen` that an attention function got as its mask. Raises Unsupported if the model made a mask of its own, or
    if an option could change what is computed."""
    check_options(options)
    if not isinstance(attention_mask, Seen):
        raise Unsupported("a mask of its own")
    return attention_mask
