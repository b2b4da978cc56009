"""The reasons why a reply cannot be used, each with a name."""

from __future__ import annotations

MOST_STEPS = 20
REASONS = {
    "request_failed": "the endpoint gave no reply, after all retries",
    "refused": "the model refused to answer, or a content filter blocked the answer",
    "empty_reply": "the reply was empty",
    "not_in_content": "the reply had no content, its text was in another field",
    "cut_off": "the reply hit --max_tokens",
    "bad_json": "the reply was not JSON",
    "wrong_schema": "the reply was JSON of another form",
    "unknown_label": "a step was neither memory nor reason",
    "empty_step": "a step had no text",
    "placeholder": "a step was a placeholder, like those in the prompt",
    "control_character": "a step had a control character in it",
    "planning_token": "a step had the name of a planning token in it",
    "too_many_steps": f"more than {MOST_STEPS} steps",
    "no_memory_step": "no step recalls a fact",
    "no_reason_step": "no step infers anything",
    "wrong_order": "a memory step after a reason step, in the order memory_first",
    "contradicts_gold": "the plan ends with another answer than the gold answer",
    "leaks_answer_early": "a step before the last states the answer",
    "wrong_count": "the number of facts is not the number of queries",
    "unknown_fact": "an agent does not know what it was asked",
    "repeated_step": "two steps say the same",
}
"""Code of the reason why a question was rejected → its meaning."""


class Problem(Exception):
    """A reply cannot be used: ``code`` is one of `REASONS`, ``detail`` can be told to the agent."""

    def __init__(self, code: str, detail: str = ""):
        super().__init__(detail or REASONS[code])
        self.code, self.detail = code, detail or REASONS[code]
