"""The outputs of a study for readers: tables, pictures and a page, made from results.json. Nothing computes here."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from functools import partial
from typing import Any

from memreason.compare.show import csv, forest, latex, markdown
from memreason.compare.show.comparison import capital, sections
from memreason.compare.show.curves import Curve, Point, curves
from memreason.compare.show.numbers import NONE, count, form_of
from memreason.compare.show.page import Section, render
from memreason.compare.show.tables import Column, Table, arms, differences

Json = Mapping[str, Any]
ACCURACY = "accuracy"
TABLE_CSV, COMPARISONS_CSV, REPORT = "table.csv", "comparisons.csv", "report.html"


def files(results: Json) -> dict[str, str]:
    """Name → text of every file, beside results.json, that shows the results."""
    against = [result for by_measure in results["against_baseline"].values() for result in by_measure.values()]
    everything = [result for by_measure in results["comparisons"].values() for result in by_measure.values()]
    found = {
        "table.md": _markdown(results),
        "table.tex": _latex(results),
        TABLE_CSV: csv.rates(everything),
        COMPARISONS_CSV: csv.comparisons(everything),
        REPORT: page(results, against),
    }
    for measure, by_split in _by_measure(results["against_baseline"]).items():
        if any(result["comparisons"] for result in by_split.values()):
            found[f"forest-{_file(measure)}.svg"] = forest.differences(by_split)
    for name, draw in _curves(results):
        found[f"{name}.svg"] = draw(width=forest.WIDTH)
    return found


def tables(results: Json) -> list[Table]:
    """The tables of a study: a row for each arm, by measure; what each was trained on; figures that others report."""
    found = [
        arms(by_split, capital(next(iter(by_split.values()))["label"]), results["baseline"])
        for by_split in _by_measure(results["against_baseline"]).values()
    ]
    return [*found, trained(results), *([reported(results)] if results["reported"] else [])]


def overview(results: Json) -> Table:
    """The table of right answers: a row for each arm, its figure on each split, and its difference to the baseline.
    Where the recipe leaves accuracy out, that of its first measure."""
    label, by_split = _main(results["against_baseline"])
    return arms(by_split, capital(label), results["baseline"])


def trained(results: Json) -> Table:
    """What each arm was trained on, and how much it writes."""
    splits = list(results["comparisons"])
    columns = ("", "seeds", "weights trained", "optimizer steps", "tokens trained on")
    rows = []
    for arm in results["arms"]:
        numbers = (arm[name] for name in ("trained_weights", "optimizer_steps", "trained_tokens"))
        written = (arm["generated_tokens"].get(split) for split in splits)
        seeds = ", ".join(map(str, arm["seeds"])) or NONE
        cells = (NONE if number is None else count(round(number)) for number in numbers)
        rows.append((arm["name"], seeds, *cells, *(NONE if tokens is None else f"{tokens:.1f}" for tokens in written)))
    heads = [*map(Column, columns), *(Column("tokens an answer", split) for split in splits)]
    return Table("What each arm was trained on", tuple(heads), tuple(rows))


def reported(results: Json) -> Table:
    """Figures that others have published, beside ours."""
    splits = list(dict.fromkeys(split for by_split in results["reported"].values() for split in by_split))
    heads = [Column("")] + [Column(title, split) for split in splits for title in ("reported", "here")]
    rows = []
    for name, by_split in results["reported"].items():
        row = [name]
        for split in splits:
            result = results["comparisons"].get(split, {}).get(ACCURACY)
            arm = next((arm for arm in result["arms"] if arm["name"] == name), None) if result else None
            figure = f"{100 * by_split[split]:.1f}" if split in by_split else NONE
            row += [figure, form_of(result).rate(arm) if arm and result else NONE]
        rows.append(tuple(row))
    return Table("Accuracy that others report", tuple(heads), tuple(rows))


def page(results: Json, against: Sequence[Json]) -> str:
    """The report: one HTML page that opens from disk."""
    checks = results["checks"]
    first = [overview(results), trained(results), *([reported(results)] if results["reported"] else [])]
    parts = [Section("Overview", said(results), [], first, [*checks["problems"], *checks["notes"]])]
    if drawn := [partial(draw, inline=True) for _, draw in _curves(results)]:
        parts.append(Section("Learning curves", _about_curves(results), drawn, _curve_tables(results)))
    parts += sections(against)
    label, pairs = _main(results["comparisons"])
    parts.append(Section("All pairs of arms", [], [], [differences(pairs, f"Differences: {label}")]))
    return render(results["title"], parts, beside=f"results.json, {TABLE_CSV}, {COMPARISONS_CSV}")


def said(results: Json) -> list[str]:
    """What was run and checked, in sentences."""
    checks = results["checks"]
    names = [arm["name"] for arm in results["arms"]]
    over = f"{checks['cells'] - len(checks['missing'])} of {checks['cells']} runs are finished"
    sentences = [f"{len(names)} arms, compared with {results['baseline']}; {over}."]
    if checks["missing"]:
        sentences.append(f"Missing: {', '.join(checks['missing'])}.")
    if not checks["problems"]:
        amount = {"steps": ", for the same number of optimizer steps", "tokens": ", on the same number of tokens"}
        sentences.append(
            "All trained arms were taught the same questions with the same solutions in the same order"
            f"{amount.get(results['match'], '')}; they differ in nothing but the options of the recipe."
        )
    if single := [arm["name"] for arm in results["arms"] if arm["trained"] and len(arm["seeds"]) == 1]:
        sentences.append(
            f"One seed so far: {', '.join(single)}. A difference to these is one to this run; another seed can come "
            "out otherwise."
        )
    if by_size := results["curves"]:
        sizes = ", ".join(f"{int(size):,}" for size in by_size)
        sentences.append(f"The tables are of all training questions; the learning curves have {sizes}.")
    sentences += [f"A second run of {name} gave the same traces, byte by byte." for name, row in
                  checks["repeats"].items() if row["same"]]  # fmt: skip
    return sentences


def _by_measure(comparisons: Json) -> dict[str, dict[str, Json]]:
    """Measure → split → comparison."""
    found: dict[str, dict[str, Json]] = {}
    for split, by_measure in comparisons.items():
        for measure, result in by_measure.items():
            found.setdefault(measure, {})[split] = result
    return found


def _main(comparisons: Json) -> tuple[str, dict[str, Json]]:
    """(label, split → comparison) of accuracy, or of the first measure where accuracy is not compared."""
    found = _by_measure(comparisons)
    by_split = found.get(ACCURACY) or next(iter(found.values()), {})
    return next((result["label"] for result in by_split.values()), ACCURACY), by_split


def _curves(results: Json) -> Iterator[tuple[str, partial[str]]]:
    """(name of the picture, what draws it) of the accuracy on each split, by the number of training questions."""
    by_size = results["curves"] or {}
    if len(by_size) < 2:
        return
    for split in results["comparisons"]:
        points: dict[str, list[Point]] = {}
        for size, by_split in by_size.items():
            result = by_split.get(split, {}).get(ACCURACY)
            for arm in result["arms"] if result else ():
                points.setdefault(arm["name"], []).append(Point(int(size), arm["value"], arm["interval"]))
        if points:
            lines = [Curve(name, some) for name, some in points.items()]
            yield f"curve-{_file(split)}", partial(curves, lines, f"accuracy, {split}")


def _curve_tables(results: Json) -> list[Table]:
    """For each split the comparisons at each number of training questions."""
    found = []
    for split in results["comparisons"]:
        at = {f"{int(size):,} questions": by_split[split][ACCURACY] for size, by_split in results["curves"].items()
              if by_split.get(split, {}).get(ACCURACY, {}).get("comparisons")}  # fmt: skip
        if at:
            found.append(differences(at, f"Differences in accuracy, {split}"))
    return found


def _about_curves(results: Json) -> list[str]:
    return [
        f"{', '.join(results['curves'])} training questions, smaller sets are parts of larger ones; the test questions "
        "are the same."
    ]


def _markdown(results: Json) -> str:
    said_ = [*said(results), *results["checks"]["problems"], *results["checks"]["notes"]]
    return f"# {markdown.text(results['title'])}\n\n" + markdown.document("Arms", said_, tables(results))


def _latex(results: Json) -> str:
    found = enumerate(tables(results), 1)
    return "\n".join(["% \\usepackage{booktabs}", *(latex.latex(table, f"tab:{number}") for number, table in found)])


def _file(name: str) -> str:
    return re.sub(r"[^A-Za-z0-9_.-]+", "-", name)
