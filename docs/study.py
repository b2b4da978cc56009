"""Makes the figures of docs/study.md and of the README's short version from the result files in docs/study/.

python docs/study.py                             # writes what stands between the marks of both pages, and the pictures
python docs/study.py --take studies/study-atlas  # first takes over the results of a study, less what no page shows

Words and tables between `<!-- made: NAME -->` and `<!-- end -->` are made here; all others are written by hand.
"""

from __future__ import annotations

import argparse
import json
import re
import sys
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parent))
sys.path.insert(0, str(Path(__file__).parents[1] / "benchmarks"))
from published import cells
from study_claims import CLAIMS, named, verdicts
from study_results import FOLDER, Json, Study, pair_of, said, table, take

from memreason.compare.show import forest
from memreason.compare.show.curves import Curve, Point, curves
from memreason.compare.show.numbers import NONE, form_of
from memreason.compare.show.tables import arm_of
from memreason.compare.statistics.multiple import holm

PAGE, README = FOLDER.with_name("study.md"), FOLDER.parents[1] / "README.md"
OURS = "typed"
CONTROLS = ("plain", "prefix", "shared", "front", "words", "random", "shuffled")
"""Arms that the method is compared with, measure by measure."""
MEASURES = ("accuracy", "memory_true", "reason_valid", "edit:memories_corrupted", "memory_brier")
"""What the method is compared in."""
SHOWN = (*MEASURES, "flexible_accuracy", "types_fit", "error:wrong_inference", "error:false_memory",
         "error:missing_memory", "edit:memories_corrected", "tokens")  # fmt: skip
"""What a page shows, or may."""
OPTIONS_CONTROLS = ("plain", "shared")
"""Arms that the method is compared with by the form of the question."""
FEWEST = 20
"""Of fewer answers no figure is shown."""
SHORT = ("plain", "shared", "shuffled", OURS)
"""The arms in the README."""
MARKS = re.compile(r"(<!-- made: ([\w-]+) -->\n).*?(<!-- end -->)", re.DOTALL)


@cache
def study(name: str) -> Study | None:
    """A study's results; None before it has run."""
    return Study.read(name)


def rates() -> str:
    """A row for each arm, the answers' figures on each split."""
    found = study("atlas")
    if not found:
        return "Not run yet."
    columns = [(split, measure) for measure in MEASURES for split in found.splits if found.result(split, measure)]
    header = ["", *(f"{_label(found, split, measure)}, {named(split)}" for split, measure in columns)]
    names = [arm["name"] for arm in found.json["arms"]]
    rows = [[f"`{name}`", *(_rate(found, name, *column) for column in columns)] for name in names]
    few = f"A dash stands where fewer than {FEWEST} answers count."
    return f"{table(header, rows)}\n\n{_based(found)} {few} {_checked(found)}{_flexibly(found)}"


def against() -> str:
    """For each measure a table: how far ours differs from each control, on each split."""
    found = study("atlas")
    if not found:
        return "Not run yet."
    parts = []
    for measure in MEASURES:
        rows: dict[str, list[str]] = {arm: [f"`{arm}`"] for arm in CONTROLS}
        for split in found.splits:
            result = found.of(OURS, split, measure, CONTROLS)
            for arm, row in rows.items():
                pair = next((p for p in result["comparisons"] if p["first"] == arm), None) if result else None
                row.append(said(pair, pair["p_holm"], result) if pair and result else NONE)
        first = next((r for split in found.splits if (r := found.result(split, measure))), None)
        if first:
            better = {True: "higher is better", False: "lower is better", None: ""}[first["higher_is_better"]]
            parts += [
                f"**{first['label'].capitalize()}** ({better}): `{OURS}` against each control",
                table(["", *map(named, found.splits)], rows.values(), ":--"),
                f"![{first['label']}: `{OURS}` minus each control](study/{_picture(measure)})",
            ]
    return "\n\n".join(parts)


