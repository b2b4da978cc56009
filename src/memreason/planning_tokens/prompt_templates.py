"""How a question is put to the model: plainly, in the Alpaca layout, or in the tokenizer's own chat template."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from memreason.errors import UserError
from memreason.runtime.reading import reading

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase

PLAIN_TEMPLATE, ALPACA, CHAT = "plain", "alpaca", "chat"
PROMPT_TEMPLATES = (PLAIN_TEMPLATE, ALPACA, CHAT)

ANSWER_PHRASE = "The answer is:"
INSTRUCTION = f'Answer the question step by step, one step a line. The last line is "{ANSWER_PHRASE} " and the answer.'

_ALPACA = """Here is an instruction; the response carries it out.

### Instruction:
{instruction}

{question}
### Response:
"""

_WRITTEN = "what the assistant wrote"


def alpaca_text(question: str) -> str:
    """The Alpaca layout around a question, which ends with a newline, up to where the response begins."""
    return _ALPACA.format(instruction=INSTRUCTION, question=question)


def chat_text(tokenizer: PreTrainedTokenizerBase, turns: Sequence[str], answering: bool = True) -> str:
    """``turns`` of user and assistant, in turn, in the tokenizer's chat template; ends where the
    assistant begins to write, if it is ``answering``.

    Raises UserError where the tokenizer has no chat template.
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
        text = tokenizer.apply_chat_template(messages, tokenize=False, add_generation_prompt=answering)
        if not isinstance(text, str):
            raise TypeError(f"it gives a {type(text).__name__}")
        return text


def chat_end_id(tokenizer: PreTrainedTokenizerBase) -> int:
    """The token with which the chat template ends what the assistant wrote.

    It need not be the tokenizer's end token: base models' tokenizers often come with the template of
    their instruction-tuned sisters.
    """
    rest = chat_text(tokenizer, ["?", _WRITTEN], answering=False).rpartition(_WRITTEN)[2]
    added = set(tokenizer.added_tokens_decoder)
    ids = tokenizer.encode(rest, add_special_tokens=False)
    return next((i for i in ids if i in added), tokenizer.eos_token_id)
