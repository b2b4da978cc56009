"""What a model asks of an attention function beyond queries, keys and values: read in full, or refused.

transformers' decoders describe what each token may see by a function of two places, from which an attention's
own mask is drawn, and hand options to the attention function by name. Whoever takes no note of them computes
something else than the model, and nothing shows. So the description is passed on as it is (`Seen`), and
options that are not known to change nothing are refused.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import torch

from memreason.errors import Unsupported

_HARMLESS = frozenset({
    "position_ids", "use_cache", "output_attentions", "output_hidden_states", "output_router_logits", "return_dict",
    "sliding_window",  # which is in the mask too, and there for every model
})  # fmt: skip
"""Options of attention functions that do not change what is computed."""


class Seen:
    """Which key each query may see, as a model describes it; stands where an attention mask would.

    ``local_size`` is the window or chunk that a layer's texts are confined to, None where they are not.
    """

    def __init__(self, function: Callable[..., torch.Tensor], local_size: int | None, device: torch.device | str):
        self.local_size = local_size
        self._function, self._device = function, device
        self._drawn: dict[tuple[int, int], torch.Tensor] = {}

    def is_plain(self, longest: int) -> bool:
        """Whether all that comes before in a text is seen, in texts of at most ``longest`` tokens."""
        return self.local_size is None or self.local_size >= longest

    def among(self, start: int, length: int) -> torch.Tensor:
        """(length, length) bool: which of these tokens of the row (keys) which of them (queries) sees."""
        if (start, length) not in self._drawn:
            at = torch.arange(start, start + length, device=self._device)
            zero = at.new_zeros(1, 1, 1, 1)
            drawn = self._function(zero, zero, at[None, None, :, None], at[None, None, None, :])
            self._drawn[start, length] = drawn.expand(1, 1, length, length)[0, 0]
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
    """To be registered with transformers as what draws the masks of an attention. Raises Unsupported."""
    if attention_mask is not None:
        raise Unsupported("a mask of padding")
    if use_vmap:
        raise Unsupported("a mask of its own")
    return Seen(mask_function, local_size, device)


def seen_of(attention_mask: object, options: Mapping[str, Any]) -> Seen:
    """What an attention function has been given as its mask. Raises Unsupported where the model made one of its own,
    or where an option might change what is computed."""
    for name, value in options.items():
        if value is not None and name not in _HARMLESS and not (name == "is_causal" and value is True):
            raise Unsupported(f"{name} in its attention")
    if not isinstance(attention_mask, Seen):
        raise Unsupported("a mask of its own")
    return attention_mask
