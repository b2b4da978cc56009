"""A whole comparison for readers: which sentences, tables and pictures it has, and the folder that holds them."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from functools import partial
from pathlib import Path

from memreason.compare.result import FORMAT
from memreason.compare.show import csv, forest, latex, markdown
from memreason.compare.show.numbers import Json
from memreason.compare.show.page import Section, render
from memreason.compare.show.tables import Table, differences, groups, outcomes, rates
from memreason.runtime.files import atomic_write, write_json

ALL = "all questions"
"""What the result is called that is of no single split."""
_FEW = 6
"""So many comparisons of a measure have a sentence each, ties too."""


def by_measure(results: Iterable[Json]) -> dict[str, dict[str, Json]]:
    """Results in the order in which they came: name of a measure → split → result."""
    found: dict[str, dict[str, Json]] = {}
    for result in results:
        found.setdefault(result["measure"], {})[result["split"] or ALL] = result
    return found


def tables(splits: dict[str, Json]) -> list[Table]:
    """The tables of one measure: figures, differences by split, the four outcomes, and groups of questions.

    Args:
        splits: Split → result, as `by_measure` gives them.
    """
    if len(splits) == 1:
        splits = {"": next(iter(splits.values()))}
    label = next(iter(splits.values()))["label"]
    found = [
        rates(splits, capital(label)),
        differences(splits, f"Differences: {label}") if _has_pairs(splits) else None,
    ]
    found += [outcomes(splits, f"Outcomes: {label}"), *map(groups, grouped(splits))]
    return [table for table in found if table]


def grouped(splits: dict[str, Json]) -> list[Json]:
    """The results of one measure whose groups are shown: of all questions, or else of each split."""
    first = [splits[ALL]] if ALL in splits else list(splits.values())
    return [result for result in first if result["groups"]]


def sentences(splits: dict[str, Json]) -> list[str]:
    """What the comparisons of one measure say: over all questions, or else by split. Of more than a few comparisons,
    the ties are only named: their figures stand in the table."""
    told = {"": splits[ALL]} if ALL in splits else {f"{split}: ": result for split, result in splits.items()}
    few = sum(len(result["comparisons"]) for result in told.values()) <= _FEW
    return [f"{split}{sentence}" for split, result in told.items() for sentence in _said(result, few)]


def _said(result: Json, few: bool) -> list[str]:
    pairs = result["comparisons"]
    said = [pair["sentence"] for pair in pairs if few or pair["verdict"] != "tied"]
    tied: dict[str, list[str]] = {}
    for pair in pairs if not few else ():
        if pair["verdict"] == "tied":
            tied.setdefault(pair["first"], []).append(pair["second"])
    return said + [
        f"{result['label']}: statistically tied with {first}: {', '.join(others)}. The table has the difference that "
        "could have been detected for each."
        for first, others in tied.items()
    ]


def warnings(splits: dict[str, Json]) -> list[str]:
    """What to know before the figures of one measure are believed; each once."""
    return list(dict.fromkeys(warning for result in splits.values() for warning in result["warnings"]))


def sections(results: Iterable[Json]) -> list[Section]:
    """A part of the page for each measure."""
    found = []
    for splits in by_measure(results).values():
        label = next(iter(splits.values()))["label"]
        drawn = (forest.differences, forest.rates) if _has_pairs(splits) else (forest.rates,)
        pictures = [partial(draw, splits, inline=True) for draw in drawn]
        pictures += [partial(forest.groups, result, inline=True) for result in grouped(splits)]
        found.append(Section(capital(label), sentences(splits), pictures, tables(splits), warnings(splits)))
    return found


def _has_pairs(splits: dict[str, Json]) -> bool:
    return any(result["comparisons"] for result in splits.values())


def capital(words: str) -> str:
    """The words, beginning with a capital letter."""
    return words[:1].upper() + words[1:]


def title(results: Sequence[Json]) -> str:
    """What is compared, as a heading."""
    names = list(dict.fromkeys(arm["name"] for result in results for arm in result["arms"]))
    return f"{names[-1]} against {names[0]}" if len(names) == 2 else f"{len(names)} sides compared"


def as_markdown(results: Sequence[Json]) -> str:
    """The comparison as a Markdown document."""
    parts = [f"# {markdown.text(title(results))}\n"]
    for splits in by_measure(results).values():
        said = [*sentences(splits), *warnings(splits)]
        parts.append(markdown.document(capital(next(iter(splits.values()))["label"]), said, tables(splits)))
    return "\n".join(parts)


def as_latex(results: Sequence[Json]) -> str:
    """The comparison's tables for a paper; the preamble needs the package booktabs."""
    found = [table for splits in by_measure(results).values() for table in tables(splits)]
    return "\n".join(
        ["% \\usepackage{booktabs}", *(latex.latex(each, f"tab:{number}") for number, each in enumerate(found, 1))]
    )


def as_page(results: Sequence[Json]) -> str:
    """The comparison as one HTML page."""
    return render(title(results), sections(results), beside="comparison.json, rates.csv, comparisons.csv")


def write(results: Sequence[Json], folder: Path) -> list[Path]:
    """Write all forms of a comparison into ``folder``; ``results`` are those of each measure and split.

    The forms are comparison.json, comparison.md, comparison.tex, comparison.html, rates.csv, comparisons.csv and a
    picture forest-MEASURE.svg for each measure, with another one by groups of questions. Returns their paths.
    """
    texts = {
        "comparison.md": as_markdown(results),
        "comparison.tex": as_latex(results),
        "comparison.html": as_page(results),
        "rates.csv": csv.rates(results),
        "comparisons.csv": csv.comparisons(results),
    }
    for measure, splits in by_measure(results).items():
        if _has_pairs(splits):
            texts[f"forest-{_in_a_name(measure)}.svg"] = forest.differences(splits)
        for result in grouped(splits):
            about = "-".join(map(_in_a_name, filter(None, (measure, result["split"], "by", result["groups"]["by"]))))
            texts[f"forest-{about}.svg"] = forest.groups(result)
    folder.mkdir(parents=True, exist_ok=True)
    write_json(folder / "comparison.json", {"format": FORMAT, "results": list(results)})
    for name, content in texts.items():
        with atomic_write(folder / name) as file:
            file.write(content)
    return [folder / name for name in ("comparison.json", *texts)]


def _in_a_name(words: str) -> str:
    return re.sub(r"[^A-Za-z0-9_.-]+", "-", words)
