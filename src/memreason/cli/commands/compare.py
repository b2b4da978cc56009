"""`memreason compare`: does one side answer better than another, and how sure is that."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from textwrap import fill
from typing import TYPE_CHECKING

from memreason.cli.command import Command, open_console
from memreason.compare.measures import MEASURES
from memreason.errors import UserError
from memreason.runtime.interruptions import explain
from memreason.runtime.terminal import say, show, show_json

if TYPE_CHECKING:
    from memreason.compare.config import CompareConfig
    from memreason.compare.result import ComparisonResult, Unpaired

UNPAIRED = "unpaired.json"
NOTHING_COMPARED = 3
"""The exit code where there is a gate, for the user's mistake and for what cannot be read or written."""
_CODES = {None: 0, "not_worse": 0, "worse": 1, "cannot_tell": 2}
_GATES = {
    "not_worse": "not worse than --fail_if_worse allows (exit code 0)",
    "worse": "worse than --fail_if_worse allows (exit code 1)",
    "cannot_tell": "whether it is worse than --fail_if_worse allows cannot be told: more questions or runs would (exit "
    "code 2)",
}

EXAMPLES = """\
Answers are paired by the id and the text of their question, never by their order. For each pair of sides: the
difference with a 95% interval, a p-value (McNemar's exact test for two single runs), the smallest difference that
could have been found, and a sentence. Several runs of one side (seeds) are compared as runs and as questions.

examples:
  memreason compare runs/demo                                # before training against after
  memreason compare runs/plain runs/typed
  memreason compare plain='runs/plain-*' typed='runs/typed-*' --cluster country --by family
  memreason compare a.jsonl b.jsonl c.jsonl --all_pairs --measure accuracy memory_true steps
  memreason compare old=samples_a.jsonl new=samples_b.jsonl --fail_if_worse 0.02 --json

measures (--measure):
{measures}

--fail_if_worse M: let L to H be the 95% interval of the difference (second side minus first; for a measure of which
less is better, first minus second). Exit code 0, not worse: L >= -M. Exit code 1, worse: H < -M. Exit code 2, cannot
tell: the rest. Of several comparisons the worst counts, each over all questions or those of --split. Exit code 3:
nothing was compared, because options or files are not right; stderr says why. (Without the flag this is 2.)
"""


def run(argv: Sequence[str]) -> int:
    """Compare, and print sentences and tables, or everything with `--json`; the exit code is the gate's."""
    from memreason.compare.config import CompareConfig

    gated = any(word.startswith("--fail_if_worse") for word in argv)
    try:
        (config,) = COMMAND.parse((CompareConfig,), argv)
        gated = config.fail_if_worse is not None
        return _compare(config)
    except (UserError, OSError) as error:  # of the gate's codes, 1 and 2 would say something else
        if not gated:
            raise
        say(f"memreason compare: {explain(error)[0] if isinstance(error, OSError) else error}")
        return NOTHING_COMPARED


def _compare(config: CompareConfig) -> int:
    from memreason.compare.pairing import NotPaired
    from memreason.compare.result import gate_of, to_json
    from memreason.compare.run import compare_all

    folder = Path(config.output_dir).expanduser() if config.output_dir else None
    try:
        results = compare_all(config)
    except NotPaired as error:
        if folder:
            _write_unpaired(error.unpaired, folder)
        raise
    if folder:
        _write(results, folder)
    gate = gate_of(results)
    if config.json:
        show_json(to_json(results))
        return _CODES[gate]
    _print(results)
    if folder:
        show(open_console(), f"written to {folder}", style="dim", soft_wrap=True)
    if gate:
        say(f"memreason compare: {_GATES[gate]}")
    return _CODES[gate]


def _print(results: Sequence[ComparisonResult]) -> None:
    """The sentences, tables and warnings of each measure."""
    from memreason.cli.tables import print_table
    from memreason.compare.show.comparison import by_measure, sentences, tables, warnings

    console = open_console()
    for splits in by_measure([result.to_json() for result in results]).values():
        for sentence in sentences(splits):
            show(console, sentence, style="bold", soft_wrap=True)
        for table in tables(splits):
            show(console)
            print_table(console, table)
        for warning in warnings(splits):
            show(console, f"note: {warning}", style="yellow", soft_wrap=True)
        show(console)


def _write(results: Sequence[ComparisonResult], folder: Path) -> None:
    from memreason.compare.show.comparison import write

    write([result.to_json() for result in results], folder)
    if results[0].unpaired.total:
        _write_unpaired(results[0].unpaired, folder)


def _write_unpaired(unpaired: Unpaired, folder: Path) -> None:
    """All questions that not every run has, by run."""
    from memreason.runtime.files import write_json

    write_json(folder / UNPAIRED, asdict(unpaired))
    say(f"memreason compare: {folder / UNPAIRED} lists all questions that not every run has")


def _listed_measures() -> str:
    lines = {name: measure.help for name, measure in MEASURES.items() if not name.startswith("error:")}
    causes = [name.removeprefix("error:") for name in MEASURES if name not in lines]
    lines["error:CAUSE"] = f"share of questions with an answer wrong from this cause: {', '.join(causes)}"
    width = max(map(len, lines)) + 4
    return "\n".join(
        fill(f"  {name:<{width - 2}}{words}", 108, subsequent_indent=" " * width) for name, words in lines.items()
    )


COMMAND = Command(
    "compare",
    "compare models on the same questions: the difference, its interval, and how sure it is",
    EXAMPLES.format(measures=_listed_measures()),
    run,
    ("[SIDE …]", "sides"),
)