def claims() -> str:
    """What the papers claim, with the verdicts."""
    found = zip(CLAIMS, verdicts(study("atlas")), strict=True)
    return "\n".join(
        f"{number}. **{claim.text}** {claim.source}: {claim.reported}.<br>\n"
        f"   **{verdict.capitalize()}**{f': {words}' if words else ''}. ({claim.command})"
        for number, (claim, (verdict, words)) in enumerate(found, 1)
    )


def summary() -> str:
    """How many controls ours is better than, by measure and split."""
    found = study("atlas")
    if not found:
        return "Not run yet."
    rows = []
    for measure in MEASURES:
        results = [found.of(OURS, split, measure, CONTROLS) for split in found.splits]
        label = next((result["label"] for result in results if result), None)
        if label:
            rows.append([label, *(_counted(result) if result else NONE for result in results)])
    return table([f"`{OURS}` is …", *map(named, found.splits)], rows, ":--")


def _counted(result: Json) -> str:
    """`better than plain and shared, tied with five`, by the verdicts in a comparison with all controls."""
    by_verdict: dict[str, list[str]] = {}
    for pair in result["comparisons"]:
        by_verdict.setdefault(pair["verdict"], []).append(f"`{pair['first']}`")
    tied = by_verdict.pop("tied", [])
    parts = [f"{verdict} than {', '.join(arms)}" for verdict, arms in sorted(by_verdict.items())]
    if tied:
        parts.append(f"tied with {'all ' if not parts else ''}{len(tied)}")
    return "; ".join(parts)


def costs() -> str:
    """Tokens and time of each arm."""
    found, times = study("atlas"), _json("atlas-times")
    if not found:
        return "Not run yet."
    trained = {arm["name"] for arm in found.json["arms"] if arm["seeds"]}
    machines = [each for each in times["machines"] if trained <= each["arms"].keys()] if times else []
    header = ["", "weights trained", "tokens trained on", "tokens an answer"]
    for each in machines:
        header += [f"training: {_machine(each)}", "answering all questions"]
    split = found.splits[0]
    rows = []
    for arm in found.json["arms"]:
        tokens = found.rate(arm["name"], split, "tokens")
        row = [f"`{arm['name']}`", _count(arm.get("trained_weights")), _count(arm.get("trained_tokens")),
               f"{tokens['value']:.1f}" if tokens else NONE]  # fmt: skip
        for each in machines:
            spent = each["arms"].get(arm["name"], {})
            row += [_seconds(spent.get("train")), _seconds(spent.get("evaluate"))]
        rows.append(row)
    return f"{table(header, rows)}\n\n{_clocks(times) if times else ''}"


def curve_table() -> str:
    """Ours against plain at each number of training questions; p-values are adjusted for all of these comparisons."""
    found = study("atlas-sizes")
    if not found or not found.json.get("curves"):
        return "Not run yet."
    looks = {
        (size, split): (pair, result)
        for size, by_split in sizes(found).items()
        for split in found.splits
        if (pair := pair_of(result := by_split[split]["accuracy"], OURS, "plain"))
    }
    adjusted = dict(zip(looks, holm([pair["p"] for pair, _ in looks.values()]), strict=True))
    words = {place: said(pair, adjusted[place], result) for place, (pair, result) in looks.items()}
    rows = [[f"{size:,}", *(words.get((size, split), NONE) for split in found.splits)] for size in sizes(found)]
    images = "\n".join(
        f"![Accuracy on {named(split)} by training questions](study/curve-{split}.svg)" for split in found.splits
    )
    return f"{table(['training questions', *map(named, found.splits)], rows, ':--')}\n\n{images}"


