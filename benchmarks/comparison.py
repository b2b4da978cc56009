"""How often each way to compare two arms finds a difference where there is none, and how often it finds one.

    python benchmarks/comparison.py                      # all tables, about half an hour on one core
    python benchmarks/comparison.py --comparisons 500    # a first look

Draws test sets, seeds and answers of two arms that are equally good on average, again and again, compares them at 5%,
and prints in how many percent of the comparisons the difference is called significant. The second table has a true
difference: how often it is found, and what `memreason.compare.statistics.power` says beforehand. The third has two arms
of a study of many, whose seeds' spread is shared.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np
from scipy.special import stdtr

from memreason.compare.statistics.arm import Arm
from memreason.compare.statistics.bootstrap import bca, seeds_and_questions
from memreason.compare.statistics.crossed import Spread, combined, spread
from memreason.compare.statistics.mcnemar import exact_p
from memreason.compare.statistics.power import Detection, Plan
from memreason.compare.statistics.shared import SharedSpread, shared_spread
from memreason.compare.statistics.units import Units, units
from memreason.evaluation.statistics import paired_difference


@dataclass(frozen=True, eq=False)
class Drawn:
    """Two arms, the cluster of each question, and the other arms of the study."""

    first: Arm
    second: Arm
    cluster: np.ndarray | None
    others: tuple[Arm, ...] = ()

    @property
    def arms(self) -> tuple[Arm, Arm]:
        """Both."""
        return self.first, self.second

    @cached_property
    def difference(self) -> float:
        """Second minus first."""
        return self.second.figure - self.first.figure

    @cached_property
    def sides(self) -> tuple[Units, ...]:
        """Both arms by questions or clusters."""
        return units(self.arms, self.cluster)

    @cached_property
    def parts(self) -> Spread:
        """The parts of the variance."""
        return spread(self.sides, (True, True))

    @cached_property
    def shared(self) -> SharedSpread | None:
        """What all arms say of seeds."""
        return shared_spread((*self.arms, *self.others))


@dataclass(frozen=True)
class World:
    """What answers are drawn from: a probit model, whose parts add up to how easy a question is for a run.

    Attributes:
        questions: How many there are.
        runs: Of the first arm and of the second.
        clusters: In how many clusters the questions lie, of unequal sizes; 0 without.
        seeds: How much a seed moves all its answers.
        steady: Whether that holds for the second arm only, against what the test takes for granted.
        seeds_at_questions: How much a seed moves single answers.
        arms_at_questions: How much an arm's answer to a question differs from the other's, whatever the seed.
        arms_at_clusters: The same for all questions of a cluster.
        steps: Whether the figure is a share of steps (0 to 3 a question and run) and not of right answers.
        effect: How much the second arm is better.
        others: How many further arms the study has, with as many runs as the second.
        restless: The numbers of the arms (from 0) that vary more.
        restless_seeds: How much a seed moves all answers of these.
    """

    questions: int = 300
    runs: tuple[int, int] = (3, 3)
    clusters: int = 0
    seeds: float = 0.0
    steady: bool = False
    seeds_at_questions: float = 0.6
    arms_at_questions: float = 0.4
    arms_at_clusters: float = 0.0
    steps: bool = False
    effect: float = 0.0
    others: int = 0
    restless: tuple[int, ...] = ()
    restless_seeds: float = 0.0

    def __str__(self) -> str:
        lie = f"{self.clusters} clusters" if self.clusters else "questions"
        seeds = f"0 and {self.seeds}" if self.steady else self.seeds
        counted = "steps" if self.steps else "answers"
        return f"{self.runs[0]} and {self.runs[1]} runs, {lie}, {counted}, seeds {seeds}"

    def draw(self, rng: np.random.Generator) -> Drawn:
        """The arms and the cluster of each question."""
        cluster, normal = None, rng.standard_normal
        easy = 0.3 + normal(self.questions)
        if self.clusters:  # each has a question at least, the largest about six times the mean
            chances = rng.exponential(size=self.clusters) + 0.2
            more = rng.choice(self.clusters, self.questions - self.clusters, p=chances / chances.sum())
            cluster = np.concatenate([np.arange(self.clusters), more])
            easy += 0.7 * normal(self.clusters)[cluster]
        arms = []
        for number, runs in enumerate([*self.runs, *[self.runs[1]] * self.others]):
            arm = easy + self.arms_at_questions * normal(self.questions) + self.effect * (number == 1)
            if cluster is not None:
                arm = arm + self.arms_at_clusters * normal(self.clusters)[cluster]
            seeds = self.restless_seeds if number in self.restless else self.seeds
            seeds = 0 if self.steady and number == 0 else seeds
            answers = arm + seeds * normal((runs, 1)) + self.seeds_at_questions * normal((runs, self.questions))
            if self.steps:
                weight = rng.integers(0, 4, answers.shape)
                true = answers + normal((3, *answers.shape)) > 0
                value = (true & (weight > np.arange(3)[:, None, None])).sum(0)
            else:
                value, weight = answers > 0, np.ones(answers.shape, int)
            arms.append(Arm(f"arm {number}", value, weight))
        return Drawn(arms[0], arms[1], cluster, tuple(arms[2:]))


def p_by_t(value: float, variance: float, degrees: float) -> float:
    """Two-sided."""
    return float(2 * stdtr(degrees, -abs(value) / np.sqrt(variance))) if variance > 0 else 1.0


def ours(drawn: Drawn) -> bool:
    """The test that `difference` uses for everything but two single runs without clusters."""
    return p_by_t(drawn.difference, *combined(drawn.parts)) < 0.05


def moderated(drawn: Drawn) -> bool:
    """The same with the seeds' spread shared among the arms of the study."""
    return p_by_t(drawn.difference, *combined(spread(drawn.sides, (True, True), drawn.shared))) < 0.05


