"""Greedy decoding of many prompts at once: a row that has ended gives its place to the next prompt at once.

Every step is one forward pass (`slot_pass`). Tokens that are likely to follow, planning tokens above all, are read
along with the token before them and kept only where the model agrees: the result is the same, in fewer steps.
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
    """The greedy continuation of each prompt; ``slots`` answers are under way at once, and a prompt is asked for when
    its turn comes.

    ``shared`` holds the keys and values of what stands before every prompt. ``any_rank`` says whether something is true
    in any process, where all must make the same number of passes (sharded weights): a process that is done reads a
    token for nothing until all are. Raises Unsupported before anything is decoded, where the model cannot be read so.
    """
    cache = SlotCache(max(1, min(slots, len(requests))), shared)
    longest = requests.longest + cache.shared_length
    if len(requests) or any_rank:
        prove_once(model, requests.prompts[0] if len(requests) else [rules.end_id], shared, longest, any_rank)
    scheduler = Scheduler(model, rules, SlotAttention(cache, longest))
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
    """Which answers are under way, and what is read next. To be used within `attending_over` its ``slots``."""

    def __init__(self, model: PreTrainedModel, rules: Rules, slots: SlotAttention):
        self.model, self.rules, self.slots = model, rules, slots
        self.under_way: list[Row] = []

    @property
    def free(self) -> int:
        """How many more answers can join."""
        return self.slots.cache.slots - len(self.under_way)

    def step(self, joining: list[tuple[int, list[int], int]]) -> list[Row]:
        """One pass over all answers under way and those ``joining``, each a number, a prompt and how many ids it may be
        continued with; returns the answers that have ended."""
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
        """A pass over a token for nothing; returns no answers."""
        best_ids(self.model, self.slots, [], [Row(0, 0, self.slots.cache.shared_length, [0])])
        return []

    def _free_slots(self, count: int) -> list[int]:
        """The slots below ``count`` that nobody has, after those under way above have moved into some of them:
        attention looks at all slots up to the last in use."""
        free = sorted({*range(count)} - {row.slot for row in self.under_way}, reverse=True)
        for row in self.under_way:
            if row.slot >= count:
                self.slots.cache.move(row.slot, free[-1], row.read)
                row.slot = free.pop()
        self.under_way.sort(key=lambda row: row.slot)
        return free

    def _take_over(self, row: Row, best: list[int]) -> bool:
        """Take over what the model says and draft what follows; True where the answer has ended."""
        known = len(row.generated)
        if self._accept(row, best):
            return True
        left = row.max_new_tokens - len(row.generated)  # of which the model's own next token is one
        draft = self.rules.draft(row.generated, len(row.generated) - known) if self.rules.draft else []
        row.pending = row.generated[-1:] + draft[: left - 1]
        return False

    def _accept(self, row: Row, best: list[int]) -> bool:
        """Take over what the model says follows each pending token, as long as the draft holds; True at the end.

        ``best`` has the model's choice after each pending token of an answer, or after the whole prompt.
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
