"""Decoding by a model's own `generate`, with tests of what the model can do correctly.

Prompts of a batch are padded on the left. This changes nothing if only attention mixes tokens, but gives wrong results
if a state runs through the padding or a window counts it. In some models the use of a cache is wrong too, and in more
of them continuing from a filled cache. So each of these is tested on a few tokens before anything is decoded; what does
not give the logits of a plain pass is not used.
"""

from __future__ import annotations

import copy
import logging
from collections import deque
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager, nullcontext
from typing import Any
from weakref import WeakKeyDictionary

import torch
from transformers import DynamicCache, GenerationConfig, PretrainedConfig, PreTrainedModel

from memreason.errors import UserError
from memreason.generation.agreement import ERRORS, agree, forget_lengths, is_exact, out_of_memory, turns_with_length
from memreason.generation.samples import Choices, Sample
from memreason.models.sharding import is_sharded
from memreason.models.unit import ModelUnit, bare
from memreason.runtime import distributed
from memreason.runtime.cpu_threads import share_cores

logger = logging.getLogger(__name__)

Shared = tuple[list[int], DynamicCache]
"""The ids before every prompt, and their keys and values. A trained prefix has no ids; pad ids take their place."""
_STEPS, _PROMPT, _PADDING = 4, 12, 5
"""In a test: the number of generated tokens, of prompt tokens, and of padding tokens."""
_BATCHES = 4
"""For so many batches answers are waited for."""
_KNOWN: WeakKeyDictionary[torch.nn.Module, dict[object, str | None]] = WeakKeyDictionary()
"""Model → what was tested → why it cannot be used, None if it can. It depends on the architecture, not on weights."""


