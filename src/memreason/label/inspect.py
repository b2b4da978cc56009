"""`memreason label inspect`: what labelled solutions look like, and whether their steps lead to the answer."""

from __future__ import annotations

import asyncio
import random
from collections import Counter
from collections.abc import Sequence
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from statistics import mean, median
from typing import Any

from rich.console import Console
from rich.progress import track

from memreason.answers.extract import extract_flexible, extract_strict, normalise_gold, outcome
from memreason.errors import UserError
from memreason.evaluation.statistics import wilson
from memreason.label.config import InspectConfig
from memreason.label.prompts import load_prompts, question_values
from memreason.label.rejection_reasons import Problem
from memreason.label.replies import ANSWER_SCHEMA, read_answer
from memreason.llm.base import Request, RequestFailed
from memreason.llm.cache import RequestCache, request_cache_path
from memreason.llm.meter import Meter
from memreason.llm.open_client import ModelAddress, open_client
from memreason.llm.paid import PaidModel
from memreason.records import MEMORY, REASON, AnswerKind, Question, Solution, one_line
from memreason.runtime.interruptions import run_until_ended
from memreason.tasks.agent_json import read_array
from memreason.tasks.agent_json import read_record as read_agent_record
from memreason.tasks.commonsenseqa import split_options
from memreason.tasks.jsonl import read_record as read_jsonl_record

READINGS = {
    "question alone": "what the reader knows without the solution",
    "last step": "does the last step entail the answer",
    "all steps": "do the steps, answer line hidden, lead to the answer",
}
"""What the reader gets besides the question → what its accuracy then tells us."""


def read_solutions(path: Path) -> tuple[list[Solution], list[str]]:
    """(solutions, remarks) of a file in memreason's form or in the paper's; a remark names a row without usable steps.

    Raises UserError if the file is missing, has no labelled solutions, or has an answer that is not among the options.
    """
    if not path.is_file():
        raise UserError(f"{path}: no such file")
    solutions, remarks = [], []
    for number, (place, row) in enumerate(read_array(path)):
        if "cot_steps" in row:
            record = read_agent_record(place, "", row, split_options)
        else:
            record = read_jsonl_record(place, "train", row)
        if record.broken or not record.steps:
            remarks.append(f"{place}: {'; '.join(record.blemishes) or 'no steps'}")
            continue
        id = record.id or f"{path.stem}-{number}"
        question = Question(id, one_line(record.question), "", record.options, "", record.split)
        gold = normalise_gold(record.answer, question, _kind(question, record.answer))
        if gold is None:
            raise UserError(f"{place}: the answer {record.answer!r} is none of the question's options; correct the row")
        solutions.append(Solution(Question(id, question.text, gold, record.options, "", record.split), record.steps))
    if not solutions:
        raise UserError(f"{path}: no labelled solutions in it; is it a file that `memreason label` wrote?")
    return solutions, remarks


def _kind(question: Question, answer: object) -> AnswerKind:
    if question.options:
        return "choice"
    return "boolean" if normalise_gold(answer, question, "boolean") else "text"


def figures(solutions: Sequence[Solution]) -> dict[str, Any]:
    """Counts, shares (0 to 1) and lengths. Lengths of steps are in words."""
    types = Counter(step.type for solution in solutions for step in solution.steps)
    words = {
        type_: [len(step.text.split()) for solution in solutions for step in solution.steps if step.type == type_]
        for type_ in types
    }
    memories = [[one_line(s.text).casefold() for s in sol.steps if s.type == MEMORY] for sol in solutions]
    everywhere = Counter(text for texts in memories for text in set(texts))
    n = len(solutions)
    return {
        "solutions": n,
        "splits": dict(Counter(solution.question.split or "none" for solution in solutions)),
        "answers": dict(Counter(solution.question.answer for solution in solutions).most_common(10)),
        "steps": dict(types),
        "steps_per_solution": _spread([len(solution.steps) for solution in solutions]),
        "words_per_step": {type_: _spread(lengths) for type_, lengths in words.items()},
        "without_memory": sum(not texts for texts in memories) / n,
        "without_reason": sum(all(s.type != REASON for s in solution.steps) for solution in solutions) / n,
        "ends_with_reason": sum(solution.steps[-1].type == REASON for solution in solutions) / n,
        "facts_before_reasoning": sum(_memory_first(solution) for solution in solutions) / n,
        "memory_repeated_within": sum(len(set(texts)) < len(texts) for texts in memories) / n,
        "memory_shared_between": sum(count for count in everywhere.values() if count > 1) / max(everywhere.total(), 1),
        "most_shared": [[text, count] for text, count in everywhere.most_common(3) if count > 1],
    }


