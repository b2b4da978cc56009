"""`memreason label convert`: converts labelled solutions between the paper's form and memreason's."""

from __future__ import annotations

import sys
from collections.abc import Sequence

from memreason.errors import UserError
from memreason.runtime.terminal import say

HELP = """usage: memreason label convert FROM TO

Convert labelled solutions from the paper's form (.json, with cot_steps) to memreason's (.jsonl), or back.
The ending of a file's name says which form it has.
"""


def run(argv: Sequence[str]) -> None:
    """Convert one file into another."""
    from memreason.label.convert import convert

    if argv in (["-h"], ["--help"]):
        say(HELP.rstrip("\n"), sys.stdout)
        return
    if len(argv) != 2 or any(argument.startswith("-") for argument in argv):
        raise UserError(
            "give two files: memreason label convert FROM TO (.jsonl is memreason's form, .json the paper's)"
        )
    for line in convert(*argv):
        say(line, sys.stdout)
