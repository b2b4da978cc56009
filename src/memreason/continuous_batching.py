"""Greedy decoding of many prompts at once: a row that has ended gives its place to the next prompt at once.

Every step is one forward pass over a single row of tokens with no padding in it: the next token of
each answer under way, and the whole prompts of those that just got a place. Only attention must know
which token belongs to which answer; it is a function registered with transformers, so any of its
decoders runs unchanged. Keys and values live in one block of memory a layer, a place (*slot*) for
each answer under way.

Tokens that are all but certain to follow, planning tokens above all, are read along with the token
before them and kept only where the model agrees: the result is the same, in fewer steps.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from itertools import islice
from typing import Any

import torch
from torch.nn import functional
from transformers import AttentionInterface, AttentionMaskInterface, DynamicCache, PreTrainedModel

from memreason.errors import Unsupported
from memreason.sharding import is_sharded

_NAME = "memreason_slots"
_SPARE = 64
"""Tokens by which the slots grow when one is full."""


@dataclass
class Row:
    """One answer under way. ``read`` tokens are in its slot already, ``pending`` are read next: the
    prompt, or the last token written and what is guessed to follow it."""

    index: int
    slot: int
    read: int
    pending: list[int]
    written: list[int] = field(default_factory=list)


@dataclass
class _Step:
    """What one forward pass reads, for the attention of each layer.

    ``slot`` and ``position`` (tokens) say where each token's keys and values go. The first ``tokens``
    of them belong to answers under way: ``row`` and ``column`` put them into a grid of (answers, longest
    pending), ``mask`` (answers, 1, grouped heads × longest pending, length) says what they see.
    ``prompts`` are (slot, first token, last token + 1, what is in the slot already).
    """

    slot: torch.Tensor
    position: torch.Tensor
    tokens: int
    row: torch.Tensor
    column: torch.Tensor
    slots: torch.Tensor
    width: int
    length: int
    seen: torch.Tensor
    prompts: list[tuple[int, int, int, int]]
    mask: torch.Tensor | None = None


class Slots:
    """Keys and values of all answers under way: (slots, key-value heads, capacity, head size) a layer."""

    def __init__(self, count: int, shared: DynamicCache | None):
        self.count, self.capacity = count, 0
        self.keys: dict[int, torch.Tensor] = {}
        self.values: dict[int, torch.Tensor] = {}
        self._shared = shared
        self.step: _Step | None = None

    def attend(
        self, layer: int, query: torch.Tensor, key: torch.Tensor, value: torch.Tensor, scaling: float | None
    ) -> torch.Tensor:
        """Attention of one layer: ``query`` (heads, tokens, size) → (1, tokens, heads, size)."""
        step = self.step
        assert step is not None
        if value.shape != key.shape:
            raise Unsupported("values of another size than keys")
        if layer not in self.keys:
            self._open(layer, key)
        keys, values = self.keys[layer], self.values[layer]
        keys[step.slot, :, step.position] = key.transpose(0, 1)
        values[step.slot, :, step.position] = value.transpose(0, 1)
        heads, tokens, size = query.shape
        out = query.new_empty(tokens, heads, size)
        if step.tokens:
            out[: step.tokens] = self._continue(step, query[:, : step.tokens], keys, values, scaling)
        for slot, start, end, before in step.prompts:
            length = before + end - start
            mask = None
            if before:
                mask = torch.ones(end - start, length, dtype=torch.bool, device=query.device).tril(before)
            found = functional.scaled_dot_product_attention(
                query[None, :, start:end], keys[slot : slot + 1, :, :length], values[slot : slot + 1, :, :length],
                attn_mask=mask, is_causal=mask is None, scale=scaling, enable_gqa=True,
            )  # fmt: skip
            out[start:end] = found[0].transpose(0, 1)
        return out[None]

    def _continue(
        self, step: _Step, query: torch.Tensor, keys: torch.Tensor, values: torch.Tensor, scaling: float | None
    ) -> torch.Tensor:
        """(tokens, heads, size) of the answers under way, as one grid; heads that share keys stand in one group."""
        heads, _, size = query.shape
        rows, width, groups = len(step.slots), step.width, keys.shape[1]
        as_grid = width > 1 or step.tokens < rows
        if rows < self.count:
            keys, values = keys[step.slots, :, : step.length], values[step.slots, :, : step.length]
        else:
            keys, values = keys[:, :, : step.length], values[:, :, : step.length]
        if step.mask is None or step.mask.dtype != query.dtype:
            seen = step.seen[:, None].expand(rows, heads // groups, width, step.length)
            step.mask = query.new_zeros(()).expand(seen.shape).masked_fill(~seen, -torch.inf).flatten(1, 2)[:, None]
        grid = query.transpose(0, 1)
        if as_grid:
            grid = query.new_zeros(rows, width, heads, size)
            grid[step.row, step.column] = query.transpose(0, 1)
        grid = grid.view(rows, width, groups, heads // groups, size).permute(0, 2, 3, 1, 4).flatten(2, 3)
        found = functional.scaled_dot_product_attention(grid, keys, values, attn_mask=step.mask, scale=scaling)
        found = found.unflatten(2, (heads // groups, width)).permute(0, 3, 1, 2, 4).reshape(rows, width, heads, size)
        return found[step.row, step.column] if as_grid else found[:, 0]

    def _open(self, layer: int, like: torch.Tensor) -> None:
        """Make a layer's slots, with what all prompts share at the beginning of each."""
        groups, _, size = like.shape
        for held, which in ((self.keys, "keys"), (self.values, "values")):
            held[layer] = like.new_zeros(self.count, groups, self.capacity, size)
            if self._shared is not None:
                shared = getattr(self._shared.layers[layer], which)
                held[layer][:, :, : shared.shape[2]] = shared

    def make_room(self, length: int) -> None:
        """Let every slot hold ``length`` tokens."""
        if length <= self.capacity:
            return
        more = length + _SPARE - self.capacity
        for held in (self.keys, self.values):
            for layer, block in held.items():
                held[layer] = functional.pad(block, (0, 0, 0, more))
        self.capacity += more


