"""How a question and its options are written into a prompt: plainly, in the Alpaca layout, or in a chat template."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from memreason.errors import UserError
from memreason.records import Question, lettered
from memreason.runtime.reading import reading

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase

PLAIN_TEMPLATE, ALPACA, CHAT = "plain", "alpaca", "chat"
PROMPT_TEMPLATES = (PLAIN_TEMPLATE, ALPACA, CHAT)

ANSWER_PHRASE = "The answer is:"
AS_IT_IS = "memreason_as_it_is"
"""A variable for which the chat template of an export (`export.chat_template`) renders as the base model's own."""
INSTRUCTION = f'Answer the question step by step, one step a line. The last line is "{ANSWER_PHRASE} " and the answer.'

_ALPACA = """Here is an instruction; the response carries it out.

### Instruction:
{instruction}

{question}
### Response:
"""

_WRITTEN = "what the assistant wrote"


def message_text(question: Question) -> str:
    """The question, and below it its options with their letters: what a user would write in a chat."""
    options = f"\nOptions: {' '.join(lettered(question.options))}" if question.options else ""
    return question.text + options


def question_text(question: Question) -> str:
    """The question, its options with their letters, and a newline."""
    return f"Question: {message_text(question)}\n"


def alpaca_text(question: str) -> str:
    """The Alpaca layout around ``question`` (which must end with a newline), up to the start of the response."""
    return _ALPACA.format(instruction=INSTRUCTION, question=question)


def chat_text(tokenizer: PreTrainedTokenizerBase, turns: Sequence[str], answering: bool = True) -> str:
    """The messages ``turns`` in the tokenizer's chat template; the user and the assistant take turns, the user first.

    With ``answering``, the text ends where the assistant's next message begins.
    Raises UserError where the tokenizer has no chat template, or one that cannot be used.
    """
    if not tokenizer.chat_template:
        raise UserError(
            f"--prompt_template chat: the tokenizer of {tokenizer.name_or_path or 'this model'} has no chat template; "
            "use an instruction-tuned model, or --prompt_template plain or alpaca"
        )
    messages = [{"role": ("user", "assistant")[i % 2], "content": text} for i, text in enumerate(turns)]
    with reading(
        f"the chat template of {tokenizer.name_or_path or 'this model'} cannot be used",
        "use another model, or --prompt_template plain or alpaca",
    ):
        own = {AS_IT_IS: True} if AS_IT_IS in tokenizer.get_chat_template() else {}
        text = tokenizer.apply_chat_template(messages, tokenize=False, add_generation_prompt=answering, **own)
        if not isinstance(text, str):
            raise TypeError(f"it gives a {type(text).__name__}")
        return text


def chat_end_id(tokenizer: PreTrainedTokenizerBase) -> int:
    """The id of the token with which the chat template ends a message of the assistant.

    It may differ from the tokenizer's end token: the tokenizers of base models often come with the template of the
    instruction-tuned model.
    """
    rest = chat_text(tokenizer, ["?", _WRITTEN], answering=False).rpartition(_WRITTEN)[2]
    added = set(tokenizer.added_tokens_decoder)
    ids = tokenizer.encode(rest, add_special_tokens=False)
    return next((i for i in ids if i in added), tokenizer.eos_token_id)
