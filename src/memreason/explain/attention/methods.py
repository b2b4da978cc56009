"""The methods by name, and what applies one of them to the traces of a model."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import nullcontext
from typing import Protocol

from transformers import PreTrainedModel

from memreason.config.fields import check_choice
from memreason.errors import UserError
from memreason.explain.attention.base import Attribution
from memreason.explain.attention.gradients import grad_x_input
from memreason.explain.attention.maps import attention, rollout, rollout_past_start
from memreason.explain.attention.shares import Head
from memreason.explain.attention.text import Text, text_of
from memreason.explain.attention.watch import Caches
from memreason.kernels.prepacked_linear import packed_weights
from memreason.models.sharding import is_sharded
from memreason.models.unit import ModelUnit, bare
from memreason.records import Question, Solution, Trace
from memreason.runtime.cpu_threads import considerate


class Method(Protocol):
    """A way to attribute. ``model`` is merged, and in evaluation mode."""

    def __call__(self, model: PreTrainedModel, text: Text, cache: Caches, head: Head = None) -> Attribution:
        """Apply it to one text."""


METHODS: dict[str, Method] = {
    "attention": attention,
    "rollout": rollout,
    "rollout_past_start": rollout_past_start,
    "grad_x_input": grad_x_input,
}
"""Name → method. To add one, write a function, and list it here."""
_FEW = 4
"""For more traces than these, weights are packed, which takes as long as a few passes."""


def attribute(
    unit: ModelUnit,
    traces: Sequence[Trace],
    method: str = "attention",
    head: Head = None,
    examples: Callable[[Question], Sequence[Solution]] | None = None,
) -> list[Attribution]:
    """Apply a method to each of ``traces``, which ``unit`` wrote: its prompt and answer are read again.

    The adapters are merged once for all. ``head`` asks for the weights between tokens of one head.
    ``examples`` gives what stood before a question, where the model was trained with it. Raises UserError for an
    unknown method, where the model or a trace does not allow it, and while an engine of this thread uses the model.
    """
    check_choice("method", method, list(METHODS))
    if is_sharded(unit.model):
        raise UserError("attention is looked at in one process: load the model without sharded weights")
    with considerate(), unit.merged() as model, packed_weights(model) if len(traces) > _FEW else nullcontext():
        return [
            METHODS[method](
                bare(model),
                text_of(unit, trace, examples(trace.question) if examples else ()),
                unit.prefix_cache,
                head,
            )
            for trace in traces
        ]
