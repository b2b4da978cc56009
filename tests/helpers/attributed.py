"""Texts to look at: ids without a meaning, and traces of a tiny model."""

from pathlib import Path

import numpy as np
import torch
from helpers.tiny import SOLUTIONS
from helpers.units import config

from memreason.explain.attention.base import Attribution
from memreason.explain.attention.shares import ANSWER, QUESTION, START, Span
from memreason.explain.attention.text import Text
from memreason.models.build import build
from memreason.models.unit import ModelUnit
from memreason.records import MEMORY, REASON, Trace


def ids_only(length: int, seed: int = 1) -> Text:
    """A text of random ids below 300, in four parts."""
    generator = torch.Generator().manual_seed(seed)
    ids = torch.randint(10, 300, (length,), generator=generator).tolist()
    ends = [0, 1, length // 3, 2 * length // 3, length]
    types = (START, QUESTION, MEMORY, REASON)
    spans = tuple(Span(type_, type_, ends[i], ends[i + 1]) for i, type_ in enumerate(types))
    kinds = tuple(span.type for span in spans for _ in range(span.start, span.end))
    return Text("random", tuple(ids), 0, ("x",) * length, kinds, spans, None)


def unit_of(base: Path, mode: str = "lora+prompt-tuning", **options) -> ModelUnit:
    unit = build(config(base, mode, **options), 256)
    unit.model.eval()
    return unit


def trace_of(unit: ModelUnit, number: int = 0, times: int = 1) -> Trace:
    """A trace as the unit would write it, with the steps of one solution ``times`` over."""
    solution = SOLUTIONS[number]
    text = unit.layout.solution_text(solution.steps * times, solution.question.answer)
    return unit.layout.parse(solution.question, text)


def long_attribution(steps: int, each: int) -> Attribution:
    """Made up: ``steps`` steps of ``each`` tokens, and a short answer line."""
    ends = [0, 1, 30]
    spans = [Span("first token", START, 0, 1), Span("question", QUESTION, 1, 30)]
    for step in range(steps):
        type_, size = (MEMORY, each) if step % 2 else (REASON, each // 2)
        spans.append(Span(f"step {step + 1}", type_, ends[-1], ends[-1] + size, step))
        ends.append(ends[-1] + size)
    spans.append(Span("answer", ANSWER, ends[-1], ends[-1] + 3))
    count, parts = ends[-1] + 3, len(spans)
    weights = np.tril(np.random.default_rng(0).random((count, count))).astype(np.float32)
    weights /= weights.sum(1, keepdims=True)
    step_map = np.tril(np.ones((parts, parts), np.float32))
    step_map /= step_map.sum(1, keepdims=True)
    kinds = tuple(span.type for span in spans for _ in range(span.start, span.end))
    maps, by_kind = np.stack([np.stack([step_map] * 3)] * 2), np.random.default_rng(1).random((2, 3, 2), np.float32)
    mass = {MEMORY: 0.6, REASON: 0.4}
    return Attribution(
        "attention",
        "long",
        ("token",) * count,
        kinds,
        tuple(spans),
        step_map,
        mass,
        (0, 1),
        maps,
        by_kind,
        (1, 2),
        weights,
    )