def clusters_ignored(drawn: Drawn) -> bool:
    """The same, as if the questions had been drawn one by one."""
    return p_by_t(drawn.difference, *combined(spread(units(drawn.arms, None), (True, True)))) < 0.05


def seeds_ignored(drawn: Drawn) -> bool:
    """The runs as they are: t over questions or clusters of the mean over runs."""
    return p_by_t(drawn.difference, drawn.parts.questions, drawn.parts.degrees) < 0.05


def questions_ignored(drawn: Drawn) -> bool:
    """t over the runs' figures, unpaired."""
    freedom = drawn.first.runs + drawn.second.runs - 2
    squares = sum(float(((arm.by_run - arm.figure) ** 2).sum()) for arm in drawn.arms)
    return p_by_t(drawn.difference, squares / freedom * sum(1 / arm.runs for arm in drawn.arms), freedom) < 0.05


def all_independent(drawn: Drawn) -> bool:
    """Every answer of every run as a question of its own, unpaired: what comparing two accuracies by their n does."""
    flat = [Arm(arm.name, arm.value.reshape(1, -1), arm.weight.reshape(1, -1)) for arm in drawn.arms]
    variance = sum(float((units((arm,), None)[0].deviation ** 2).sum()) for arm in flat)
    return p_by_t(drawn.difference, variance, 1e6) < 0.05


def pigeonhole(drawn: Drawn, draws: int = 400) -> bool:
    """Owen's bootstrap as it is: k of k runs and n of n questions (or clusters), percentiles."""
    sides, rng = drawn.sides, np.random.default_rng(0)
    n = sides[0].value.shape[1]
    times = rng.multinomial(n, np.full(n, 1 / n), draws)
    means = []
    for side in sides:
        figures = (times @ side.value.T) / (times @ side.weight.T)
        chosen = rng.integers(0, figures.shape[1], figures.shape)
        means.append(np.take_along_axis(figures, chosen, 1).mean(1))
    low, high = np.quantile(means[1] - means[0], [0.025, 0.975])
    return not low <= 0 <= high


def scaled_bootstrap(drawn: Drawn) -> bool:
    """The bootstrap that is reported beside: `seeds_and_questions`, or BCa for single runs."""
    if drawn.first.runs == drawn.second.runs == 1:
        low, high = bca(drawn.sides, 1000)
    else:
        low, high = seeds_and_questions(drawn.sides, (True, True), drawn.parts, 400)
    return not low <= 0 <= high


