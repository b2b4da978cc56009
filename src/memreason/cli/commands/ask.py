"""`memreason ask`: one question to a checkpoint, answered step by step as it is written."""

from __future__ import annotations

from collections.abc import Sequence

from memreason.cli.command import Command, open_console, quiet_transformers
from memreason.errors import UserError

FIRST_QUESTION = "Is Sydney the capital of Australia?"
"""About a country that the demo is trained on, and whose capital is another city; the demo answers it rightly."""
UNSEEN_QUESTION = "Kenya uses the rupee. Is this true?"
"""About a country that occurs in none of the demo's training questions: the lesson that inference is not knowledge."""

EXAMPLES = f"""examples:
  memreason ask "{FIRST_QUESTION}"              # of the checkpoint in runs/demo
  memreason ask "{UNSEEN_QUESTION}"              # a country that the demo never saw: see what it recalls
  memreason ask "{FIRST_QUESTION}" --model_name_or_path runs/demo
  memreason ask "Which city is the capital of Japan?" --options Seoul Tokyo Beijing Osaka
"""


def run(argv: Sequence[str]) -> None:
    """Ask, and print the answer."""
    from memreason.config.commands import AskConfig

    (config,) = COMMAND.parse((AskConfig,), argv)
    question = config.question
    if not question.strip():
        raise UserError(f'the question is missing: memreason ask "{FIRST_QUESTION}"')
    quiet_transformers()
    from memreason.reasoner import load, print_json, print_stream

    reasoner = load(config.model_name_or_path, base=config.base_model_name_or_path, device=config.device)
    if config.json:
        print_json(reasoner, question, config.options)
    else:
        print_stream(open_console(), reasoner, question, config.options)


COMMAND = Command("ask", "ask a checkpoint one question", EXAMPLES, run, ('"QUESTION"', "question"))
