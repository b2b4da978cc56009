"""An estimate of what a run will need, before its first request: calls, tokens, dollars."""

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
"""Role → tokens of a reply, as long as the cache has too few replies of the model in this role."""
ENOUGH = 20
"""From this many replies on, the means of the model's own replies are used."""
BATCH_PRICE = 0.5
"""OpenAI and others charge half the price for asynchronous batches."""


@dataclass(frozen=True)
class Row:
    """One agent's part of the estimate.

    Tokens and dollars are for all its calls together. ``cost`` is None if the price is not known. ``measured``: the
    tokens are estimated from earlier replies of the model.
    """

    role: str
    model: str
    calls: int
    prompt_tokens: int
    completion_tokens: int
    cost: float | None
    measured: bool


@dataclass(frozen=True)
class Estimate:
    """What a run still needs: ``questions`` are left to label, ``done`` have a result already; a row for each agent."""

    questions: int
    done: int
    rows: tuple[Row, ...]
    max_cost: float | None = None

    @property
    def cost(self) -> float | None:
        """Dollars for everything; None if a price is not known."""
        costs = [row.cost for row in self.rows]
        return None if None in costs else sum(cost for cost in costs if cost is not None)


def estimate(questions: Questions, done: int, labeller: Labeller, config: LabelConfig, cache: RequestCache) -> Estimate:
    """The estimate for a run of which ``done`` questions are done. Raises UserError if two questions have the same id.

    Goes through all questions once.
    """
    count = prompt_tokens = 0
    with closing(sqlite3.connect("")) as seen:  # a temporary file, so that many ids do not fill the memory
        seen.execute("CREATE TABLE ids (id TEXT PRIMARY KEY) WITHOUT ROWID")
        for question, _ in questions:
            if not seen.execute("INSERT OR IGNORE INTO ids VALUES (?)", (question.id,)).rowcount:
                raise UserError(
                    f"two questions have the id {question.id}; every id must be unique (--id_column names their field)"
                )
            count += 1
            if count > done:
                ask = first_ask(question, labeller)
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
    """The planner's messages for the first question, as they would be sent; empty if there is no question."""
    return next((first_ask(question, labeller).messages for question, _ in questions), ())