_current: list[Slots] = []


def _attend(
    module: torch.nn.Module,
    query: torch.Tensor,
    key: torch.Tensor,
    value: torch.Tensor,
    attention_mask: torch.Tensor | None,
    scaling: float | None = None,
    **options: Any,
) -> tuple[torch.Tensor, None]:
    for name in ("sliding_window", "softcap", "s_aux"):
        if options.get(name) is not None:
            raise Unsupported(name)
    return _current[-1].attend(int(module.layer_idx), query[0], key[0], value[0], scaling), None  # type: ignore[arg-type]


AttentionInterface.register(_NAME, _attend)
AttentionMaskInterface.register(_NAME, lambda **_: None)


@contextmanager
def _slots_as_attention(model: PreTrainedModel, slots: Slots) -> Iterator[None]:
    usual = model.config._attn_implementation
    try:
        model.set_attn_implementation(_NAME)
    except ValueError as error:
        raise Unsupported(str(error)) from error
    _current.append(slots)
    try:
        # What sharded weights are gathered into stays for training, so it must be no inference tensor.
        with torch.no_grad() if is_sharded(model) else torch.inference_mode():
            yield
    finally:
        _current.pop()
        model.set_attn_implementation(usual)


def decode(
    model: PreTrainedModel,
    prompts: Sequence[Sequence[int]],
    room: Sequence[int],
    *,
    end_id: int,
    slots: int,
    on_ended: Callable[[int, list[int]], None],
    shared: DynamicCache | None = None,
    guess: Callable[[list[int]], list[int]] | None = None,
    forced: Callable[[list[int]], int | None] | None = None,
    ended: Callable[[list[int]], bool] | None = None,
    anywhere: Callable[[bool], bool] | None = None,
) -> None:
    """The greedy continuation of each prompt: at most ``room`` ids of its own, the end token included.

    ``on_ended`` is given each prompt's index and its new ids as soon as it has ended. ``slots`` answers are under way
    at once, and a prompt is asked for when its turn comes. ``shared`` holds the keys and values of what stands before
    every prompt. ``guess`` gives the ids that are likely to follow those written (it changes the time
    taken, nothing else), ``forced`` the one id that must follow, ``ended`` says that an answer has ended
    without an end token. ``anywhere`` says whether something is true
    in any process, where all must make the same number of passes (sharded weights): a process that is
    done reads a token for nothing until all are. Raises Unsupported before anything
    is decoded, where the model's attention is of another kind.
    """
    before = shared.get_seq_length() if shared is not None else 0
    held = Slots(max(1, min(slots, len(prompts))), shared)
    waiting = iter(range(len(prompts)))
    free = list(range(held.count))
    under_way: list[Row] = []
    # Is it supported? Tried on two tokens: a model that is not may not take long rows either.
    if len(prompts) or anywhere:
        probe = Slots(1, shared)
        with _slots_as_attention(model, probe):
            _forward(model, probe, [], [Row(0, 0, before, [0, 0])])
    with _slots_as_attention(model, held):
        while True:
            next_ones = list(islice(waiting, len(free)))
            busy = bool(next_ones or under_way)
            if not (anywhere(busy) if anywhere else busy):
                break
            if not busy:
                _forward(model, held, [], [Row(0, 0, before, [0])])
                continue
            joined = [Row(index, free.pop(), before, list(prompts[index])) for index in next_ones]
            best = _forward(model, held, under_way, joined)
            under_way = sorted(under_way + joined, key=lambda row: row.slot)
            going_on = []
            for row in under_way:
                if _accept(row, best[row.slot], room[row.index], end_id, forced, ended):
                    on_ended(row.index, row.written)
                    free.append(row.slot)
                    continue
                left = room[row.index] - len(row.written)  # of which the model's own next token is one
                row.pending = row.written[-1:] + (guess(row.written)[: left - 1] if guess else [])
                going_on.append(row)
            under_way = going_on