def _spread(values: Sequence[int]) -> dict[str, float]:
    return {"mean": round(mean(values), 2), "median": median(values), "min": min(values), "max": max(values)}


def _memory_first(solution: Solution) -> bool:
    types = [step.type for step in solution.steps]
    return MEMORY not in types[types.index(REASON) :] if REASON in types else True


async def read_all(
    config: InspectConfig, solutions: Sequence[Solution], console: Console
) -> tuple[str, dict[str, dict[str, Any]]]:
    """(the reader's model, for each of `READINGS` its accuracy, 95% interval (Wilson) and outcomes). A progress bar is
    shown on ``console``. Raises UserError if the endpoint answers no request, Stopped if the budget is used up."""
    meter = Meter(max_cost=config.max_cost)
    model = str(config.reader)
    address = ModelAddress(model, config.base_url, config.api_key_env, config.price, dtype=config.dtype)
    client, price = open_client(address, meter, config)
    prompts = load_prompts("interleaved")
    gate = asyncio.Semaphore(config.concurrency)
    path = request_cache_path(config.request_cache)

    async def read(solution: Solution, reading: str) -> tuple[str, str]:
        shown = {"question alone": (), "last step": solution.steps[-1:], "all steps": solution.steps}[reading]
        notes = "\n".join(f"- {step.text}" for step in shown) or "(none)"
        messages = prompts.messages("reader", **question_values(solution.question), steps=notes)
        request = Request(model, messages, "answer", ANSWER_SCHEMA, max_tokens=128)
        async with gate:
            try:
                reply = await paid.answer(request)
            except RequestFailed:
                return reading, "failed"
        kind = _kind(solution.question, solution.question.answer)
        try:
            answer = extract_strict(read_answer(reply), solution.question, kind)
        except Problem:  # a small model may answer in plain words instead of JSON
            answer = extract_flexible(reply.text, solution.question, kind)
        return reading, outcome(answer, solution.question.answer, kind)

    with closing(RequestCache(path)) as cache:
        paid = PaidModel(client, model, price, cache, meter, f"inspect {Path(config.file).resolve()}", "reader")
        tasks = [asyncio.create_task(read(solution, reading)) for solution in solutions for reading in READINGS]
        try:
            outcomes: Counter[tuple[str, str]] = Counter()
            bar = track(asyncio.as_completed(tasks), "reading", len(tasks), console=console, disable=config.json)
            for task in bar:
                outcomes[await task] += 1
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)
            await client.close()
    readings: dict[str, dict[str, Any]] = {}
    for reading in READINGS:
        correct, failed = outcomes[reading, "correct"], outcomes[reading, "failed"]
        if failed == len(solutions):
            raise UserError(f"{client.endpoint}: no request got an answer; is this the right --base_url and --reader?")
        n = len(solutions) - failed
        others = {kind: outcomes[reading, kind] for kind in ("incorrect", "no_answer")}
        readings[reading] = {
            "accuracy": correct / n, "interval": wilson(correct, n), "n": n, **others, "failed": failed,
        }  # fmt: skip
    return model, readings


@dataclass(frozen=True)
class Inspection:
    """What labelled solutions look like.

    ``figures`` is the result of the function `figures`. ``readings`` has, for each of `READINGS`, the accuracy of the
    model ``reader``; empty if there was no reader. ``sample`` are solutions drawn at random, to look at, and
    ``not_read`` says which rows had no usable steps, and why.
    """

    figures: dict[str, Any]
    reader: str | None
    readings: dict[str, dict[str, Any]]
    sample: tuple[Solution, ...]
    not_read: tuple[str, ...]

    def to_json(self) -> dict[str, Any]:
        """All figures as one object, without the sample."""
        read = {"reader": self.reader, "readings": self.readings} if self.readings else {}
        return {**self.figures, **read, "not_read": list(self.not_read)}


def inspect(config: InspectConfig) -> Inspection:
    """Describe the labelled solutions in a file; if ``config`` names a reader, let that model answer from their steps.

    Raises UserError for a file without labelled solutions, and for an endpoint that refuses or does not answer;
    Stopped if the budget is used up.
    """
    solutions, not_read = read_solutions(Path(config.file))
    generator = random.Random(config.seed)
    reader: str | None = None
    readings: dict[str, dict[str, Any]] = {}
    if config.reader:
        to_read = generator.sample(solutions, min(config.num_read or len(solutions), len(solutions)))
        reader, readings = run_until_ended(read_all(config, to_read, Console(stderr=True)))
    sample = generator.sample(solutions, min(config.show, len(solutions)))
    return Inspection(figures(solutions), reader, readings, tuple(sample), tuple(not_read))
