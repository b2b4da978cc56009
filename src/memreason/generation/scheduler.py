"""Continuous batching: greedy decoding of many prompts, where the next prompt takes the slot of an answer that ended.

Every step is one forward pass (`slot_pass`). It also reads draft tokens: tokens that are likely to follow, above all
planning tokens. They are kept only if the model chooses them too, so the result is the same, in fewer steps.
"""

from __future__ import annotations

from collections.abc import Callable
from itertools import islice

from transformers import DynamicCache, PreTrainedModel

from memreason.generation.kv_cache import SlotCache
from memreason.generation.requests import OnEnded, Requests, Rules
from memreason.generation.slot_attention import SlotAttention, attending_over
from memreason.generation.slot_pass import Row, best_ids
from memreason.generation.slot_proof import prove_once


def decode(
    model: PreTrainedModel,
    requests: Requests,
    rules: Rules,
    slots: int,
    on_ended: OnEnded,
    shared: DynamicCache | None = None,
    any_rank: Callable[[bool], bool] | None = None,
) -> None:
    """Generate the greedy continuation of each prompt, ``slots`` answers at once, and call ``on_ended`` for each.

    A prompt is read from ``requests`` only when a slot is free. ``shared`` holds the keys and values of the tokens
    before every prompt. ``any_rank`` says whether a condition is true in any process; it is given if all processes must
    make the same number of passes (sharded weights). A process that has finished then makes idle passes until all have.
    Raises Unsupported, before anything is decoded, if this kind of pass is not correct for the model.
    """
    cache = SlotCache(max(1, min(slots, len(requests))), shared)
    longest = requests.longest + cache.shared_length
    if not len(requests) and not any_rank:
        return
    masks = prove_once(model, requests.prompts[0] if len(requests) else [rules.end_id], shared, longest, any_rank)
    scheduler = Scheduler(model, rules, SlotAttention(cache, longest, masks))
    waiting = iter(range(len(requests)))
    with attending_over(model, scheduler.slots):
        while True:
            joining = [
                (index, list(requests.prompts[index]), requests.max_new_tokens[index])
                for index in islice(waiting, scheduler.free)
            ]
            busy = bool(joining or scheduler.under_way)
            if not (any_rank(busy) if any_rank else busy):
                break
            for row in scheduler.step(joining) if busy else scheduler.idle():
                on_ended(row.index, row.generated)


class Scheduler:
    """Holds the answers under way, and decides what is read next. Use it within `attending_over` (of its ``slots``)."""

    def __init__(self, model: PreTrainedModel, rules: Rules, slots: SlotAttention):
        self.model, self.rules, self.slots = model, rules, slots
        self.under_way: list[Row] = []

    @property
    def free(self) -> int:
        """How many more answers can join."""
        return self.slots.cache.slots - len(self.under_way)

    def step(self, joining: list[tuple[int, list[int], int]]) -> list[Row]:
        """Make one pass over all answers under way and those that are ``joining``; return the answers that have ended.

        Each that joins is given as its number, its prompt, and the most ids to generate.
        """
        free = self._free_slots(len(self.under_way) + len(joining))
        before = self.slots.cache.shared_length
        joined = [Row(index, free.pop(), before, prompt, room) for index, prompt, room in joining]
        best = best_ids(self.model, self.slots, self.under_way, joined)
        ended: list[Row] = []
        going_on: list[Row] = []
        for row in sorted(self.under_way + joined, key=lambda row: row.slot):
            (ended if self._take_over(row, best[row.slot]) else going_on).append(row)
        self.under_way = going_on
        return ended

    def idle(self) -> list[Row]:
        """Make a pass over a token that is not used; return no answers."""
        best_ids(self.model, self.slots, [], [Row(0, 0, self.slots.cache.shared_length, [0])])
        return []

    def _free_slots(self, count: int) -> list[int]:
        """The free slots below ``count``. Answers in higher slots are first moved into some of them, since attention
        computes all slots up to the last one in use."""
        free = sorted({*range(count)} - {row.slot for row in self.under_way}, reverse=True)
        for row in self.under_way:
            if row.slot >= count:
                self.slots.cache.move(row.slot, free[-1], row.read)
                row.slot = free.pop()
        self.under_way.sort(key=lambda row: row.slot)
        return free

    def _take_over(self, row: Row, best: list[int]) -> bool:
        """Add the tokens that the model chose to the answer, and draft what follows; True if the answer has ended."""
        known = len(row.generated)
        if self._accept(row, best):
            return True
        left = row.max_new_tokens - len(row.generated)  # the model's own next token is one of these
        draft = self.rules.draft(row.generated, len(row.generated) - known) if self.rules.draft else []
        row.pending = row.generated[-1:] + draft[: left - 1]
        return False

    def _accept(self, row: Row, best: list[int]) -> bool:
        """Add the model's choice after each pending token to the answer, as long as the draft was right; True if the
        answer has ended.

        ``best`` has the model's choice after each pending token of an answer, or, of a prompt, after its last token.
        """
        rules = self.rules
        is_prompt = not row.generated
        row.read += len(row.pending) if is_prompt else 1
        for at, choice in enumerate(best):
            must = rules.forced(row.generated) if rules.forced else None
            token = choice if must is None else must
            row.generated.append(token)
            if token == rules.end_id or len(row.generated) >= row.max_new_tokens:
                return True
            if rules.is_ended and rules.is_ended(row.generated):
                return True
            if is_prompt or at + 1 >= len(row.pending) or row.pending[at + 1] != token:
                return False
            row.read += 1
        return False