class PaddedBatches:
    """Decodes batches of prompts with a unit's ``model`` (which `ModelUnit.merged` gives).

    All prompts come after ``shared``, if it is not None: a trained prefix, or the text that `read_once` has read.
    """

    def __init__(self, unit: ModelUnit, model: PreTrainedModel):
        self.unit, self.model = unit, model
        self.bare = bare(model)
        self.sharded = is_sharded(unit.model)
        self.cached: bool | None = None
        prefix = unit.prefix_cache()
        self.prefixed = prefix is not None
        self.shared: Shared | None = None
        if prefix is not None:
            self.shared = [unit.tokenizer.pad_token_id] * prefix.get_seq_length(), prefix

    def read_once(self, ids: list[int]) -> bool:
        """Read the text before every prompt once, as ``shared``. False if this model cannot continue from there."""
        reason = "it is decoded without a cache"
        if self.uses_cache(ids):
            reason = self._why_not("reads on", lambda: self._reads_on(ids[: 2 * _PROMPT])) or ""
        if reason:
            logger.info(f"the text before all prompts is read again with each prompt: {reason}")
            return False
        self.shared = self._read(ids)
        return True

    def decode(self, samples: Sequence[Sample]) -> None:
        """Generate one batch of answers; with sharded weights, it may be empty in this process.

        The prompts are padded on the left, after ``shared``. Raises UserError for a model that cannot be decoded.
        """
        prompts = [sample.prompt for sample in samples] or [[self.unit.end_id]]
        most = max((sample.max_new_tokens for sample in samples), default=1)
        choosing = _Choosing(samples, self.unit.end_id, self.unit.tokenizer.pad_token_id)
        self._generate(
            prompts,
            self._greedy(most, self.uses_cache(prompts[0])),  # `choosing` leaves one token to choose from
            self.shared,
            logits_processor=[choosing.choose],
            stopping_criteria=[choosing.ended],
        )

    def batches(self, prompts: Sequence[Sequence[int]], max_new_tokens: Sequence[int], size: int) -> list[range]:
        """The ranges of prompts to decode together, at most ``size`` each. Prompts are sorted by length."""
        count, lengths = len(prompts), [len(prompt) for prompt in prompts]
        even = [range(at, min(at + size, count)) for at in range(0, count, size)]
        first = list(prompts[0]) if count else [self.unit.end_id]
        if self.sharded or any(lengths[batch[0]] != lengths[batch[-1]] for batch in even):
            longest = max((sum(pair) for pair in zip(lengths, max_new_tokens, strict=True)), default=1)
            if self.sharded:  # all processes must decide alike
                longest = self.unit.manifest.model_max_length
            reason = self._why_not_padded(first, longest)
            if not reason:
                return even
            logger.info(f"only prompts of equal length share a batch: {reason}")
        if size > 1 and (reason := self._why_not("beside", lambda: self._stands_beside(first))):
            logger.info(f"one prompt at a time: together with another prompt, {reason}")
            size = 1
        starts = [at for at in range(count) if at == 0 or lengths[at] != lengths[at - 1]]
        return [
            range(at, min(at + size, end))
            for start, end in zip(starts, [*starts[1:], count], strict=True)
            for at in range(start, end, size)
        ]

    def uses_cache(self, prompt: Sequence[int]) -> bool:
        """Whether to decode with a cache; any ``prompt`` will do for the test.

        Raises UserError for a model that cannot be decoded.
        """
        if self.cached is None:
            ids = list(prompt[:_PROMPT])
            with_cache = self._why_not("cached", lambda: self._is_plain(ids, True))
            without = None
            if with_cache and self.shared is None:
                without = self._why_not("uncached", lambda: self._is_plain(ids, False))
            if with_cache and (without or self.shared):
                behind = " behind a trained prefix" if self.shared else ""
                raise UserError(
                    f"{type(self.bare).__name__} cannot be decoded{behind}: {without or with_cache}; "
                    "use another base model"
                )
            if with_cache:
                logger.info(f"decoding without a cache: with one, {with_cache}")
            self.cached = not with_cache
        return self.cached

    # ---- tests of what the model can do ------------------------------------------------------------

    def _why_not_padded(self, prompt: list[int], longest: int) -> str | None:
        """Why prompts of different lengths cannot share a batch, None if they can. Prompt and answer have at most
        ``longest`` tokens."""
        before = len(self.shared[0]) if self.shared else 0
        if turns_with_length(self.bare, before + longest):
            return "its rotary positions depend on the longest text that is read"
        if before and _sees_at_most(self.bare.config) < before + longest:
            return "its window counts the padding after the text that is read once"
        return self._why_not("padded", lambda: self._pads((prompt * _PROMPT)[:_PROMPT]))

    @torch.no_grad()
    def _why_not(self, what: object, tried: Callable[[], bool]) -> str | None:
        """Why ``what`` cannot be used, None if it can. The test ``tried`` runs once for each model, and its result is
        the same in all processes."""
        known = _KNOWN.setdefault(self.bare, {})
        key = (what, self.prefixed, self.shared is not None)
        if key not in known:
            try:
                reason = None if tried() else "its logits are not those of a plain pass over the same tokens"
            except ERRORS as error:
                if out_of_memory(error):
                    raise
                reason = f"it fails ({type(error).__name__}: {error})"
            if self.sharded and distributed.any_rank(reason is not None):
                reason = reason or "it is wrong in another process"
            known[key] = reason
        return known[key]

    def _is_plain(self, ids: list[int], cached: bool) -> bool:
        """Whether `generate` continues ``ids`` with the logits of one plain pass over the whole text."""
        written, logits = self._few([ids], cached, self.shared)
        return agree(self.model, logits, self._plain([*ids, *written], self.shared))

    def _reads_on(self, ids: list[int]) -> bool:
        """Whether two equal prompts that continue from a cache give the logits of the whole text."""
        at = len(ids) * 2 // 3
        written, logits = self._few([ids[at:]] * 2, True, self._read(ids[:at]))
        return agree(self.model, logits, self._plain([*ids, *written], None))

    def _pads(self, ids: list[int]) -> bool:
        """Whether padding before a prompt changes nothing, whichever token it is."""
        longer = [*ids, *ids[:_PADDING]]
        return self._same_beside(ids, longer, None, longer, ids[0])

    def _stands_beside(self, prompt: list[int]) -> bool:
        """Whether another prompt of the same length in the batch changes nothing."""
        ids = (prompt * _PROMPT)[:_PROMPT]
        return self._same_beside(ids, ids[::-1], None, [*ids[5:], *ids[:5]], None)

    def _same_beside(
        self, ids: list[int], one: list[int], pad: int | None, other: list[int], other_pad: int | None
    ) -> bool:
        """Whether a prompt has the same continuation alone, in a batch with ``one`` and in a batch with ``other``."""
        cached = self.uses_cache(ids)
        alone, wanted = self._few([ids], cached, self.shared)
        written, logits = self._few([ids, one], cached, self.shared, pad)
        # Once rounding has changed a token, the later logits are about another text and are not compared.
        count = 1 + _alike(written, alone)
        if not agree(self.model, logits[:count], wanted[:count]):
            return False
        if is_exact(self.model):  # otherwise a small influence of the other text could be mistaken for rounding
            return True
        again, same = self._few([ids, other], cached, self.shared, other_pad)
        count = 1 + _alike(written, again)
        return agree(self.model, same[:count], logits[:count], exactly=True)

    def _plain(self, text: list[int], shared: Shared | None) -> torch.Tensor:
        """The logits (_STEPS, vocabulary) that predict the last few tokens of a text, from one pass over it."""
        own: dict[str, Any] = {"past_key_values": copy.deepcopy(shared[1])} if shared else {"use_cache": False}
        logits = self.model(input_ids=torch.tensor([text], device=self.unit.device), **own).logits[0]
        return logits[-_STEPS - 1 : -1]

    def _few(
        self, prompts: list[list[int]], cached: bool, shared: Shared | None, pad: int | None = None
    ) -> tuple[list[int], torch.Tensor]:
        """A few ids after the first prompt, and the logits (ids, vocabulary) by which they were chosen."""
        settings = self._greedy(_STEPS, cached)
        settings.update(min_new_tokens=_STEPS, return_dict_in_generate=True, output_logits=True)
        output = self._generate(prompts, settings, shared, pad)
        return output.sequences[0, -_STEPS:].tolist(), torch.stack([logits[0] for logits in output.logits])

    # ---- decoding ----------------------------------------------------------------------------------

    @torch.no_grad()
    def _read(self, ids: list[int]) -> Shared:
        """``ids`` with their keys and values."""
        cache = DynamicCache(config=self.model.config)
        self.model(input_ids=torch.tensor([ids], device=self.unit.device), past_key_values=cache, use_cache=True,
                   logits_to_keep=1)  # fmt: skip
        return ids, cache

    @torch.no_grad()
    def _generate(
        self, prompts: Sequence[Sequence[int]], settings: GenerationConfig, shared: Shared | None,
        pad: int | None = None, **options: Any,
    ) -> Any:  # fmt: skip
        before = shared[0] if shared else []
        width = len(before) + max(map(len, prompts))
        ids = torch.full((len(prompts), width), self.unit.tokenizer.pad_token_id if pad is None else pad)
        mask = torch.zeros_like(ids)
        for row, prompt in enumerate(prompts):
            ids[row, : len(before)] = torch.tensor(before, dtype=ids.dtype)
            ids[row, width - len(prompt) :] = torch.tensor(prompt)
            mask[row, : len(before)] = 1
            mask[row, width - len(prompt) :] = 1
        if shared:
            cache = copy.deepcopy(shared[1])
            if len(prompts) > 1:
                cache.batch_repeat_interleave(len(prompts))
            options["past_key_values"] = cache
        forget_lengths(self.bare)
        share_cores()
        return self.model.generate(
            input_ids=ids.to(self.unit.device),
            attention_mask=mask.to(self.unit.device),
            generation_config=settings,
            synced_gpus=self.sharded,
            **options,
        )

    def _greedy(self, max_new_tokens: int, use_cache: bool) -> GenerationConfig:
        """The settings of plain greedy decoding. The base model's own settings are not used: they may sample, penalise
        repetition (Qwen2.5) or have other end tokens (Llama 3)."""
        return GenerationConfig(
            do_sample=False,
            max_new_tokens=max_new_tokens,
            eos_token_id=self.unit.end_id,
            pad_token_id=self.unit.tokenizer.pad_token_id,
            use_cache=use_cache,
        )


