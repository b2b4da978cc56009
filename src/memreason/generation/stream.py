"""One answer as a stream of text."""

from __future__ import annotations

from collections.abc import Iterator
from threading import Event, Thread
from typing import Any

import torch
from transformers import TextIteratorStreamer

from memreason.errors import UserError
from memreason.generation.calculator_processor import CalculatorProcessor
from memreason.generation.padded_batches import PaddedBatches
from memreason.kernels.prepacked_linear import packed_weights
from memreason.models.unit import ModelUnit
from memreason.records import Question


def stream(unit: ModelUnit, question: Question, use_calculator: bool = False) -> Iterator[str]:
    """The solution text of one answer, piece by piece, as it is generated.

    A thread generates it, and ends when the caller closes the iterator. Raises UserError where the question leaves no
    room for an answer, or the model cannot be decoded.
    """
    prompt = unit.layout.encode_prompt(unit.tokenizer, question)
    limit = unit.manifest.model_max_length
    max_new_tokens = limit - len(prompt)
    if max_new_tokens <= 0:
        raise UserError(
            f"the question has {len(prompt)} tokens, and {limit} is the most this model takes, answer included; "
            "shorten the question"
        )
    stop = Event()
    streamer = TextIteratorStreamer(unit.tokenizer, skip_prompt=True, skip_special_tokens=False)
    failures: list[BaseException] = []

    def stopped(ids: torch.Tensor, scores: torch.Tensor, **_: object) -> torch.Tensor:
        return torch.full((1,), stop.is_set(), device=ids.device)

    def run() -> None:
        try:
            with unit.merged() as model, packed_weights(model), torch.no_grad():
                batches = PaddedBatches(unit, model)
                options: dict[str, Any] = {"streamer": streamer, "stopping_criteria": [stopped]}
                if use_calculator:
                    options["logits_processor"] = [CalculatorProcessor(unit.tokenizer, batches.width([prompt]))]
                batches.generate([prompt], max_new_tokens, **options)
        except BaseException as error:
            failures.append(error)
            streamer.end()

    thread = Thread(target=run, daemon=True)
    thread.start()
    try:
        yield "".join(unit.layout.prefix)
        for piece in streamer:
            if text := piece.removesuffix(unit.tokenizer.convert_ids_to_tokens(unit.end_id)):
                yield text
    finally:  # also if the caller closes the iterator
        stop.set()
        thread.join()
    if failures:
        raise failures[0]
