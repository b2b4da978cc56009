"""The tables of a comparison as texts in cells; Markdown, LaTeX, HTML and the terminal write each in their own way."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from memreason.compare.show.numbers import NONE, Json, count, form_of, form_of_group, several
from memreason.compare.words import TESTS, p_value


@dataclass(frozen=True)
class Column:
    """A column: its heading, and the heading that it shares with its neighbours."""

    title: str
    group: str = ""


@dataclass(frozen=True)
class Table:
    """Texts in rows. The first column names the row and stands at the left; the others stand at the right."""

    title: str
    columns: tuple[Column, ...]
    rows: tuple[tuple[str, ...], ...]
    notes: tuple[str, ...] = ()
    """Sentences below it."""

    @property
    def groups(self) -> list[tuple[str, int]]:
        """The headings over the columns, from the left, with the number of columns below each."""
        found: list[tuple[str, int]] = []
        for column in self.columns:
            if found and column.group and found[-1][0] == column.group:
                found[-1] = column.group, found[-1][1] + 1
            else:
                found.append((column.group, 1))
        return found


OF = "of"
"""The heading of the column that says of which result a row is."""


def called(result: Json) -> str:
    """What a result is about: the measure, and the split if it is of one."""
    return ", ".join(filter(None, (result["label"], result["split"])))


def based_on(result: Json) -> str:
    """How many questions, and how many runs where all sides have as many, the figures stand on, as a sentence."""
    runs = {arm["runs"] for arm in result["arms"]}
    clusters = f" in {several(result['n_clusters'], 'cluster')} ({result['cluster']})" if result["cluster"] else ""
    of_runs = f", {max(runs)} runs a side" if len(runs) == 1 and max(runs) > 1 else ""
    return f"{several(result['n'], 'question')}{clusters}{of_runs}; 95% intervals in brackets."


def rates(results: Mapping[str, Json], title: str = "") -> Table:
    """A row for each side, and for each result its figure, with that of each run where there are several.

    Args:
        results: Heading (the split, say) → result.
        title: Of the table.
    """
    columns = [Column("")]
    rows = {arm["name"]: [arm["name"]] for result in results.values() for arm in result["arms"]}
    many = any(arm["runs"] > 1 for result in results.values() for arm in result["arms"])
    for heading, result in results.items():
        form = form_of(result)
        one = Column(result["label"], heading) if many else Column(heading or result["label"])
        columns += [one, *([Column("each run", heading)] if many else [])]
        for name, row in rows.items():
            arm = arm_of(result, name)
            row.append(form.rate(arm) if arm else NONE)
            if many:
                row.append(", ".join(map(form.figure, arm["by_run"])) if arm else NONE)
    return Table(title, tuple(columns), tuple(map(tuple, rows.values())), _based(results))


def differences(results: Mapping[str, Json], title: str = "") -> Table:
    """A row for each comparison: the difference, its p-values, what could have been detected, and the verdict.

    Arguments as those of `rates`.
    """
    percent = any(result["kind"] == "share" for result in results.values())
    adjusted = any(len(result["comparisons"]) > 1 for result in results.values())
    columns = [Column(""), *([Column(OF)] if len(results) > 1 else []), Column(f"difference{_unit(percent)}")]
    columns += [Column("p"), *([Column("p (Holm)"), Column("p (BH)")] if adjusted else [])]
    columns += [Column("detectable"), Column("verdict")]
    rows = []
    for heading, result, pair in _pairs(results):
        form = form_of(result)
        ps = [pair["p"], *([pair["p_holm"], pair["p_bh"]] if adjusted else [])]
        cells = [form.difference(pair), *map(p_value, ps), form.detectable(pair["smallest"]), str(pair["verdict"])]
        rows.append((named(pair), *([heading] if len(results) > 1 else []), *cells))
    return Table(title, tuple(columns), tuple(rows), (_how(results, adjusted),))


def outcomes(results: Mapping[str, Json], title: str = "") -> Table | None:
    """A row for each comparison of single runs: how many questions count for both, for one of them only, for neither:
    those with a right answer, or, of a share without an answer, those without one.

    None where no comparison has these. Arguments as those of `rates`.
    """
    found = [(heading, pair) for heading, _, pair in _pairs(results) if pair["outcomes"]]
    if not found:
        return None
    names = {(pair["first"], pair["second"]) for _, pair in found}
    one, other = names.pop() if len(names) == 1 else ("the first", "the second")
    answers = all(result["measure"].endswith("accuracy") for result in results.values())
    both, neither = ("both right", "both wrong") if answers else ("both", "neither")
    columns = [Column(""), *([Column(OF)] if len(results) > 1 else []), Column(both), Column(f"only {one}"),
               Column(f"only {other}"), Column(neither), Column("p")]  # fmt: skip
    rows = []
    for heading, pair in found:
        counts = [count(pair["outcomes"][key]) for key in ("both", "only_first", "only_second", "neither")]
        label = f"{pair['first']}, {pair['second']}"
        rows.append((label, *([heading] if len(results) > 1 else []), *counts, p_value(pair["mcnemar_p"])))
    note = "Numbers of questions; p: McNemar's exact test" + (
        ", which takes each question by itself; the test of the differences goes by clusters."
        if any(result["cluster"] for result in results.values()) else "."
    )  # fmt: skip
    return Table(title, tuple(columns), tuple(rows), (note,))


def groups(result: Json) -> Table | None:
    """A row for each group of questions (`--by`) and comparison; None where nothing was grouped."""
    if not result["groups"]:
        return None
    names = [arm["name"] for arm in result["arms"]]
    pairs = result["comparisons"]
    many = len(pairs) > 1
    columns = [Column(result["groups"]["by"]), Column("questions"), *map(Column, names)]
    for pair in pairs:
        over = named(pair)
        columns += [
            Column("difference" if many else over, over if many else ""),
            Column("p (Holm)", over if many else ""),
        ]
    rows = []
    for group in result["groups"]["rows"]:
        own = form_of_group(result, group)
        found = {arm["name"]: own.rate(arm) for arm in group["arms"]}
        row = [str(group["value"]), count(group["n"]), *(found.get(name, NONE) for name in names)]
        for pair in pairs:
            there = against(group, pair["second"], pair["first"])
            row += [own.difference(there), p_value(there["p_holm"])] if there else [NONE, NONE]
        rows.append(tuple(row))
    note = "The p-values are adjusted by Holm's method for all rows: with many looks, some differ by chance."
    return Table(f"By {result['groups']['by']}: {called(result)}", tuple(columns), tuple(rows), (note,))


def arms(results: Mapping[str, Json], title: str = "", baseline: str | None = None) -> Table:
    """A row for each arm, and for each result (of a split, say, or a measure) its figure, its difference to the
    baseline with the p-value, and what could have been detected.

    Args:
        results: Heading → result. A side that a result lacks has dashes there.
        title: Of the table.
        baseline: The arm that others are compared with; where it is not named, the first of the first comparison.
    """
    baseline = baseline or next((pair["first"] for result in results.values() for pair in result["comparisons"]), "")
    columns = [Column("")]
    names: dict[str, None] = {}
    for heading, result in results.items():
        unit = _unit(result["kind"] == "share")
        columns += [Column(title, heading) for title in (result["label"], f"difference{unit}", "p", "detectable")]
        names |= dict.fromkeys(arm["name"] for arm in result["arms"])
    against_it = [
        f"Differences are to {baseline}; p-values are adjusted by Holm's method. Detectable: the smallest true "
        "difference that such data would have shown, p < 0.05 before adjustment, with a chance of 80%; smaller ones "
        "may well have been missed."
    ] if baseline else []  # fmt: skip
    rows = [(name, *(cell for result in results.values() for cell in _cells(result, name, baseline))) for name in names]
    return Table(title, tuple(columns), tuple(rows), (*_based(results), *against_it))


def _cells(result: Json, name: str, baseline: str) -> Sequence[str]:
    form = form_of(result)
    arm = arm_of(result, name)
    pair = against(result, name, baseline)
    if arm is None:
        return NONE, NONE, NONE, NONE
    compared = (
        (form.difference(pair), p_value(pair["p_holm"]), form.detectable(pair["smallest"])) if pair else ("", "", "")
    )
    return form.rate(arm), *compared


def arm_of(result: Json, name: str) -> Json | None:
    """The arm's figures; None where the result has no such arm."""
    return next((arm for arm in result["arms"] if arm["name"] == name), None)


