"""`memreason benchmark`: all contestants take their turns, round by round; then the turns become figures."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path
from typing import Any

from tqdm.auto import tqdm

from memreason.benchmark.config import SECTIONS, BenchmarkConfig
from memreason.benchmark.contestants import CEILING, Contestant
from memreason.benchmark.machine import describe
from memreason.benchmark.summary import summarise
from memreason.benchmark.workload import Work, prepare_work
from memreason.runtime.files import write_json
from memreason.runtime.terminal import say


def run(config: BenchmarkConfig) -> dict[str, Any]:
    """Measure, write the result to `--output` if it is given, and return it.

    Other work on the machine changes from moment to moment. So the contestants A, B and C do not take all their turns
    in a row (A A B B C C), but one in each round (A B C A B C), and figures are medians over the rounds. Raises
    UserError for data or a model that cannot be loaded. A contestant that fails is a row with its error.
    """
    say("loading the data and choosing a data type …")
    work = prepare_work(config)
    sections: dict[str, list[Contestant]] = {
        section: [Contestant(section, name, work) for name in config.contestants(section)] for section in config.what
    }
    ceiling = Contestant(CEILING, CEILING, work)
    turns = (config.rounds + config.keep_loaded) * sum(map(len, sections.values()))
    try:
        with tqdm(total=turns, unit="turn", disable=None) as bar:
            for section, contestants in sections.items():
                measure(section, contestants, ceiling, config, bar)
    finally:
        ceiling.close()
    result = {
        "machine": describe(),
        "options": asdict(config),
        "work": account(work),
        "ceiling": ceiling.turns,
        **{section: summarise(section, contestants, ceiling.turns) for section, contestants in sections.items()},
    }
    if config.output:
        write_json(Path(config.output), result)
    return result


def measure(
    section: str, contestants: list[Contestant], ceiling: Contestant, config: BenchmarkConfig, bar: tqdm
) -> None:
    """Let every contestant of a section take `--rounds` turns; the machine's ``ceiling`` is measured in each round."""
    everyone = [ceiling, *contestants]

    def do(action: Callable[[Contestant], None], contestant: Contestant) -> None:
        title = contestant.name if contestant is ceiling else SECTIONS[section][contestant.name].title
        announce(bar, f"{section}: {title}, {'loading' if action is Contestant.prepare else 'at work'}")
        if not contestant.error:
            action(contestant)

    def load_and_take_turn(contestant: Contestant) -> None:
        contestant.start()
        contestant.prepare()
        if not contestant.error:
            contestant.take_turn()
        contestant.close()

    try:
        if config.keep_loaded:
            announce(bar, f"{section}: starting {len(contestants)} processes")
            for contestant in everyone:
                contestant.start()
            for contestant in everyone:
                do(Contestant.prepare, contestant)
                bar.update(contestant is not ceiling)
        for _ in range(config.rounds):
            for contestant in everyone:
                do(Contestant.take_turn if config.keep_loaded else load_and_take_turn, contestant)
                bar.update(contestant is not ceiling)
    finally:
        for contestant in contestants:
            contestant.close()


def announce(bar: tqdm, what: str) -> None:
    """Show what is under way: on the bar or, if there is none (in a pipe or a log file), as a line."""
    if bar.disable:
        say(f"{what} …")
    else:
        bar.set_description(what)


def account(work: Work) -> dict[str, Any]:
    """How much work a turn is: numbers of examples, questions and tokens."""
    lengths = [len(example["input_ids"]) for example in work.examples]
    return {
        "model": work.config.model_name_or_path,
        "training_from": work.model.model_name_or_path,
        "dtype": work.dtype,
        "limit": work.limit,
        "examples": len(lengths),
        "example_tokens": sum(lengths),
        "longest_example": max(lengths, default=0),
        "questions": len(work.questions),
        "one_by_one": len(work.sample),
        "prompt_tokens": sum(map(len, work.prompts)),
    }
