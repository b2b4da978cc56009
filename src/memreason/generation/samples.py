"""One answer that is to be generated, and the choice of its tokens from logits: the same for every way of decoding."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Protocol

import torch

from memreason.generation.sampling import Draw, Draws, draw


@dataclass(frozen=True)
class Token:
    """One generated token."""

    id: int
    logprob: float | None = None
    """Its log-probability at temperature 1, where it was asked for."""
    top: tuple[tuple[int, float], ...] = ()
    """(id, log-probability) of the most likely tokens in its place, the most likely first."""


class Allowed(Protocol):
    """Which tokens may follow in one answer (`grammar.GrammarState`)."""

    def allows(self, token: int) -> bool:
        """Whether ``token`` may follow."""

    def mask(self) -> torch.Tensor:
        """(vocabulary,) whether each token may follow; at least one may."""

    def advance(self, token: int) -> None:
        """Note that ``token`` follows."""


@dataclass(eq=False)
class Sample:
    """An answer to generate: the continuation of ``prompt``, by at most ``max_new_tokens`` ids, the end token included.

    ``on_ended`` is called when it has ended, ``on_failed`` where it never will because something broke, and
    ``on_token`` for every token but the end token. A sample that is ``cancelled`` ends before the next pass.
    """

    prompt: Sequence[int]
    max_new_tokens: int
    on_ended: Callable[[Sample], None] = lambda sample: None
    on_failed: Callable[[BaseException], None] = lambda error: None
    on_token: Callable[[Token], None] | None = None
    forced: Callable[[list[int]], int | None] | None = None
    """From the generated ids, the only id that may follow (None: the model is free)."""
    is_ended: Callable[[list[int]], bool] | None = None
    """From the generated ids, whether the answer has ended without an end token."""
    allowed: Allowed | None = None
    draws: Draws | None = None
    """The random numbers by which tokens are drawn; None: greedy."""
    top_logprobs: int | None = None
    """How many most likely tokens to give with each token; None: no log-probabilities at all."""
    generated: list[int] = field(default_factory=list)
    tokens: list[Token] = field(default_factory=list)
    """The generated tokens without the end token."""
    cancelled: bool = False

    def has_ended(self, end_id: int) -> bool:
        """Whether the last generated token was the last of all."""
        return (
            self.generated[-1] == end_id
            or len(self.generated) >= self.max_new_tokens
            or (self.is_ended is not None and self.is_ended(self.generated))
        )


class Choices:
    """The tokens that follow after one pass.

    Row i of ``logits`` (places, vocabulary) is for token number ``numbers[i]`` of the answer ``samples[i]``. Which of
    an answer's places are needed is found out one by one (`take`), since a token may show that the next was read in
    vain.
    """

    def __init__(self, logits: torch.Tensor, samples: Sequence[Sample], numbers: Sequence[int]):
        self._logits, self._samples, self._numbers = logits, samples, numbers
        self._taken: list[int] = []
        best = logits.max(-1).indices  # max is five times as fast as argmax in 16 bits on a CPU
        drawn = [place for place, sample in enumerate(samples) if sample.draws]
        if drawn:
            at = torch.tensor(drawn, device=logits.device)
            best[at] = draw(logits[at], [self._draw(place) for place in drawn])
        self._ids: list[int] = best.tolist()  # only here the CPU waits for the GPU

    def take(self, place: int) -> int:
        """Choose the token for this place, and add it to its answer."""
        sample, token = self._samples[place], self._ids[place]
        must = sample.forced(sample.generated) if sample.forced else None
        if must is not None and not (sample.allowed and not sample.allowed.allows(must)):
            token = must
        elif sample.allowed and not sample.allowed.allows(token):
            token = self._among(place, sample.allowed.mask())
        if sample.allowed:
            sample.allowed.advance(token)
        sample.generated.append(token)
        self._ids[place] = token
        self._taken.append(place)
        return token

    def tell(self, end_id: int) -> None:
        """Add what was taken to the tokens of each answer, with log-probabilities where they are wanted, and call
        ``on_token``."""
        wanted = [place for place in self._taken if self._samples[place].top_logprobs is not None]
        known = dict(zip(wanted, self._tokens(wanted), strict=True)) if wanted else {}
        for place in self._taken:
            sample, id = self._samples[place], self._ids[place]
            if id == end_id:
                continue
            token = known.get(place) or Token(id)
            sample.tokens.append(token)
            if sample.on_token:
                sample.on_token(token)

    def _among(self, place: int, mask: torch.Tensor) -> int:
        """The choice among what the mask (vocabulary,) allows. Drawing again, by another number, gives what drawing
        from these tokens alone would have given, unless top_p, top_k or min_p leaves some out."""
        logits = self._logits[place].masked_fill(~mask.to(self._logits.device), -torch.inf)
        if not self._samples[place].draws:
            return int(logits.max(-1).indices)
        return int(draw(logits[None], [self._draw(place, again=True)]))

    def _draw(self, place: int, again: bool = False) -> Draw:
        draws = self._samples[place].draws
        assert draws is not None
        return Draw(draws.decoding, draws.uniform(self._numbers[place], again))

    def _tokens(self, places: list[int]) -> list[Token]:
        ids = [self._ids[place] for place in places]
        logits = self._logits[places].float()
        total = logits.logsumexp(-1, keepdim=True)
        chosen = (logits.gather(1, torch.tensor(ids, device=logits.device)[:, None]) - total)[:, 0].tolist()
        most = max(self._samples[place].top_logprobs or 0 for place in places)
        best = logits.topk(min(most, logits.shape[1]), -1)
        values, indices = (best.values - total).tolist(), best.indices.tolist()
        tokens = []
        for i, place in enumerate(places):
            count = self._samples[place].top_logprobs or 0
            tokens.append(Token(ids[i], chosen[i], tuple(zip(indices[i][:count], values[i][:count], strict=True))))
        return tokens