def again() -> str:
    """Ours against two controls by the form of the question, with new seeds; p-values are adjusted for all tests."""
    found = study("atlas-options")
    if not found:
        return "Not run yet."
    results = {split: result for split in found.splits if (result := found.result(split, "accuracy"))}
    rows = {(row["value"], split): row for split, result in results.items() for row in result["groups"]["rows"]}
    places = sorted(rows, key=lambda place: -int(place[0]))  # questions with options first; the splits keep their order
    pairs = {(arm, place): pair_of(rows[place], OURS, arm) for arm in OPTIONS_CONTROLS for place in places}
    adjusted = dict(zip(pairs, holm([pair["p"] for pair in pairs.values() if pair]), strict=True))
    header = ["", *(f"{'four options' if int(value) else 'true or false'}, {named(split)}" for value, split in places)]
    rates = [
        [f"`{arm}`", *(_rate_of(arm_of(rows[place], arm), results[place[1]]) for place in places)]
        for arm in (*OPTIONS_CONTROLS, OURS)
    ]
    tests = [
        [f"`{OURS}` against `{arm}`", *(
            said(pair, adjusted[arm, place], results[place[1]]) for place in places if (pair := pairs[arm, place])
        )]
        for arm in OPTIONS_CONTROLS
    ]  # fmt: skip
    return f"{table(header, rates)}\n\n{_based(found)} {_checked(found)}\n\n{table(header, tests, ':--')}"


def published() -> str:
    """The authors' generations, scored again."""
    found = _json("published")
    if not found:
        return "Not run yet."
    header = ["texts", "the paper", "the authors' marks", "strict", "flexible", "marks that differ"]
    rows = [[f"{row['dataset']}, {row['model']}", *cells(row)] for row in found["files"]]
    return table(header, rows)


def before() -> str:
    """The smallest differences that the study was expected to find, from docs/study/plan.json."""
    plan = _json("plan")
    if not plan:
        return "Not planned yet."
    found: dict[tuple[int, float], dict[tuple[str, float], float]] = {}
    clusters = {row["split"]: row["clusters"] for row in plan["rows"]}
    for row in plan["rows"]:
        at = found.setdefault((row["runs"], row["seed_spread"]), {})
        at[row["split"], row["cluster_correlation"]] = row["smallest"]
    columns = list(next(iter(found.values())))
    header = ["seeds an arm, spread between seeds", *(
        f"{named(split)} ({clusters[split]} countries), {'alike: ' + format(alike, '.0%') if alike else 'not alike'}"
        for split, alike in columns
    )]  # fmt: skip
    rows = [[f"{runs}, {100 * spread:.0f} points", *(f"{100 * at[column]:.1f}" for column in columns)]
            for (runs, spread), at in found.items()]  # fmt: skip
    return f"{table(header, rows)}\n\nSmallest true differences in points, found with a probability of 80% at p < 0.05."


def short() -> str:
    """The README's version: accuracy of four arms, and what the differences say."""
    found = study("atlas")
    if not found:
        return ""
    arms = [arm for arm in SHORT if found.rate(arm, found.splits[0], "accuracy")]
    rows = [[f"`{arm}`", *(_rate(found, arm, split, "accuracy") for split in found.splits)] for arm in arms]
    return f"{table(['right answers', *map(named, found.splits)], rows)}\n\n{_based(found)}\n\n{summary()}"


BLOCKS: dict[str, Callable[[], str]] = {
    "summary": summary,
    "before": before, "rates": rates, "against": against, "claims": claims, "costs": costs, "curves": curve_table,
    "again": again, "published": published, "short": short,
}  # fmt: skip


def made(text: str) -> str:
    """The page with everything between its marks made anew."""
    return MARKS.sub(
        lambda found: f"{found[1]}{BLOCKS[found[2]]()}\n{found[3]}".replace("\n\n<!-- end", "\n<!-- end"), text
    )


def pictures() -> dict[str, str]:
    """Name of each picture in docs/study/ → SVG."""
    found, drawn = study("atlas"), {}
    if found:
        for measure in MEASURES:
            results = {
                named(split): result for split in found.splits if (result := found.of(OURS, split, measure, CONTROLS))
            }
            if results:
                drawn[_picture(measure)] = forest.differences(results)
    grown = study("atlas-sizes")
    if grown and grown.json.get("curves"):
        for split in grown.splits:
            lines = [Curve(arm, [Point(size, rate["value"], rate["interval"]) for size, by_split in sizes(grown).items()
                                 for rate in by_split[split]["accuracy"]["arms"] if rate["name"] == arm])
                     for arm in ("plain", OURS)]  # fmt: skip
            drawn[f"curve-{split}.svg"] = curves(lines, f"accuracy on {named(split)}")
    return drawn


