"""Why a reply cannot be used: every reason has a name."""

from __future__ import annotations

MOST_STEPS = 20
REASONS = {
    "request_failed": "the endpoint gave no reply, after all retries",
    "refused": "the model declined to answer, or a content filter did for it",
    "empty_reply": "the reply was empty",
    "not_in_content": "the reply had no content, its text stood in another field",
    "cut_off": "the reply hit --max_tokens",
    "bad_json": "the reply was not JSON",
    "wrong_schema": "the reply was JSON of another form",
    "unknown_label": "a step was neither memory nor reason",
    "empty_step": "a step had no text",
    "placeholder": "a step was a placeholder, such as the prompt's own",
    "control_character": "a step had a control character in it",
    "planning_token": "a step had the name of a planning token in it",
    "too_many_steps": f"more than {MOST_STEPS} steps",
    "no_memory_step": "no step recalls a fact",
    "no_reason_step": "no step infers anything",
    "wrong_order": "a memory step after a reason step, in the order memory_first",
    "contradicts_gold": "the plan ends in another answer than the gold one",
    "leaks_answer_early": "a step before the last states the answer",
    "wrong_count": "not one fact for each query",
    "unknown_fact": "an agent does not know what is asked of it",
    "repeated_step": "two steps say the same",
}
"""Why a row can be rejected: code → meaning."""


class Problem(Exception):
    """A reply that cannot be used: ``code`` of `REASONS`, and a detail that can be told to the agent."""

    def __init__(self, code: str, detail: str = ""):
        super().__init__(detail or REASONS[code])
        self.code, self.detail = code, detail or REASONS[code]