class _Choosing:
    """Lets transformers' `generate` take the tokens that `Choices` chooses for a batch of ``samples``."""

    def __init__(self, samples: Sequence[Sample], end_id: int, pad_id: int):
        self._samples, self._end_id, self._pad_id = samples, end_id, pad_id
        self._ended = [False] * len(samples)

    def choose(self, ids: torch.Tensor, scores: torch.Tensor) -> torch.Tensor:
        """Choose the next token of each answer from its ``scores`` (batch, vocabulary), and leave no other."""
        going_on = [row for row, ended in enumerate(self._ended) if not ended]
        samples = [self._samples[row] for row in going_on]
        choices = Choices(scores[going_on], samples, [len(sample.generated) for sample in samples])
        tokens = [self._pad_id] * len(scores)
        for place, (row, sample) in enumerate(zip(going_on, samples, strict=True)):
            tokens[row] = choices.take(place)
            self._ended[row] = sample.has_ended(self._end_id)
        choices.tell(self._end_id)
        chosen = torch.full_like(scores, -torch.inf)
        return chosen.scatter_(1, torch.tensor(tokens, device=scores.device)[:, None], 0.0)

    def ended(self, ids: torch.Tensor, scores: Any, **_: object) -> torch.Tensor:
        """Which rows of the batch have ended."""
        for row, sample in enumerate(self._samples):
            self._ended[row] |= sample.cancelled
        return torch.tensor(self._ended or [True], device=ids.device)


