"""Continuous batching: many answers at once, where the next one takes the slot of an answer that has ended.

Every step is one forward pass (`slot_pass`). It also reads draft tokens: tokens that are likely to follow, above all
planning tokens. They are kept only if the same tokens are chosen from the model's logits, so the result is the same, in
fewer steps. A prompt that begins as one that is in a slot already gets a copy of what was read there, and only its rest
is read.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from itertools import takewhile

from transformers import DynamicCache, PreTrainedModel

from memreason.generation.kv_cache import SlotCache
from memreason.generation.options import GenerationOptions
from memreason.generation.samples import Choices, Sample
from memreason.generation.slot_attention import SlotAttention, attending_by_slots, reading_into
from memreason.generation.slot_pass import Row, logits_of
from memreason.generation.slot_proof import prove_once

_LEAST_SHARED = 16
"""What is in a slot is copied if it is at least so many tokens, and such a share of a prompt as `least_shared` says.
For less, reading it again costs little, and gives the same bits whatever else is decoded."""
_LOOKED_AT = 256
"""How many waiting answers are looked at in a step for one that can join."""

Draft = Callable[[list[int], int], list[int]]
"""From the generated ids of an answer, of which so many are new, the ids that are likely to follow."""


class Scheduler:
    """Holds the answers under way, and decides what is read next. Use it within `attending`."""

    def __init__(
        self,
        model: PreTrainedModel,
        end_id: int,
        slots: int,
        longest: int,
        draft: Draft | None = None,
        shared: DynamicCache | None = None,
        least_shared: float = GenerationOptions.least_shared,
    ):
        """At most ``slots`` answers are under way. ``longest`` is the most tokens of a prompt and its continuation.
        ``shared`` holds the keys and values of the tokens before every prompt. ``least_shared`` is as in
        `GenerationOptions`."""
        self.model, self.end_id, self.most, self._draft, self._shared = model, end_id, slots, draft, shared
        self._least_shared = least_shared
        self._slots = SlotAttention(SlotCache(1, shared), longest + (shared.get_seq_length() if shared else 0))
        self.under_way: list[Row] = []
        self.waiting: deque[Sample] = deque()
        self._left: dict[int, Sequence[int]] = {}
        """Free slot → the ids that are still in it."""

    def prove(self, prompt: Sequence[int], any_rank: Callable[[bool], bool] | None = None) -> None:
        """Raise Unsupported if this kind of pass is not correct for the model; any ``prompt`` will do for the test.

        ``any_rank`` says whether a condition is true in any process; it is given if all must decide alike."""
        self._slots.masks = prove_once(self.model, prompt, self._shared, self._slots.longest, any_rank)

    def attending(self) -> AbstractContextManager[None]:
        """Within this context, the model attends over the slots."""
        return attending_by_slots(self.model)

    @property
    def room(self) -> int:
        """How many more answers could join now."""
        return self.most - len(self.under_way) - len(self.waiting)

    def step(self) -> None:
        """Make one pass over all answers under way and those that can join, and call ``on_ended`` of those that end."""
        for sample in self._drop_cancelled():
            sample.on_ended(sample)
        with reading_into(self.model, self._slots):
            self._pass()

    def _pass(self) -> None:
        """Read what is pending, take over what is chosen, and report."""
        joined = self._join()
        rows = [*self.under_way, *joined]
        if not rows:
            return
        samples: list[Sample] = []
        numbers: list[int] = []
        for row in rows:
            count = len(row.pending) if row.sample.generated else 1  # of a prompt, only its last token matters
            samples += [row.sample] * count
            numbers += range(len(row.sample.generated), len(row.sample.generated) + count)
        choices = Choices(logits_of(self.model, self._slots, self.under_way, joined), samples, numbers)
        place = 0
        ended = []
        self.under_way = []
        for row in rows:
            count = len(row.pending) if row.sample.generated else 1
            if self._accept(row, choices, range(place, place + count)):
                ended.append(row)
                self._left[row.slot] = self._read_ids(row)
            else:
                self.under_way.append(row)
            place += count
        choices.tell(self.end_id)
        for row in ended:
            row.sample.on_ended(row.sample)

    def idle(self) -> None:
        """Make a pass over a token that is not used: all processes must make the same number of passes over sharded
        weights."""
        row = Row(0, self._slots.cache.shared_length, [0])
        with reading_into(self.model, self._slots):
            logits_of(self.model, self._slots, [], [row])

    def _drop_cancelled(self) -> list[Sample]:
        gone = [row.sample for row in self.under_way if row.sample.cancelled]
        gone += [sample for sample in self.waiting if sample.cancelled]
        if gone:
            self.under_way = [row for row in self.under_way if not row.sample.cancelled]
            self.waiting = deque(sample for sample in self.waiting if not sample.cancelled)
        return gone

    # ---- joining -----------------------------------------------------------------------------------

    def _join(self) -> list[Row]:
        """Give slots to as many waiting answers as there are free ones."""
        joining = self._next()
        count = len(self.under_way) + len(joining)
        # A free slot with the beginning of a prompt is for that prompt, so that no other is written over it.
        kept = {source for _, source, _ in joining if isinstance(source, int)}
        free = self._free_slots(count, kept)
        if count > self._slots.cache.slots:
            self._slots.cache.open(min(self.most, max(count, 2 * self._slots.cache.slots)))
        joined: list[Row] = []
        for sample, source, shared in sorted(joining, key=lambda one: not isinstance(one[1], int)):
            at = source.slot if isinstance(source, Row) else source
            if isinstance(source, int) and source not in self._left:
                at, shared = None, 0  # it was written to when answers were moved
            slot = free.pop(free.index(at) if at in free else -1)
            if at is not None and at != slot:
                self._slots.cache.move(at, slot, self._slots.cache.shared_length + shared)
            joined.append(Row(slot, self._slots.cache.shared_length + shared, list(sample.prompt[shared:]), sample))
        for row in joined:
            self._left.pop(row.slot, None)
        return joined

    def _next(self) -> list[tuple[Sample, Row | int | None, int]]:
        """The answers that join now, each with where the beginning of its prompt has been read (an answer under way, a
        free slot or nowhere), and how much of it.

        One whose prompt begins as that of another that joins now waits for the next step: then it can get a copy.
        """
        if not self.waiting or len(self.under_way) == self.most:
            return []
        read: list[tuple[Row | int, Sequence[int]]] = [(row, self._read_ids(row)) for row in self.under_way]
        read += self._left.items()
        joining: list[tuple[Sample, Row | int | None, int]] = []
        later: list[Sample] = []
        while self.waiting and len(self.under_way) + len(joining) < self.most and len(later) < _LOOKED_AT:
            sample = self.waiting.popleft()
            source, shared = max(
                ((at, self._common(sample.prompt, ids)) for at, ids in read), key=lambda one: one[1], default=(None, 0)
            )
            if any(self._common(sample.prompt, other.prompt) > shared for other, _, _ in joining):
                later.append(sample)
            else:
                joining.append((sample, source if shared else None, shared))
        self.waiting.extendleft(reversed(later))
        return joining

    def _read_ids(self, row: Row) -> Sequence[int]:
        """The ids whose keys and values are in the slot of an answer, behind the shared ones."""
        return [*row.sample.prompt, *row.sample.generated][: row.read - self._slots.cache.shared_length]

    def _common(self, prompt: Sequence[int], ids: Sequence[int]) -> int:
        """How many ids of a prompt need not be read again where ``ids`` have been read; 0 if too few to copy them."""
        most = min(len(prompt) - 1, len(ids))  # the last token of a prompt is always read: its logits are needed
        least = max(_LEAST_SHARED, self._least_shared * len(prompt))
        if most < least:
            return 0
        same = sum(1 for _ in takewhile(lambda pair: pair[0] == pair[1], zip(prompt[:most], ids, strict=False)))
        return same if same >= least else 0

    def _free_slots(self, count: int, kept: set[int]) -> list[int]:
        """The free slots below ``count``. Answers in higher slots are first moved into some of them, into those in
        ``kept`` last, since attention computes all slots up to the last one in use."""
        free = sorted(
            {*range(count)} - {row.slot for row in self.under_way}, key=lambda slot: (slot in kept, slot), reverse=True
        )
        for row in self.under_way:
            if row.slot >= count:
                slot = free.pop()
                self._slots.cache.move(row.slot, slot, row.read)
                self._left[row.slot] = self._read_ids(row)
                self._left.pop(slot, None)
                row.slot = slot
        self.under_way.sort(key=lambda row: row.slot)
        return free

    # ---- after a pass ------------------------------------------------------------------------------

    def _accept(self, row: Row, choices: Choices, places: range) -> bool:
        """Add the token chosen after each pending token to the answer, as long as the draft was right, and draft what
        follows; True if the answer has ended. Of a prompt, there is only the place after its last token."""
        sample = row.sample
        known = len(sample.generated)
        row.read += 1 if known else len(row.pending)
        for at, place in enumerate(places):
            token = choices.take(place)
            if sample.has_ended(self.end_id):
                return True
            if not known or at + 1 >= len(row.pending) or row.pending[at + 1] != token:
                break
            row.read += 1
        left = sample.max_new_tokens - len(sample.generated)  # the model's own next token is one of these
        draft = self._draft(sample.generated, len(sample.generated) - known) if self._draft else []
        row.pending = sample.generated[-1:] + draft[: left - 1]
        return False