def exact(drawn: Drawn) -> bool:
    """McNemar's exact test, for single runs."""
    one, other = (arm.value[0] == 1 for arm in drawn.arms)
    return exact_p(int((one & ~other).sum()), int((~one & other).sum())) < 0.05


def newcombe(drawn: Drawn) -> bool:
    """Newcombe's interval leaves out 0."""
    low, high = paired_difference(zip(*(arm.value[0] == 1 for arm in drawn.arms), strict=True))[1]
    return not low <= 0 <= high


def found(world: World, methods: Iterable[Callable[[Drawn], bool]], comparisons: int, seed: int = 0) -> list[float]:
    """In what share of the comparisons each method calls the difference significant."""
    rng = np.random.default_rng(seed)
    rows = [[method(drawn) for method in methods] for drawn in (world.draw(rng) for _ in range(comparisons))]
    return [float(each) for each in np.mean(rows, axis=0)]


def mean_parts(world: World, comparisons: int, seed: int = 1) -> Spread:
    """The parts of the variance, averaged over drawn comparisons: what a study would know of its variance."""
    rng = np.random.default_rng(seed)
    parts = [world.draw(rng).parts for _ in range(comparisons)]
    return Spread(*(float(np.mean([vars(each)[key] for each in parts])) for key in vars(parts[0])))


def mean_difference(world: World, comparisons: int, seed: int = 2) -> float:
    """The true difference, nearly."""
    rng = np.random.default_rng(seed)
    return float(np.mean([world.draw(rng).difference for _ in range(comparisons)]))


def worlds() -> list[World]:
    """Those of the first table."""
    plain = [World(runs=runs, seeds=seeds) for runs in ((2, 2), (3, 3), (5, 5)) for seeds in (0, 0.1, 0.3)]
    lumped = [
        World(runs=runs, seeds=seeds, clusters=clusters, arms_at_clusters=0.3, steps=steps)
        for runs, clusters, steps in (
            ((2, 2), 18, False), ((3, 3), 18, False), ((5, 5), 18, False), ((3, 3), 60, False), ((3, 3), 18, True)
        )
        for seeds in (0, 0.1, 0.3)
    ]  # fmt: skip
    steps = [World(runs=runs, seeds=0.1, steps=True) for runs in ((2, 2), (3, 3), (5, 5))]
    unequal = [World(runs=runs, seeds=seeds) for runs in ((1, 3), (2, 5)) for seeds in (0, 0.1, 0.3)]
    steady = [World(runs=runs, seeds=0.3, steady=True) for runs in ((2, 2), (3, 3), (5, 5))]
    return [*plain, *steps, *lumped, *unequal, *steady]


def single_worlds() -> list[World]:
    """One run a side."""
    return [
        World(runs=(1, 1)), World(60, (1, 1)), World(runs=(1, 1), steps=True), *(World(runs=(1, 1), clusters=n,
        arms_at_clusters=0.3, steps=steps) for n in (12, 18, 70) for steps in (False, True)),
    ]  # fmt: skip


