"""Drawing tokens from logits, by numbers that depend on the request alone."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import torch

from memreason.generation.decoding import Decoding

_BLOCK = 256
"""Probabilities are added up in blocks of this many tokens, then within the one that was drawn: several times as fast
as one sum after another over the whole vocabulary."""
_SORTED = 1024
"""For `top_p`, this many most likely tokens are sorted; all of them only where these are not enough."""


class Draws:
    """The random numbers of one answer: two for each token (`uniform`), whatever is decoded beside it.

    They are those of the question, the ids of ``prompt``. Of an answer that goes on behind ``written`` ids, the first
    numbers are left out: so it goes on as it did.
    """

    def __init__(self, decoding: Decoding, prompt: Sequence[int], sample: int, written: int = 0):
        self.decoding, self._written = decoding, written
        key = f"{decoding.seed} {sample} {' '.join(map(str, prompt))}".encode()
        self._generator = np.random.Generator(
            np.random.Philox(key=int.from_bytes(hashlib.blake2b(key, digest_size=16).digest()))
        )
        self._numbers = np.empty((0, 2))

    def uniform(self, place: int, again: bool = False) -> float:
        """A number from [0, 1) for token number ``place`` behind those written; another one to draw ``again``."""
        place += self._written
        while place >= len(self._numbers):
            self._numbers = np.concatenate([self._numbers, self._generator.random((64, 2))])
        return float(self._numbers[place, int(again)])


@dataclass
class Draw:
    """One token to draw: its ``settings``, and a number from [0, 1) that decides."""

    settings: Decoding
    uniform: float


def draw(logits: torch.Tensor, draws: Sequence[Draw]) -> torch.Tensor:
    """(tokens,) an id for each row of ``logits`` (tokens, vocabulary), drawn by its number and settings.

    The ids are in order of their number, not of their probability, when one is drawn. So logits that differ by rounding
    give the same id, unless a number falls on the border between two.
    """
    device = logits.device

    def column(values: list[float]) -> torch.Tensor:
        return torch.tensor(values, dtype=torch.float32, device=device)[:, None]

    logits = logits.float()
    scores = (logits - logits.amax(-1, keepdim=True)) / column([max(one.settings.temperature, 1e-6) for one in draws])
    least = _least(scores, [one.settings for one in draws], column)
    if least is not None:
        scores = scores.masked_fill(scores < least, -torch.inf)
    chances = scores.softmax(-1)
    chances = torch.nn.functional.pad(chances, (0, -chances.shape[1] % _BLOCK)).unflatten(1, (-1, _BLOCK))
    uniform = torch.tensor([one.uniform for one in draws], dtype=torch.float64, device=device)[:, None]
    sums = chances.sum(-1, dtype=torch.float64).cumsum(-1)
    target = uniform * sums[:, -1:]
    block = torch.searchsorted(sums, target, right=True).clamp_max(sums.shape[1] - 1)
    before = torch.where(block > 0, sums.gather(1, (block - 1).clamp_min(0)), 0.0)
    within = chances.gather(1, block[..., None].expand(-1, -1, _BLOCK))[:, 0].to(torch.float64)
    sums = within.cumsum(-1)
    # Rounding may put the target at the very end of its block, behind the last possible token.
    last = _BLOCK - 1 - (within > 0).flip(-1).to(torch.uint8).argmax(-1, keepdim=True)
    place = torch.minimum(torch.searchsorted(sums, target - before, right=True), last)
    return (block * _BLOCK + place)[:, 0].clamp_max(logits.shape[1] - 1)


def _least(
    scores: torch.Tensor, settings: Sequence[Decoding], column: Callable[[list[float]], torch.Tensor]
) -> torch.Tensor | None:
    """(tokens, 1) the least score from which a token may be drawn; None where all may."""
    bounds = []
    if any(one.min_p for one in settings):
        bounds.append(scores.amax(-1, keepdim=True) + column([one.min_p for one in settings]).log())
    if most := max(one.top_k for one in settings):
        best = scores.topk(min(most, scores.shape[1]), -1).values
        at = torch.tensor([min(one.top_k or 1, scores.shape[1]) - 1 for one in settings], device=scores.device)[:, None]
        bounds.append(torch.where(column([min(one.top_k, 1) for one in settings]) > 0, best.gather(1, at), -torch.inf))
    if any(one.top_p < 1 for one in settings):
        wanted = column([one.top_p for one in settings])
        total = scores.logsumexp(-1, keepdim=True)
        best = scores.topk(min(_SORTED, scores.shape[1]), -1).values
        reached = (best - total).exp().cumsum(-1)
        if bool(((reached[:, -1:] < wanted) & (wanted < 1)).any()):
            best = scores.sort(-1, descending=True).values
            reached = (best - total).exp().cumsum(-1)
        at = (reached < wanted).sum(-1, keepdim=True).clamp_max(best.shape[1] - 1)
        bounds.append(torch.where(wanted < 1, best.gather(1, at), -torch.inf))
    if not bounds:
        return None
    return torch.stack(bounds).amax(0)
