"""What `memreason attention` does: one trace, attributed and drawn."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from memreason.errors import UserError, did_you_mean
from memreason.evaluation.files import read_traces
from memreason.explain.attention.base import Attribution
from memreason.explain.attention.config import AttentionConfig
from memreason.explain.attention.figure import HEAD, HEADS, STEPS
from memreason.explain.attention.memory import Memory, memory
from memreason.explain.attention.methods import attribute
from memreason.explain.attention.shares import MOST_MEMORY, Head
from memreason.models.unit import ModelUnit
from memreason.reasoner import load
from memreason.records import Trace

DATA, FORMATS = "attribution.npz", (".png", ".svg")


@dataclass(frozen=True)
class Looked:
    """What was found, the files that were written, and what it took of memory beside a plain pass (computed; None for
    methods that do not read weights)."""

    trace: Trace
    attribution: Attribution
    files: tuple[Path, ...]
    memory: Memory | None


def look(config: AttentionConfig) -> Looked:
    """Answer the question, or take the recorded trace; attribute it; write pictures and data.

    Raises UserError where a file or a trace is missing, or the model does not allow the method.
    """
    recorded = find_trace(Path(config.trace), config.id) if config.trace else None
    reasoner = load(config.model_name_or_path, base=config.base_model_name_or_path, device=config.device)
    trace = recorded or reasoner.answer(config.question, config.options)
    head: Head = MOST_MEMORY if config.method == "attention" else None
    if config.layer is not None and config.head is not None:
        head = config.layer, config.head
    (found,) = attribute(reasoner.unit, [trace], config.method, head)
    return Looked(trace, found, _write(found, Path(config.output).expanduser()), _memory(reasoner.unit, found))


def find_trace(path: Path, id: str | None) -> Trace:
    """The trace of the question ``id`` in a traces.jsonl; without an id, its only trace. Raises UserError where there
    is none, or more than one."""
    traces = [verdict.trace for verdict in read_traces(path)]
    if id is None:
        if len(traces) != 1:
            raise UserError(f"--trace {path} holds {len(traces)} traces; say which one with --id")
        return traces[0]
    ids = [trace.question.id for trace in traces]
    if id not in ids:
        raise UserError(f"--id {id}: {path} has no such trace{did_you_mean(id, ids)}")
    return traces[ids.index(id)]


def _write(found: Attribution, folder: Path) -> tuple[Path, ...]:
    pictures = [STEPS, *([HEAD] if found.head else []), *([HEADS] if found.heads() else [])]
    files = [folder / DATA]
    found.save(files[0])
    for what in pictures:
        for kind in FORMATS:
            files.append(folder / f"{what}{kind}")
            found.figure(files[-1], what)
    return tuple(files)


def _memory(unit: ModelUnit, found: Attribution) -> Memory | None:
    if found.maps is None:
        return None
    config: Any = unit.model.config.get_text_config()
    layers, heads = found.maps.shape[:2]
    groups = getattr(config, "num_key_value_heads", None) or heads
    return memory(layers, heads, groups, len(found.tokens), len(found.spans), unit.model.dtype.itemsize)