class BatchScheduler:
    """Answers what is ``waiting`` batch by batch, with the interface of `scheduler.Scheduler`."""

    def __init__(self, batches: PaddedBatches, size: int):
        self._batches, self._size = batches, size
        self.waiting: deque[Sample] = deque()
        self.under_way: list[Sample] = []

    def attending(self) -> AbstractContextManager[None]:
        """Nothing is to be changed in the model."""
        return nullcontext()

    @property
    def room(self) -> int:
        """How many more answers to wait for, so that batches of equal length can be formed too."""
        return _BATCHES * self._size - len(self.waiting)

    def step(self) -> None:
        """Answer one batch, and call ``on_ended`` of each answer. With sharded weights, it may be empty here."""
        for sample in [sample for sample in self.waiting if sample.cancelled]:
            self.waiting.remove(sample)
            sample.on_ended(sample)
        waiting = sorted(self.waiting, key=lambda sample: len(sample.prompt))
        rooms = [sample.max_new_tokens for sample in waiting]
        together = self._batches.batches([sample.prompt for sample in waiting], rooms, self._size)
        # The batch of the one that has waited longest: else longer prompts might wait for ever.
        groups = ([waiting[at] for at in some] for some in together)
        batch = next((group for group in groups if self.waiting[0] in group), [])
        taken = set(map(id, batch))
        self.waiting = deque(sample for sample in self.waiting if id(sample) not in taken)
        self.under_way = batch
        self._batches.decode(batch)
        self.under_way = []
        for sample in batch:
            sample.on_ended(sample)

    def idle(self) -> None:
        """Take part in the work on sharded weights."""
        self.step()


def _alike(some: list[int], others: list[int]) -> int:
    """How many ids at the beginning are the same; the last one does not count."""
    return next((at for at, (one, other) in enumerate(zip(some, others, strict=True)) if one != other), len(some) - 1)


def _sees_at_most(config: PretrainedConfig) -> float:
    """The smallest attention window of a model, in tokens; infinite if it has none."""
    windows = [getattr(layer, "sliding_window", None) for layer in DynamicCache(config=config).layers]
    if "local" in (getattr(config, "attention_layers", None) or ()):  # GPT-Neo
        windows.append(config.window_size)
    return min((window for window in windows if window), default=torch.inf)
