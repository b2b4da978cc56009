"""Greedy decoding of many prompts at once: a row that has ended gives its place to the next prompt at once.

Every step is one forward pass over a single row of tokens with no padding in it: the next token of
each answer under way, and the whole prompts of those that just got a place. Only attention must know
which token belongs to which answer (`slot_attention`).

Tokens that are likely to follow, planning tokens above all, are read along with the token
before them and kept only where the model agrees: the result is the same, in fewer steps.

Whether a model can be read so is proven beforehand, on the first prompt's tokens: logits by way of the slots must be
those of a plain pass over the whole text.
"""

from __future__ import annotations

import copy
import inspect
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from itertools import islice
from typing import Any
from weakref import WeakKeyDictionary

import torch
from transformers import DynamicCache, PreTrainedModel

from memreason.errors import Unsupported
from memreason.generation.agreement import ERRORS, agree, is_exact, out_of_memory, turns_with_length
from memreason.generation.slot_attention import Slots, Step, slots_as_attention
from memreason.runtime.cpu_threads import share_cores


@dataclass
class Row:
    """One answer under way. ``read`` tokens are in its slot already, ``pending`` are read next: the
    prompt, or the last token written and what is guessed to follow it."""

    index: int
    slot: int
    read: int
    pending: list[int]
    written: list[int] = field(default_factory=list)


def decode(
    model: PreTrainedModel,
    prompts: Sequence[Sequence[int]],
    room: Sequence[int],
    *,
    end_id: int,
    slots: int,
    on_ended: Callable[[int, list[int]], None],
    shared: DynamicCache | None = None,
    guess: Callable[[list[int], int], list[int]] | None = None,
    forced: Callable[[list[int]], int | None] | None = None,
    ended: Callable[[list[int]], bool] | None = None,
    anywhere: Callable[[bool], bool] | None = None,
    longest: int | None = None,
) -> None:
    """The greedy continuation of each prompt: at most ``room`` ids of its own, the end token included.

    ``on_ended`` is given each prompt's index and its new ids as soon as it has ended. ``slots`` answers are under way
    at once, and a prompt is asked for when its turn comes. ``shared`` holds the keys and values of what stands before
    every prompt. ``guess`` gives the ids that are likely to follow those written, of which the last few, so many, are
    new to it (it changes the time taken, nothing else), ``forced`` the one id that must follow, ``ended`` says that an
    answer has ended without an end token. ``anywhere`` says whether something is true in any process, where all must
    make the same number of passes (sharded weights): a process that is done reads a token for nothing until all are.
    ``longest`` is what a prompt and its answer have at most together; where it is not given, all prompts are asked for
    beforehand. Raises Unsupported before anything
    is decoded, where the model cannot be read so.
    """
    before = shared.get_seq_length() if shared is not None else 0
    if longest is None:
        longest = max((len(prompt) + left for prompt, left in zip(prompts, room, strict=True)), default=1)
    longest += before
    if len(prompts) or anywhere:
        _prove_once(model, prompts[0] if len(prompts) else [end_id], shared, longest, anywhere)
    held = Slots(max(1, min(slots, len(prompts))), shared, longest)
    waiting = iter(range(len(prompts)))
    under_way: list[Row] = []
    with slots_as_attention(model, held):
        while True:
            next_ones = list(islice(waiting, held.count - len(under_way)))
            busy = bool(next_ones or under_way)
            if not (anywhere(busy) if anywhere else busy):
                break
            if not busy:
                _forward(model, held, [], [Row(0, 0, before, [0])])
                continue
            free = _free(held, under_way, len(under_way) + len(next_ones))
            joined = [Row(index, free.pop(), before, list(prompts[index])) for index in next_ones]
            best = _forward(model, held, under_way, joined)
            under_way = sorted(under_way + joined, key=lambda row: row.slot)
            going_on = []
            for row in under_way:
                known = len(row.written)
                if _accept(row, best[row.slot], room[row.index], end_id, forced, ended):
                    on_ended(row.index, row.written)
                    continue
                left = room[row.index] - len(row.written)  # of which the model's own next token is one
                guessed = guess(row.written, len(row.written) - known) if guess else []
                row.pending = row.written[-1:] + guessed[: left - 1]
                going_on.append(row)
            under_way = going_on