def _accept(
    row: Row,
    best: list[int],
    room: int,
    end_id: int,
    forced: Callable[[list[int]], int | None] | None,
    ended: Callable[[list[int]], bool] | None,
) -> bool:
    """Take over what the model says follows each pending token, as long as the guesses hold; True at the end.

    ``best`` has the model's choice after each pending token of an answer, or after the whole prompt.
    """
    is_prompt = not row.written
    row.read += len(row.pending) if is_prompt else 1
    for at, choice in enumerate(best):
        must = forced(row.written) if forced else None
        token = choice if must is None else must
        row.written.append(token)
        if token == end_id or len(row.written) >= room or (ended and ended(row.written)):
            return True
        if is_prompt or at + 1 >= len(row.pending) or row.pending[at + 1] != token:
            return False
        row.read += 1
    return False


def _forward(model: PreTrainedModel, slots: Slots, under_way: list[Row], joined: list[Row]) -> dict[int, list[int]]:
    """One pass over everything pending; slot → the model's choice after each pending token (of a prompt: the last)."""
    device = model.device
    rows = [*under_way, *joined]
    slots.make_room(max(row.read + len(row.pending) for row in rows))
    lengths = [len(row.pending) for row in rows]
    ends = [sum(lengths[: i + 1]) for i in range(len(rows))]
    tokens = sum(lengths[: len(under_way)])
    width = max(lengths[: len(under_way)], default=1)
    length = max((row.read + len(row.pending) for row in under_way), default=0)
    # To attend over a few idle slots too costs less than to copy the others together.
    in_place = 4 * len(under_way) >= 3 * slots.count
    line = {row.slot: row.slot if in_place else i for i, row in enumerate(under_way)}
    read = {line[row.slot]: row.read for row in under_way}
    cells = [(line[row.slot], j) for row in under_way for j in range(len(row.pending))]
    ids, slot, position, row_of, column_of, in_use, reads, keep = _move_together(
        device,
        [token for row in rows for token in row.pending],
        [row.slot for row in rows for _ in row.pending],
        [row.read + i for row in rows for i in range(len(row.pending))],
        [i for i, _ in cells],
        [j for _, j in cells],
        [*range(slots.count)] if in_place else [row.slot for row in under_way],
        [read.get(i, 0) for i in range(slots.count if in_place else len(under_way))],
        [*range(tokens), *(end - 1 for end in ends[len(under_way) :])],
    )
    # A row's shorter pending is padded in the grid; what its padding sees does not matter.
    columns = torch.arange(width, device=device)[None, :, None]
    seen = torch.arange(length, device=device) <= reads[:, None, None] + columns
    prompts = [(row.slot, end - size, end, row.read) for row, end, size in zip(rows, ends, lengths, strict=True)]
    slots.step = _Step(
        slot, position, tokens, row_of, column_of, in_use, width, length, seen, prompts[len(under_way) :]
    )
    inputs: dict[str, Any] = {"input_ids": ids[None], "position_ids": position[None]}
    bare = model.get_base_model() if hasattr(model, "get_base_model") else model
    if "logits_to_keep" in inspect.signature(bare.forward).parameters:
        logits = model(**inputs, use_cache=False, logits_to_keep=keep).logits[0]
    else:
        logits = model(**inputs, use_cache=False).logits[0, keep]
    if len(slots.keys) != model.config.get_text_config().num_hidden_layers:
        raise Unsupported("some layers do not attend through transformers' attention interface")
    best = logits.max(-1).indices  # which is five times as fast as argmax, in 16 bits on a CPU
    choices = iter(best.tolist())  # the one point where the host waits for the device
    counts = lengths[: len(under_way)] + [1] * len(joined)
    return {row.slot: [next(choices) for _ in range(count)] for row, count in zip(rows, counts, strict=True)}


def _move_together(device: torch.device, *lists: list[int]) -> tuple[torch.Tensor, ...]:
    """Each list as a tensor on the device, by one copy that the host does not wait for."""
    flat = torch.tensor([number for numbers in lists for number in numbers], dtype=torch.long)
    flat = flat.pin_memory() if device.type == "cuda" else flat
    return flat.to(device, non_blocking=True).split([len(numbers) for numbers in lists])