def studies(arms: int) -> Iterator[World]:
    """Those of the third table: all arms vary alike, or one, or half of them vary more."""
    for runs in (2, 3, 5):
        world = World(150, (runs, runs), others=arms - 2)
        yield from (replace(world, seeds=seeds) for seeds in (0, 0.1, 0.3))
        yield replace(world, seeds=0.3, clusters=18, arms_at_clusters=0.3)
        yield replace(world, seeds=0.3, steps=True)
        for seeds, more in ((0.15, 0.45), (0.1, 1.0)):
            for restless in ((1,), tuple(range(1, arms // 2 + 1)), tuple(range(arms // 2))):
                yield replace(world, seeds=seeds, restless=restless, restless_seeds=more)


def line(name: object, cells: Iterable[float | None]) -> None:
    """One row, in percent."""
    print(f"{name!s:52}", *(f"{'' if cell is None else f'{100 * cell:.1f}':>11}" for cell in cells), flush=True)


def false_positives(comparisons: int) -> None:
    """The first table."""
    names = ("ours", "bootstrap", "pigeonhole", "no seeds", "no clusters", "no questions", "no pairs")
    methods = (
        ours, scaled_bootstrap, pigeonhole, seeds_ignored, clusters_ignored, questions_ignored, all_independent
    )  # fmt: skip
    print(f"\nfalse positives in %, {comparisons} comparisons a row; the bootstraps a tenth of them\n{'':52}", end="")
    print(*(f"{name:>12}" for name in names), sep="")
    for world in worlds():
        slow = found(world, methods[1:3], comparisons // 10)
        fast = found(world, (ours, *methods[3:]), comparisons)
        cells = [fast[0], *slow, *fast[1:]]
        line(world, [None if name == "no clusters" and not world.clusters else cell
                     for name, cell in zip(names, cells, strict=True)])  # fmt: skip
    print(f"\none run a side\n{'':52}", *(f"{name:>11}" for name in ("t", "BCa", "McNemar", "Newcombe", "no clusters")))
    for world in single_worlds():
        binary = not world.steps and not world.clusters
        line(
            world,
            [
                *found(world, (ours,), comparisons),
                *found(world, (scaled_bootstrap,), comparisons // 10),
                *(found(world, (exact, newcombe), comparisons) if binary else (None, None)),
                *(found(world, (clusters_ignored,), comparisons) if world.clusters else ()),
            ],
        )


def true_positives(comparisons: int) -> None:
    """The second table."""
    print(
        f"\na true difference found, in %\n{'':52}", *(f"{name:>11}" for name in ("found", "predicted", "difference"))
    )
    several = [World(runs=runs, seeds=seeds) for runs in ((2, 2), (3, 3), (5, 5)) for seeds in (0, 0.1)]
    lumped = [World(runs=(3, 3), seeds=0.1, clusters=18, arms_at_clusters=0.3, steps=steps) for steps in (False, True)]
    for world in (*several, *lumped, World(runs=(1, 3), seeds=0.1), *single_worlds()[2:6]):
        size = 2.8 * np.sqrt(combined(mean_parts(world, 300))[0])
        world = replace(world, effect=float(4 * size))  # a probit unit is about a quarter of the scale here
        true = mean_difference(world, 4000)
        predicted = Detection(mean_parts(world, 1000)).power(true)
        line(world, (*found(world, (ours,), comparisons), predicted, true))
    for plan, effect in ((Plan(220), 0.08), (Plan(600), 0.05), (Plan(600, discordant=0.1), 0.03), (Plan(60), 0.2)):
        shares = [(plan.discordant - effect) / 2, (plan.discordant + effect) / 2]
        tables = np.random.default_rng(0).multinomial(plan.questions, [*shares, 1 - plan.discordant], comparisons)
        seen = float(np.mean([exact_p(int(one), int(other)) < 0.05 for one, other, _ in tables]))
        line(f"McNemar, {plan.questions} questions, {plan.discordant:.0%} differ", (seen, plan.power(effect), effect))


def of_studies(comparisons: int, arms: int) -> None:
    """The third table."""
    print(f"\ntwo of {arms} arms: found in %\n{'':52}", end="")
    print(*(f"{name:>12}" for name in ("no effect", "shared", "effect", "shared")), sep="")
    for world in studies(arms):
        size = 2.6 * np.sqrt(combined(mean_parts(replace(world, others=0), 100))[0])
        better = replace(world, effect=float(3.6 * size))
        cells = [*found(world, (ours, moderated), comparisons), *found(better, (ours, moderated), comparisons // 3)]
        name = f"{world.runs[0]} runs, {'clusters' if world.clusters else 'steps' if world.steps else 'answers'}"
        more = f", {world.restless_seeds} in {len(world.restless)}" if world.restless else ""
        which = ", both compared" if 0 in world.restless else ", one compared" if world.restless else ""
        line(f"{name}, seeds {world.seeds}{more}{which}", cells)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--comparisons", type=int, default=4000, help="how many are drawn for a row (default: 4000)")
    options = parser.parse_args()
    false_positives(options.comparisons)
    true_positives(options.comparisons)
    for number in (4, 12):
        of_studies(options.comparisons, number)