def _free(held: Slots, under_way: list[Row], count: int) -> list[int]:
    """The slots below ``count`` that nobody has, after those under way above have moved into some of them: attention
    looks at all slots up to the last in use."""
    free = sorted({*range(count)} - {row.slot for row in under_way}, reverse=True)
    for row in under_way:
        if row.slot >= count:
            held.move(row.slot, free[-1], row.read)
            row.slot = free.pop()
    under_way.sort(key=lambda row: row.slot)
    return free


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


_PROVEN: WeakKeyDictionary[torch.nn.Module, dict[bool, int]] = WeakKeyDictionary()
"""Model → with something shared or without → the longest answers that it was proven for: that is a matter of its
architecture, not of its weights."""


def _prove_once(
    model: PreTrainedModel,
    ids: Sequence[int],
    shared: DynamicCache | None,
    longest: int,
    anywhere: Callable[[bool], bool] | None,
) -> None:
    """Raise Unsupported, in all processes alike, where the model reads something else by way of slots."""
    proven = _PROVEN.setdefault(_bare(model), {})
    if proven.get(shared is not None, 0) >= longest:
        return
    reason = None
    try:
        if not _reads_alike(model, ids, shared, longest):
            reason = "its logits differ from those of a plain pass"
    except Unsupported as error:
        reason = str(error)
    except ERRORS as error:
        if out_of_memory(error):
            raise
        reason = f"it fails ({type(error).__name__}: {error})"
    if anywhere(reason is not None) if anywhere else reason:
        raise Unsupported(reason or "another process found that this model cannot be read so")
    proven[shared is not None] = longest


def _reads_alike(model: PreTrainedModel, ids: Sequence[int], shared: DynamicCache | None, longest: int) -> bool:
    """Whether logits by way of slots are those of a plain pass over each text, and one text's whoever is beside it.

    Raises Unsupported where the attention asked for is of another kind.
    """
    if turns_with_length(model, longest):
        raise Unsupported(f"its rotary positions depend on the length of a text, within {longest} tokens")
    # Texts that have nothing in common at the same place, of different lengths.
    first = (list(ids) * 12)[:12]
    second, third = first[-2::-1], [*first[5:], *first[:5]]
    found = _by_slots(model, [first, second], shared, longest)
    if not is_exact(model):  # a little of another text would pass for rounding below
        beside = _by_slots(model, [third, second], shared, longest)
        if not agree(model, beside[1], found[1], exactly=True):
            return False
    with torch.no_grad():
        for text, logits in zip((first, second), found, strict=True):
            own = {"past_key_values": copy.deepcopy(shared)} if shared is not None else {"use_cache": False}
            plain = model(input_ids=torch.tensor([text], device=model.device), **own).logits[0]
            at = len(text) - 4 + torch.arange(len(logits), device=plain.device)
            if not agree(model, logits, plain[at]):
                return False
    return True


def _by_slots(
    model: PreTrainedModel, texts: Sequence[list[int]], shared: DynamicCache | None, longest: int
) -> list[torch.Tensor]:
    """Logits of two texts: after a prompt, which is all but three tokens, and after tokens that are read later."""
    before = shared.get_seq_length() if shared is not None else 0
    slots = Slots(2, shared, longest)
    first, second = (Row(at, at, before, text[:-3]) for at, text in enumerate(texts))
    with slots_as_attention(model, slots):
        slots.checks_masks = True
        alone = _logits(model, slots, [], [first])
        slots.checks_masks = False
        if not len(slots.keys) == slots.calls == model.config.get_text_config().num_hidden_layers:
            raise Unsupported("not every layer attends through transformers' attention interface, once")
        _read_on(first, texts[0], 1)
        joined = _logits(model, slots, [first], [second])
        _read_on(first, texts[0], 2)
        _read_on(second, texts[1], 1)
        going_on = _logits(model, slots, [first, second], [])
    return [torch.cat([alone, joined[:1], going_on[:2]]), torch.cat([joined[1:], going_on[2:]])]