def against(result: Json, name: str, baseline: str) -> Json | None:
    """The comparison of the arm with the baseline; None where there is none."""
    found = (pair for pair in result["comparisons"] if (pair["first"], pair["second"]) == (baseline, name))
    return next(found, None)


def _based(results: Mapping[str, Json]) -> tuple[str, ...]:
    found: dict[str, list[str]] = {}
    for heading, result in results.items():
        found.setdefault(based_on(result), []).append(heading)
    based = [text if len(found) == 1 else f"{', '.join(headings)}: {text}" for text, headings in found.items()]
    shared = any(pair["method"] == "t_moderated" for _, _, pair in _pairs(results))
    return (*based, *([SHARED] if shared else []), *_other_runs(results))


def _other_runs(results: Mapping[str, Json]) -> list[str]:
    """How many runs each side has, where not all have as many."""
    runs = {arm["name"]: arm["runs"] for result in results.values() for arm in result["arms"]}
    by_count = {count: [name for name, each in runs.items() if each == count] for count in sorted(set(runs.values()))}
    if len(by_count) < 2:
        return []
    said = "; ".join(f"{several(count, 'run')} of {', '.join(names)}" for count, names in by_count.items())
    only = " The interval of a single run is of that run alone: another seed may lie outside." if 1 in by_count else ""
    return [f"{said}.{only}"]


