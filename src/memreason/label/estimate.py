"""What a run will take, before its first request: calls, tokens, dollars."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from dataclasses import dataclass

from memreason.errors import UserError
from memreason.label.config import LabelConfig
from memreason.label.dialogue import KNOWLEDGE, PLANNER, Labeller, first_ask
from memreason.label.questions import Questions
from memreason.llm.base import Message, Request
from memreason.llm.cache import RequestCache
from memreason.llm.meter import FREE, price_of
from memreason.llm.open_client import backend_of

ASSUMED = {PLANNER: 150, KNOWLEDGE: 70}
"""Tokens of a reply, where this model has not yet been seen to reply in this role."""
ENOUGH = 20
"""Replies from which on a model's own means are used."""
BATCH_PRICE = 0.5
"""Asynchronous batches cost half, as OpenAI and others charge them."""


@dataclass(frozen=True)
class Row:
    """One agent's part. Token counts and dollars are of all its calls; ``cost`` None: price not known."""

    role: str
    model: str
    calls: int
    prompt_tokens: int
    completion_tokens: int
    cost: float | None
    measured: bool


@dataclass(frozen=True)
class Estimate:
    """What is left to do of a run, and how many questions are done already."""

    questions: int
    done: int
    rows: tuple[Row, ...]
    max_cost: float | None = None

    @property
    def cost(self) -> float | None:
        """Dollars for everything, None where a price is not known."""
        costs = [row.cost for row in self.rows]
        return None if None in costs else sum(cost for cost in costs if cost is not None)


def estimate(questions: Questions, done: int, labeller: Labeller, config: LabelConfig, cache: RequestCache) -> Estimate:
    """Go through the questions that are left once. Raises UserError where two have the same id."""
    count = prompt_tokens = 0
    with closing(sqlite3.connect("")) as seen:  # a file that goes away: ids cost no memory, however many there are
        seen.execute("CREATE TABLE ids (id TEXT PRIMARY KEY) WITHOUT ROWID")
        for asked in questions:
            if not seen.execute("INSERT OR IGNORE INTO ids VALUES (?)", (asked.question.id,)).rowcount:
                raise UserError(
                    f"two questions have the id {asked.question.id}; ids are unique (--id_column names them)"
                )
            count += 1
            if count > done:
                ask = first_ask(asked.question, labeller)
                prompt_tokens += Request("", ask.messages, ask.form, ask.schema).prompt_tokens
    left = count - done
    rows = [_row(PLANNER, config.planner, left, prompt_tokens / max(left, 1), config, cache)]
    if labeller.order != "single":
        messages = labeller.prompts.messages(KNOWLEDGE, queries="1. " + 120 * "x", question="", options="")
        tokens = Request("", messages, "facts", {}).prompt_tokens
        rows.append(_row(KNOWLEDGE, config.knowledge or config.planner, left, tokens, config, cache))
    return Estimate(left, done, tuple(rows), config.max_cost)


def _row(role: str, model: str, calls: int, prompt_tokens: float, config: LabelConfig, cache: RequestCache) -> Row:
    seen, usual_prompt, usual_completion = cache.usual_tokens(role, model)
    completion_tokens: float = ASSUMED[role]
    if seen >= ENOUGH:
        prompt_tokens, completion_tokens = usual_prompt, usual_completion
    if backend_of(model).runs_here:
        price: object = FREE
    else:
        own, base_url = config.price, config.base_url
        if role == KNOWLEDGE:
            own = config.knowledge_price or (own if model == config.planner else None)
            base_url = config.knowledge_base_url or base_url
        price = price_of(model, base_url, own, "knowledge_price" if role == KNOWLEDGE else "price")
    cost = None if price is None else calls * price.cost(prompt_tokens, completion_tokens)  # type: ignore[attr-defined]
    if cost is not None and config.batch:
        cost *= BATCH_PRICE
    return Row(role, model, calls, round(calls * prompt_tokens), round(calls * completion_tokens), cost, seen >= ENOUGH)


def first_prompt(questions: Questions, labeller: Labeller) -> tuple[Message, ...]:
    """The planner's messages for the first question, as they would be sent; none where there is no question."""
    return next((first_ask(asked.question, labeller).messages for asked in questions), ())