def _read_on(row: Row, text: list[int], count: int) -> None:
    """What is pending has been read; the next ``count`` tokens of its text are pending now."""
    at = len(row.written) + len(row.pending)
    row.read, row.written = row.read + len(row.pending), text[:at]
    row.pending = text[at : at + count]


def _bare(model: PreTrainedModel) -> PreTrainedModel:
    return model.get_base_model() if hasattr(model, "get_base_model") else model


def _forward(model: PreTrainedModel, slots: Slots, under_way: list[Row], joined: list[Row]) -> dict[int, list[int]]:
    """One pass over everything pending; slot → the model's choice after each pending token (of a prompt: the last)."""
    best = _logits(model, slots, under_way, joined).max(-1).indices  # in 16 bits five times as fast as argmax on a CPU
    choices = iter(best.tolist())  # the one point where the host waits for the device
    counts = [len(row.pending) for row in under_way] + [1] * len(joined)
    return {
        row.slot: [next(choices) for _ in range(count)]
        for row, count in zip([*under_way, *joined], counts, strict=True)
    }


def _logits(model: PreTrainedModel, slots: Slots, under_way: list[Row], joined: list[Row]) -> torch.Tensor:
    """One pass over everything pending: logits after each pending token of those under way, and after each prompt."""
    share_cores()
    device = model.device
    rows = [*under_way, *joined]
    slots.make_room(max(row.read + len(row.pending) for row in rows))
    lengths = [len(row.pending) for row in rows]
    ends = [sum(lengths[: i + 1]) for i in range(len(rows))]
    tokens = sum(lengths[: len(under_way)])
    width = max(lengths[: len(under_way)], default=1)
    length = max((row.read + len(row.pending) for row in under_way), default=0)
    count = max((row.slot + 1 for row in under_way), default=0)
    read = {row.slot: row.read for row in under_way}
    cells = [(row.slot, j) for row in under_way for j in range(len(row.pending))]
    ids, slot, position, row_of, column_of, reads, keep = _move_together(
        device,
        [token for row in rows for token in row.pending],
        [row.slot for row in rows for _ in row.pending],
        [row.read + i for row in rows for i in range(len(row.pending))],
        [i for i, _ in cells],
        [j for _, j in cells],
        [read.get(i, 0) for i in range(count)],
        [*range(tokens), *(end - 1 for end in ends[len(under_way) :])],
    )
    # A row's shorter pending is padded in the grid; what its padding sees does not matter.
    columns = torch.arange(width, device=device)[None, :, None]
    seen = torch.arange(length, device=device) <= reads[:, None, None] + columns
    prompts = [(row.slot, end - size, end, row.read) for row, end, size in zip(rows, ends, lengths, strict=True)]
    slots.step = Step(slot, position, tokens, row_of, column_of, width, length, seen, prompts[len(under_way) :])
    inputs: dict[str, Any] = {"input_ids": ids[None], "position_ids": position[None]}
    if "logits_to_keep" in inspect.signature(_bare(model).forward).parameters:
        return model(**inputs, use_cache=False, logits_to_keep=keep).logits[0]
    return model(**inputs, use_cache=False).logits[0, keep]


def _move_together(device: torch.device, *lists: list[int]) -> tuple[torch.Tensor, ...]:
    """Each list as a tensor on the device, by one copy that the host does not wait for."""
    flat = torch.tensor([number for numbers in lists for number in numbers], dtype=torch.long)
    flat = flat.pin_memory() if device.type == "cuda" else flat
    return flat.to(device, non_blocking=True).split([len(numbers) for numbers in lists])
