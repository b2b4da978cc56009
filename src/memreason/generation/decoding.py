"""How one request is decoded: greedily or by sampling, until what, and by which rules. Needs no torch."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Literal

from memreason.errors import UserError

FinishReason = Literal["stop", "length", "cancelled"]
"""Why an answer ended: with its end token or a text that ends it, at its limit, or because nobody wants it any more."""


@dataclass(frozen=True)
class Decoding:
    """How the answers to one request are decoded. The default is the most likely token at every place (*greedy*).

    Sampling depends on ``seed`` and the request alone, not on what is decoded beside it. In 16 bits, rounding may
    change a token in another company, as it does in greedy decoding. Raises UserError for an impossible value.
    """

    max_new_tokens: int | None = None
    """The most ids to generate, the end token included; None: as many as the model's `model_max_length` leaves."""
    temperature: float = 0.0
    """Logits are divided by it before a token is drawn; 0 is greedy."""
    top_p: float = 1.0
    """Draw from the most likely tokens that together have this probability."""
    top_k: int = 0
    """Draw from this many most likely tokens; 0: from all."""
    min_p: float = 0.0
    """Draw from tokens that are at least this share as likely as the most likely one."""
    n: int = 1
    """How many answers."""
    seed: int = 0
    stop: tuple[str, ...] = ()
    """Texts that end an answer; they are not a part of it."""
    logprobs: bool = False
    """Give the log-probability of every generated token, and the mean of each step, under the model as it is, that is,
    at temperature 1 and among all tokens."""
    top_logprobs: int = 0
    """At each place, give this many most likely tokens with their log-probabilities."""
    constrained: bool = False
    """Allow only what makes a well-formed trace, with an answer of the task's kind."""
    next_type: str | None = None
    """The type of the next step."""

    def __post_init__(self) -> None:
        most = self.max_new_tokens
        for name, value, right, wanted in (
            ("max_new_tokens", most, most is None or most >= 1, "1 or more"),
            ("temperature", self.temperature, 0 <= self.temperature < math.inf, "0 or more"),
            ("top_p", self.top_p, 0 < self.top_p <= 1, "above 0, and at most 1"),
            ("top_k", self.top_k, self.top_k >= 0, "0 (all tokens) or more"),
            ("min_p", self.min_p, 0 <= self.min_p <= 1, "from 0 to 1"),
            ("n", self.n, self.n >= 1, "at least 1"),
            ("stop", self.stop, not isinstance(self.stop, str) and all(self.stop), "texts that are not empty"),
            ("top_logprobs", self.top_logprobs, self.top_logprobs >= 0, "0 or more"),
        ):  # fmt: skip
            if not right:
                raise UserError(f"{name} {value!r}: must be {wanted}")

    @property
    def wants_logprobs(self) -> bool:
        """Whether log-probabilities are asked for."""
        return self.logprobs or self.top_logprobs > 0


GREEDY = Decoding()
"""The most likely token at every place."""
