"""`memreason intervene`: changes steps of a model's answer, and shows what it would have written then."""

from __future__ import annotations

import re
from collections.abc import Sequence
from difflib import SequenceMatcher
from itertools import zip_longest
from pathlib import Path
from typing import TYPE_CHECKING

from rich.console import Console
from rich.table import Table
from rich.text import Text

from memreason.cli.command import Command, open_console, quiet_transformers
from memreason.cli.commands.ask import COLOURS, FIRST_QUESTION, NO_ANSWER, UNSEEN_QUESTION
from memreason.errors import UserError
from memreason.runtime.terminal import show, show_json

if TYPE_CHECKING:
    from memreason.config.commands import InterveneConfig
    from memreason.explain.what_if import Wanted, WhatIf
    from memreason.records import Trace

EXAMPLES = f"""examples:
  memreason intervene runs/demo "{FIRST_QUESTION}" --step 1 "The capital of Australia is Sydney."
  memreason intervene runs/demo "{UNSEEN_QUESTION}" --type 1 reason    # another kind of step, the same text
  memreason intervene runs/demo "{UNSEEN_QUESTION}" --remove 1
  memreason intervene runs/demo --edits edits.jsonl --output answers.jsonl    # many questions at once
"""
_LEGEND = "= as it was   ~ changed by you   - taken out   > written anew"


def run(argv: Sequence[str]) -> int | None:
    """Answer, edit, answer again, and print both answers side by side."""
    from memreason.config.commands import InterveneConfig

    (config,) = COMMAND.parse((InterveneConfig,), argv)
    quiet_transformers()
    from memreason.explain.what_if import read_edits, what_if
    from memreason.reasoner import load
    from memreason.runtime.files import write_jsonl

    wanted = list(read_edits(Path(config.edits).expanduser())) if config.edits else [_wanted(config)]
    if not wanted:
        raise UserError(f"--edits {config.edits}: the file is empty")
    reasoner = load(config.checkpoint, base=config.base_model_name_or_path, device=config.device)
    results = what_if(reasoner, wanted, progress=config.edits is not None and not config.json)
    if config.edits is None and results[0].error:
        raise UserError(results[0].error)
    rows = [result.to_json() for result in results]
    if config.output:
        write_jsonl(Path(config.output).expanduser(), rows)
    if config.json:
        show_json(rows if config.edits else rows[0])
        return None
    console = open_console()
    for one, result in zip(wanted, results, strict=True):
        if not (result.error or config.output):
            if config.edits is not None:
                show(console, Text(result.before.question.text, style="bold"))
            print_what_if(console, result, [at for at, text in one.texts.items() if text is None])
    if config.edits is not None:
        _print_many(console, results)
    if config.output:
        show(console, f"written to {config.output}", style="dim", soft_wrap=True)
    return None


def _wanted(config: InterveneConfig) -> Wanted:
    """The question and the changes on the command line."""
    from memreason.explain.what_if import Wanted, step_number
    from memreason.reasoner import as_question

    question = as_question(config.asked[-1], config.options)
    texts: dict[int, str | None] = {}
    types: dict[int, str] = {}
    for flag, words, found in (("step", config.step, texts), ("type", config.type, types)):
        if len(words) % 2:
            raise UserError(f"--{flag} {' '.join(words)}: give a number and a {flag if flag == 'type' else 'text'}, "
                            f'as in --{flag} 1 "…" (a text with spaces needs quotes)')  # fmt: skip
        for number, value in zip(words[::2], words[1::2], strict=True):
            at = step_number(number, f"--{flag}: ")
            if at in found:
                raise UserError(f"--{flag} {number}: the step is given twice; leave one out")
            found[at] = value
    for number in config.remove:
        at = step_number(number, "--remove: ")
        if at in texts or at in types:
            raise UserError(f"--remove {number}: the step is changed as well; do one of the two")
        texts[at] = None
    return Wanted(question, texts, types)


# ---- printing --------------------------------------------------------------------------------------


def print_what_if(console: Console, result: WhatIf, removed: Sequence[int] = ()) -> None:
    """Print the two answers side by side, line by line, with what differs in bold; ``removed`` steps have no other."""
    assert result.after is not None and result.edited is not None
    table = Table(box=None, padding=(0, 1, 0, 0))
    for title, style in (("", ""), ("as the model answers", ""), ("", "bold"), ("", ""), ("with the change", "")):
        table.add_column(title, style=style, justify="left" if title else "right", ratio=1 if title else None)
    after: list[tuple[str, str] | None] = [*_lines(result.after)]
    for at in sorted(removed):
        after.insert(at, None)
    anew = len(after) - len(_lines(result.after)) + len(result.edited.steps)
    for at, (old, new) in enumerate(zip_longest(_lines(result.before), after)):
        mark = "-" if at in removed else "" if new is None else ">" if at >= anew else "=" if new == old else "~"
        (type_, left), (new_type, right) = _compared(old, new)
        table.add_row(type_, left, mark, new_type, right)
    show(console, table)
    show(console, _LEGEND, style="dim")
    was, is_ = (trace.answer or "none" for trace in (result.before, result.after))
    show(console, f"the answer changes from {was} to {is_}" if result.changed else f"the answer stays {was}", "bold")
    if not result.after.answer:
        show(console, NO_ANSWER, style="bold")


def _lines(trace: Trace) -> list[tuple[str, str]]:
    """(type, text) of each line of an answer."""
    return [*((step.type, step.text) for step in trace.steps), *([("answer", trace.answer)] if trace.answer else [])]


def _compared(old: tuple[str, str] | None, new: tuple[str, str] | None) -> tuple[tuple[Text, Text], tuple[Text, Text]]:
    """(type, text) of two lines, with the words in bold in which the texts differ."""
    texts = Text(), Text()
    words = [re.findall(r"\S+\s*", line[1]) if line else [] for line in (old, new)]
    first, second = ([word.strip() for word in some] for some in words)
    for kind, *places in SequenceMatcher(None, first, second, autojunk=False).get_opcodes():
        for text, some, (start, end) in zip(texts, words, (places[:2], places[2:]), strict=True):
            text.append("".join(some[start:end]), style="" if kind == "equal" else "bold underline")
    types = [Text(line[0], style=COLOURS.get(line[0], "blue")) if line else Text() for line in (old, new)]
    return (types[0], texts[0]), (types[1], texts[1])


def _print_many(console: Console, results: Sequence[WhatIf]) -> None:
    done = [result for result in results if result.after is not None]
    changed = sum(result.changed for result in done)
    edited = f"{len(done)} answer{'s' if len(done) > 1 else ''} edited"
    show(
        console,
        f"{edited}; {changed} of them change{'s' if changed == 1 else ''}" if done else "no answer could be edited",
    )
    for result in results:
        if result.error:
            show(console, f"question {result.before.question.id}: {result.error}", style="yellow")


COMMAND = Command(
    "intervene",
    "change steps of an answer, and see what the model writes then",
    EXAMPLES,
    run,
    ('CHECKPOINT "QUESTION"', "asked"),
)