def sizes(found: Study) -> dict[int, dict[str, dict[str, Json]]]:
    """Number of training questions → split → measure → comparison."""
    return {
        int(size): by_split for size, by_split in sorted(found.json["curves"].items(), key=lambda each: int(each[0]))
    }


def _picture(measure: str) -> str:
    return f"{measure.replace(':', '-')}.svg"


def _json(name: str) -> Any:
    path = FOLDER / f"{name}.json"
    return json.loads(path.read_text()) if path.exists() else None


def _label(found: Study, split: str, measure: str) -> str:
    result = found.result(split, measure)
    return str(result["label"]) if result else measure


def _rate(found: Study, arm: str, split: str, measure: str) -> str:
    return _rate_of(found.rate(arm, split, measure), found.result(split, measure))


def _rate_of(rate: Json | None, result: Json | None) -> str:
    return form_of(result).rate(rate) if rate and result and rate["n"] >= FEWEST else NONE


def _flexibly(found: Study) -> str:
    """What the untrained arms reach where an answer may stand anywhere in the text."""
    read = []
    for name in (arm["name"] for arm in found.json["arms"] if not arm["seeds"]):
        rates = [_rate(found, name, split, "flexible_accuracy") for split in found.splits]
        read.append(f"`{name}` {' and '.join(rates)}")
    return f" Where an answer may stand anywhere in the text, the accuracy is: {'; '.join(read)}." if read else ""


def _based(found: Study) -> str:
    parts = []
    for split in found.splits:
        result = found.result(split, "accuracy")
        if result:
            about = f" about {result['n_clusters']} countries" if result["n_clusters"] else ""
            parts.append(f"{named(split)}: {result['n']} questions{about}")
    runs = sorted({len(arm["seeds"]) for arm in found.json["arms"] if arm["seeds"]})
    seeds = " to ".join(dict.fromkeys((str(runs[0]), str(runs[-1])))) if runs else "no"
    return f"95% intervals in brackets. {'; '.join(parts)}; {seeds} seeds for each trained arm."


def _checked(found: Study) -> str:
    """What the study's own checks say of its runs."""
    checks = found.json["checks"]
    if checks["ok"]:
        return (
            f"All {checks['cells']} runs are finished; every trained arm learned the same questions and solutions, in "
            "the same order, in as many steps."
        )
    unfinished = f"{len(checks['missing'])} of {checks['cells']} runs are missing" if checks["missing"] else ""
    more = f"{len(checks['problems']) - 3} more" if len(checks["problems"]) > 3 else ""
    return f"**The checks found: {'; '.join(filter(None, [unfinished, *checks['problems'][:3], more]))}.**"


def _machine(kind: Json) -> str:
    """A machine that times were measured on, and under what load."""
    return f"{kind['gpu'] or kind['processor']}, {kind['at_once']} at once"


def _clocks(times: Json) -> str:
    """What the times are."""
    return (
        "Means of the runs of an arm on one kind of machine; answering takes in loading and saving. All runs together "
        f"took {times['total'] / 3600:.1f} hours of their processes."
    )


def _count(number: float | None) -> str:
    return f"{number:,.0f}" if number else NONE


def _seconds(number: float | None) -> str:
    return f"{number:.0f} s" if number else NONE


def main() -> None:
    """Write both pages and the pictures."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--take", type=Path, help="the folder of a finished study")
    arguments = parser.parse_args()
    if arguments.take:
        take(arguments.take, OURS, SHOWN)
    for path in (PAGE, README):
        path.write_text(made(path.read_text()))
    for name, svg in pictures().items():
        (FOLDER / name).write_text(svg)


if __name__ == "__main__":
    main()
