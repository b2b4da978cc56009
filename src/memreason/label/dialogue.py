"""How one question becomes a solution: which agent is asked what, in which order, and how the replies are used.

There is no input or output here: `label` is a generator that yields requests and is sent the replies. So the online
run, the batch run and the tests all use the same code.
"""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterator
from dataclasses import dataclass, field
from typing import Any, TypeVar

from memreason.label.prompts import Prompts, answer_value, question_values
from memreason.label.rejection_reasons import REASONS, Problem
from memreason.label.replies import FACTS_SCHEMA, PLAN_SCHEMA, check_steps, read_facts, read_plan
from memreason.llm.base import Message, Reply, RequestFailed
from memreason.records import MEMORY, AnswerKind, Question, Solution, Step

PLANNER, KNOWLEDGE = "planner", "knowledge"
Read = TypeVar("Read")


@dataclass(frozen=True)
class Ask:
    """The next request to an agent: messages for ``role``, and the ``form`` and JSON ``schema`` of the reply."""

    role: str
    messages: tuple[Message, ...]
    form: str
    schema: dict[str, Any]


@dataclass(frozen=True)
class Labelled:
    """A question's solution.

    ``queries`` has one entry for each step: the query behind a memory step, else None; always None in the order
    `single`.
    """

    solution: Solution
    queries: tuple[str | None, ...]


@dataclass(frozen=True)
class Rejection:
    """A question without a solution: the code of the reason (see `REASONS`), a detail, and every reply in full."""

    question: Question
    reason: str
    detail: str
    replies: tuple[dict[str, str], ...]


@dataclass(frozen=True)
class Labeller:
    """The settings with which every question is labelled."""

    order: str
    prompts: Prompts
    repairs: int = 1
    need_both: bool = True


@dataclass
class _Talk:
    """The exchange about one question: the replies of both agents so far."""

    labeller: Labeller
    replies: list[dict[str, str]] = field(default_factory=list)

    def ask(self, ask: Ask, read: Callable[[Reply], Read]) -> Generator[Ask, Reply, Read]:
        """The result of ``read`` for the reply to ``ask``.

        If ``read`` raises Problem, the agent is told what is wrong and asked again, up to ``labeller.repairs`` times.
        """
        messages = ask.messages
        for repairs_left in reversed(range(self.labeller.repairs + 1)):
            reply = yield Ask(ask.role, messages, ask.form, ask.schema)
            self.replies.append({"role": ask.role, "text": reply.text})
            try:
                return read(reply)
            except Problem as problem:
                # If an agent does not know a fact, or refuses, a second try does not help.
                if not repairs_left or problem.code in ("unknown_fact", "refused"):
                    raise
                its_reply: Message = {"role": "assistant", "content": reply.text or "(nothing)"}
                messages = (*ask.messages, its_reply, self.labeller.prompts.repair(problem.detail))
        raise AssertionError("unreachable")


def label(question: Question, kind: AnswerKind, labeller: Labeller) -> Generator[Ask, Reply, Labelled | Rejection]:
    """Label one question: yields the requests, is sent the replies, and returns the solution or the rejection.

    If a request fails, the caller throws RequestFailed into the generator instead of sending a reply.
    """
    talk = _Talk(labeller)
    try:
        return (yield from _solve(question, kind, talk))
    except Problem as problem:
        return Rejection(question, problem.code, problem.detail, tuple(talk.replies))
    except RequestFailed as failure:
        return Rejection(question, "request_failed", str(failure) or REASONS["request_failed"], tuple(talk.replies))


def _solve(question: Question, kind: AnswerKind, talk: _Talk) -> Generator[Ask, Reply, Labelled]:
    labeller = talk.labeller
    checks = {"memory_first": labeller.order == "memory_first", "need_both": labeller.need_both}
    plan = yield from talk.ask(first_ask(question, labeller), lambda reply: read_plan(reply, question, kind, **checks))
    queries = [step.text for step in plan if step.type == MEMORY]
    if labeller.order == "single" or not queries:
        return Labelled(Solution(question, plan), (None,) * len(plan))
    numbered = "\n".join(f"{number}. {query}" for number, query in enumerate(queries, 1))
    values = question_values(question)
    messages = labeller.prompts.messages(KNOWLEDGE, queries=numbered, **values)

    def read_merged(reply: Reply) -> tuple[Step, ...]:
        facts: Iterator[str] = iter(read_facts(reply, queries))
        steps = tuple(Step(MEMORY, next(facts)) if step.type == MEMORY else step for step in plan)
        check_steps(steps, **checks)
        return steps

    steps = yield from talk.ask(Ask(KNOWLEDGE, messages, "facts", FACTS_SCHEMA), read_merged)
    return Labelled(Solution(question, steps), tuple(s.text if s.type == MEMORY else None for s in plan))


def first_ask(question: Question, labeller: Labeller) -> Ask:
    """The first request for a question, to the planner."""
    messages = labeller.prompts.messages(PLANNER, **question_values(question), answer=answer_value(question))
    return Ask(PLANNER, messages, "solution" if labeller.order == "single" else "plan", PLAN_SCHEMA)
