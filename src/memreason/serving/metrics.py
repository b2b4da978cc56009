"""What /metrics shows to Prometheus."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest

_SECONDS = (0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 120, 300)


class Metrics:
    """The counts and times of one server. ``waiting`` and ``under_way`` give the engine's answers."""

    def __init__(self, waiting: Callable[[], int], under_way: Callable[[], int]):
        registry = self._registry = CollectorRegistry()
        name = "memreason_"
        self.requests = Counter(
            f"{name}requests", "HTTP requests; status 499: the client hung up", ("route", "status"), registry=registry
        )
        self.seconds = Histogram(
            f"{name}request_seconds", "From a request's arrival to the end of its response", ("route",),
            buckets=_SECONDS, registry=registry,
        )  # fmt: skip
        self.first_token = Histogram(
            f"{name}first_token_seconds", "From the beginning of a stream to its first token",
            buckets=_SECONDS, registry=registry,
        )  # fmt: skip
        self.answers = Counter(f"{name}answers", "Answers, by how they ended", ("finish_reason",), registry=registry)
        self.prompt_tokens = Counter(f"{name}prompt_tokens", "Tokens of prompts", registry=registry)
        self.generated_tokens = Counter(f"{name}generated_tokens", "Tokens generated", registry=registry)
        for gauge, help, count in (
            ("answers_waiting", "Answers that wait for a place", waiting),
            ("answers_under_way", "Answers that are being generated", under_way),
        ):
            Gauge(name + gauge, help, registry=registry).set_function(count)
        self._ends: deque[float] = deque([time.monotonic()], maxlen=64)

    def ended(self, finish_reason: str, prompt_tokens: int, generated_tokens: int) -> None:
        """Count an answer that has ended."""
        self.answers.labels(finish_reason).inc()
        self.prompt_tokens.inc(prompt_tokens)
        self.generated_tokens.inc(generated_tokens)
        self._ends.append(time.monotonic())

    def seconds_for(self, answers: int) -> int:
        """About how long so many answers take, by the last ones: 1 to 60 seconds."""
        rate = len(self._ends) / max(time.monotonic() - self._ends[0], 0.1)
        return round(min(60, max(1, answers / rate)))

    def page(self) -> bytes:
        """The page, in Prometheus' text format."""
        return generate_latest(self._registry)
