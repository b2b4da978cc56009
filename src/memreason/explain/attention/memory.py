"""How much memory attention takes, beside what a plain pass over the same text takes: computed, not measured."""

from __future__ import annotations

from dataclasses import dataclass

AT_ONCE = 1 << 19
"""Most weights in a block of rows, if a single row of a group of heads does not have more."""
_COPIES = 8
"""Arrays of the size of a block that exist at one time: scores, what softmax and the sink's share are computed from,
and weights, of a block and of the one before it."""
_FLOAT, _KINDS = 4, 8


@dataclass(frozen=True)
class Memory:
    """Bytes, for a text of some ``tokens`` in some ``spans``."""

    block: int
    """The weights of a block of rows, with what they are computed from."""
    masks: int
    """What each token sees: the mask, and its opposite."""
    sums: int
    """What is kept: weights between spans, for each layer and head."""
    one_head: int
    """The weights of one head between all tokens, where they are asked for."""
    all_weights: int
    """What is not kept: the weights of all layers and heads at once, as `output_attentions` gives them."""

    @property
    def peak(self) -> int:
        """The most at one time."""
        return self.block + self.masks + self.sums + self.one_head


def memory(layers: int, heads: int, groups: int, tokens: int, spans: int = 20, itemsize: int = 4) -> Memory:
    """Bytes for a model with some ``layers``, ``heads`` in a layer, and ``groups`` of heads that share keys.

    A block has the heads of one group (on an accelerator: all heads), and so many rows that it has at most
    `AT_ONCE` weights. ``itemsize`` is that of the model's data type.
    """
    share = heads // groups
    block = min(share * tokens, max(1, AT_ONCE // (share * tokens)) * share) * tokens
    return Memory(
        block=block * _FLOAT * _COPIES,
        masks=2 * tokens * tokens,
        sums=2 * layers * heads * (spans + 1) * (spans + _KINDS) * _FLOAT,
        one_head=tokens * tokens * _FLOAT,
        all_weights=layers * heads * tokens * tokens * itemsize,
    )