def named(pair: Json) -> str:
    """A comparison's name: a difference is second minus first."""
    return f"{pair['second']} − {pair['first']}"


def _pairs(results: Mapping[str, Json]) -> list[tuple[str, Json, Json]]:
    """(heading, result, comparison) for each comparison."""
    return [(heading, result, pair) for heading, result in results.items() for pair in result["comparisons"]]


def _how(results: Mapping[str, Json], adjusted: bool) -> str:
    pairs = [pair for _, _, pair in _pairs(results)]
    methods = _listed(METHODS.get(pair["method"], str(pair["method"])) for pair in pairs)
    tests = _listed(TESTS.get(pair["p_method"], str(pair["p_method"])) for pair in pairs)
    found = (
        f"95% intervals: {methods}. p: {tests}. Detectable: the smallest true difference that such data would have "
        f"shown, p < 0.05{' before adjustment' if adjusted else ''}, with a chance of 80%."
    )
    if adjusted:
        found += " Verdicts are by Holm's p at 0.05, which only larger differences reach as often."
    if any(pair["verdict"] == "tied" for pair in pairs):
        found += " Tied: statistically tied; smaller differences than the detectable one may well have been missed."
    if any(pair["verdict"] == "tied" and not pair["interval"][0] <= 0 <= pair["interval"][1] for pair in pairs):
        found += (
            " An interval is of its comparison alone and can leave out zero where the p-value, which is exact or "
            "adjusted, is above 0.05; then the verdict goes by the p-value."
        )
    return found


SHARED = "How much seeds matter is judged from all arms with several runs together."
METHODS = {
    "newcombe": "paired (Newcombe)",
    "t_questions": "t, over questions",
    "t_clusters": "t, over clusters",
    "t_crossed": "t, over runs and questions",
    "t_moderated": "t, over runs and questions, with the spread of seeds shared among arms",
    "exact_bound": "exact bound, since nothing varies",
    "one_unit": "all that can be, since one question or cluster is all there is",
}
"""Method of an interval → its words."""


def _listed(words: Iterable[str]) -> str:
    return " or ".join(dict.fromkeys(words)) or "none"


def _unit(percent: bool) -> str:
    return " (points)" if percent else ""
