"""A chat template that puts a user's message into the prompt that training used.

Other programs render a conversation by the template that lies beside the tokenizer, and tokenize the text as a whole.
Training tokenized the pieces of a prompt one by one. The two give the same ids where each piece ends in a token of its
own (the opening token, the planning tokens) or is the only one; `with_chat_template` tries it on questions, because a
tokenizer may treat the start of a text differently from the text after a token.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from string import Template
from typing import Any

from transformers import PreTrainedTokenizerBase

from memreason.errors import UserError
from memreason.planning_tokens.layout import PlanningTokens, opening_ids
from memreason.planning_tokens.prompt import AS_IT_IS, CHAT, message_text
from memreason.records import Question

_MESSAGE = "\x00message\x00"
"""Stands for a user's message while the text around it is found."""
_CHECKS = """\
{%- if message.content is not string -%}
{{ raise_exception("The content of a message must be a text.") }}
{%- endif -%}
{%- for mark in $marks if mark in message.content -%}
{{ raise_exception("The message contains a planning token of the model; remove it.") }}
{%- endfor -%}"""
_ANSWER = '("" if message.content.startswith($prefix) else $prefix) + message.content'
"""An answer in a conversation; what a program returned as the answer lacks the planning prefix, which is in the prompt.
"""
_PLAIN = f"""\
{{{{- $opening -}}}}
{{%- for message in messages -%}}
{{%- if message.role == "system" -%}}
{{{{ raise_exception("This model was trained on questions without a system message; leave it out.") }}}}
{{%- elif message.role != ("assistant" if loop.index0 % 2 else "user") -%}}
{{{{ raise_exception("The messages must be a question, or questions and answers in turn (user, assistant, user).") }}}}
{{%- elif message.role == "user" -%}}
{_CHECKS}
{{{{- $before + message.content | trim + $after -}}}}
{{%- else -%}}
{{{{- {_ANSWER} + ($end if loop.last else "\\n\\n") -}}}}
{{%- endif -%}}
{{%- endfor -%}}
{{{{- $prefix if add_generation_prompt else "" -}}}}"""
"""Without a chat template of the base model. Earlier questions and answers become solved examples, in the form in which
`PlanningTokens.encode_prompt` writes demonstrations."""
_AROUND = f"""\
{{%- if not {AS_IT_IS} -%}}
{{%- set put = namespace(messages=[]) -%}}
{{%- for message in messages -%}}
{{%- if message.role == "user" -%}}
{_CHECKS}
{{%- set content = $before + message.content | trim + $after -%}}
{{%- set put.messages = put.messages + [{{"role": "user", "content": content}}] -%}}
{{%- elif message.role == "assistant" and message.content is string -%}}
{{%- set put.messages = put.messages + [{{"role": "assistant", "content": {_ANSWER}}}] -%}}
{{%- else -%}}
{{%- set put.messages = put.messages + [message] -%}}
{{%- endif -%}}
{{%- endfor -%}}
{{%- set messages = put.messages -%}}
{{%- endif -%}}
{{{{ "" }}}}$base{{{{ $prefix if add_generation_prompt and not {AS_IT_IS} else "" }}}}"""
"""Around the base model's own template: the messages are put as training puts them, and the planning prefix ends the
prompt. With the variable `AS_IT_IS`, the text is that of the base model's template alone. No block tag touches the
base's text, because it could take away white space there."""


def with_chat_template(
    tokenizer: PreTrainedTokenizerBase, layout: PlanningTokens, questions: Sequence[Question]
) -> list[Question]:
    """Give ``tokenizer`` the chat template of ``layout``; returns those of ``questions`` for which a program that
    renders and tokenizes a message at once gets other ids than training.

    White space around a message is taken away. Raises UserError where the ids differ for all of the questions.
    """
    best: tuple[list[Question], str] | None = None
    expected = [layout.encode_prompt(tokenizer, question) for question in questions]
    for template in _candidates(tokenizer, layout):
        pairs = zip(questions, expected, strict=True)
        wrong = [question for question, ids in pairs if _ids(tokenizer, template, question) != ids]
        if best is None or len(wrong) < len(best[0]):
            best = wrong, template
    assert best is not None
    wrong, tokenizer.chat_template = best
    if questions and len(wrong) == len(questions):
        raise UserError(
            f"{type(tokenizer).__name__} tokenizes a prompt as a whole into other ids than its pieces, which training "
            "read, so that no chat template can put a question as training did; ask this model with `memreason ask`"
        )
    return wrong


def _candidates(tokenizer: PreTrainedTokenizerBase, layout: PlanningTokens) -> list[str]:
    """The templates to try."""
    prompt = layout.prompt_text(Question("", _MESSAGE, ""))
    if layout.prompt_template == CHAT:
        prompt = prompt.strip()
    before, after = prompt.split(_MESSAGE)
    values: dict[str, Any] = {"before": before, "after": after, "prefix": "".join(layout.prefix), "marks": layout.names}
    if layout.prompt_template == CHAT:
        base = tokenizer.get_chat_template()
        # Jinja takes away the last newline of a template. A template that stands around already is from an export.
        return [base if AS_IT_IS in base else _filled(_AROUND, base.removesuffix("\n"), **values)]
    opening = "".join(tokenizer.convert_ids_to_tokens(opening_ids(tokenizer)))
    # Some tokenizers put a space before the first piece of a text only: after an opening token, it must be written.
    openings = (opening, f"{opening} ") if opening else ("",)
    return [_filled(_PLAIN, **values, opening=start, end=tokenizer.eos_token) for start in openings]


def _filled(template: str, base: str = "", **values: Any) -> str:
    """The template with ``values`` as Jinja writes them, which is as JSON does."""
    written = {name: json.dumps(value, ensure_ascii=False) for name, value in values.items()}
    return Template(template).substitute(written, base=base)


def _ids(tokenizer: PreTrainedTokenizerBase, template: str, question: Question) -> list[int]:
    messages = [{"role": "user", "content": message_text(question)}]
    ids = tokenizer.apply_chat_template(messages, chat_template=template, add_generation_prompt=True, return_dict=False)
    return list(ids)
