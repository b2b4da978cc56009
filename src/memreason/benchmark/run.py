"""`memreason benchmark`: everyone's turns, one after another, round by round, and what came of them."""

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
    """Measure, write to ``--output`` where it is given, and return what was written.

    A A … of one contestant and then B B … of the next would give each another moment of a noisy machine;
    here the turns go A B C A B C, and figures are medians over the rounds. Raises UserError for data or a
    model that cannot be had; one who fails at the work is a row that says why.
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
        Path(config.output).parent.mkdir(parents=True, exist_ok=True)
        write_json(Path(config.output), result)
    return result


def measure(
    section: str, contestants: list[Contestant], ceiling: Contestant, config: BenchmarkConfig, bar: tqdm
) -> None:
    """Let everyone of a section have ``--rounds`` turns, the machine itself being measured before each round."""
    everyone = [ceiling, *contestants]

    def do(action: Callable[[Contestant], None], one: Contestant) -> None:
        title = SECTIONS[section][one.name].title if one is not ceiling else one.name
        announce(bar, f"{section}: {title}, {'loading' if action is Contestant.prepare else 'at work'}")
        if not one.error:
            action(one)

    def everything_anew(one: Contestant) -> None:
        one.start()
        one.prepare()
        if not one.error:
            one.take_turn()
        one.close()

    try:
        if config.keep_loaded:
            announce(bar, f"{section}: starting {len(contestants)} processes")
            for one in everyone:
                one.start()
            for one in everyone:
                do(Contestant.prepare, one)
                bar.update(one is not ceiling)
        for _ in range(config.rounds):
            for one in everyone:
                do(Contestant.take_turn if config.keep_loaded else everything_anew, one)
                bar.update(one is not ceiling)
    finally:
        for one in contestants:
            one.close()


def announce(bar: tqdm, what: str) -> None:
    """Show what is under way, on the bar, or a line each where there is none (in a pipe, a log file)."""
    if bar.disable:
        say(f"{what} …")
    else:
        bar.set_description(what)


def account(work: Work) -> dict[str, Any]:
    """How much work a turn is."""
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
