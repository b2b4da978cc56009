"""Reads the result files in docs/study/ for the page of the study: figures, differences, and what they say."""

from __future__ import annotations

import json
import re
from collections.abc import Container, Iterable, Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

from memreason.compare.figures import decision
from memreason.compare.result import Decision
from memreason.compare.show.numbers import form_of
from memreason.compare.show.tables import against, arm_of
from memreason.compare.statistics.multiple import holm
from memreason.compare.words import p_of

FOLDER = Path(__file__).parent / "study"
SPLITS = {"test_seen": "seen facts", "test_unseen": "unseen facts"}
Json = Mapping[str, Any]


@dataclass(frozen=True)
class Study:
    """A results.json of `memreason study`, as docs/study/ holds it."""

    json: Json

    @classmethod
    def read(cls, name: str) -> Study | None:
        """docs/study/NAME.json; None before the study has run."""
        path = FOLDER / f"{name}.json"
        return cls(json.loads(path.read_text())) if path.exists() else None

    @cached_property
    def splits(self) -> list[str]:
        """The names of the test splits."""
        return list(self.json["comparisons"])

    def measures(self) -> list[str]:
        """Measures that some split has."""
        return list(dict.fromkeys(name for split in self.json["comparisons"].values() for name in split))

    def result(self, split: str, measure: str) -> Json | None:
        """The comparison of all arms in one measure on one split."""
        found: Json | None = self.json["comparisons"].get(split, {}).get(measure)
        return found

    def rate(self, arm: str, split: str, measure: str) -> Json | None:
        """The figure of an arm: value, interval, by_run, n."""
        result = self.result(split, measure)
        return arm_of(result, arm) if result else None

    def pair(self, second: str, first: str, split: str, measure: str) -> Json | None:
        """The second arm against the first, whichever way round the file has them."""
        result = self.result(split, measure)
        return pair_of(result, second, first) if result else None

    def of(self, second: str, split: str, measure: str, arms: Iterable[str]) -> Json | None:
        """The comparison with one arm against ``arms`` only, its p-values adjusted for these; for the plots."""
        result = self.result(split, measure)
        pairs = [pair for arm in arms if (pair := self.pair(second, arm, split, measure))]
        if result is None or not pairs:
            return None
        adjusted = holm([pair["p"] for pair in pairs])
        return {**result, "comparisons": [
            {**pair, "p_holm": p, "verdict": decided(pair, p, result),
             "sentence": f"{pair['second']} against {pair['first']}: {said(pair, p, result)}"}
            for pair, p in zip(pairs, adjusted, strict=True)
        ]}  # fmt: skip


def pair_of(result: Json, second: str, first: str) -> Json | None:
    """The second arm against the first in a comparison or a group of one, whichever way round the file has them."""
    if found := against(result, second, first):
        return found
    back = against(result, first, second)
    if back is None:
        return None
    low, high = back["interval"]
    return {**back, "first": first, "second": second, "difference": -back["difference"], "interval": [-high, -low]}


def decided(pair: Json, p: float, result: Json) -> Decision:
    """`better`, `worse` or `tied` (`higher` and `lower` where neither is better), by an adjusted p."""
    return decision(pair["difference"], p, result["higher_is_better"])


def said(pair: Json, p: float, result: Json) -> str:
    """The rule that turns a difference into words; nothing else on the page judges one."""
    form, verdict = form_of(result), decided(pair, p, result)
    points = " points" if form.percent else ""
    figure = f"{form.change(pair['difference'])}{points} {form.ends(pair['interval'])}, {p_of(p)}"
    if verdict != "tied":
        return f"{verdict}: {figure}"
    smallest = pair["smallest"]
    return f"tied: {figure}{'' if smallest is None else f'; 80% power at {form.detectable(smallest)}'}"


def table(header: Iterable[str], rows: Iterable[Iterable[str]], align: str = "--:") -> str:
    """A Markdown table whose first column stands at the left, and the others as ``align`` says."""
    header = list(header)
    lines = [header, [":--", *[align] * (len(header) - 1)], *map(list, rows)]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def take(folder: Path, ours: str, measures: Container[str]) -> None:
    """Copy a study's results to docs/study/, without what no page shows: other ``measures``, most
    pairs without ``ours``, paths."""
    name = folder.name.removeprefix("study-")
    content = json.loads((folder / "results.json").read_text(), parse_float=lambda text: float(f"{float(text):.6g}"))
    content = {
        key: content[key]
        for key in ("format", "title", "recipe", "machines", "arms", "comparisons", "curves", "checks")
    }
    content["checks"].pop("digests", None)
    for arm in content["arms"]:
        arm.pop("splits", None)
    for by_split in (content["comparisons"], *(content["curves"] or {}).values()):
        for split, by_measure in by_split.items():
            by_split[split] = {
                measure: _less(result, ours) for measure, result in by_measure.items() if measure in measures
            }
    FOLDER.mkdir(exist_ok=True)
    _write(FOLDER / f"{name}.json", content)
    if (folder / "times.json").exists():
        _write(FOLDER / f"{name}-times.json", json.loads((folder / "times.json").read_text()))


def _less(result: Json, ours: str) -> Json:
    """The comparison, or a group of it, with the pairs of ours, and of what the claims are about, without paths."""
    named = [(pair, {pair["first"], pair["second"]}) for pair in result["comparisons"]]
    pairs = [pair for pair, names in named if ours in names or names == {"plain", "prefix"}]
    arms = [{key: value for key, value in arm.items() if key != "paths"} for arm in result["arms"]]
    less = {**result, "arms": arms, "comparisons": pairs, "unpaired": None}
    if result.get("groups"):
        less["groups"] = {**result["groups"], "rows": [_less(row, ours) for row in result["groups"]["rows"]]}
    return less


def _write(path: Path, content: Any) -> None:
    """JSON with lists of numbers on one line each."""
    text = json.dumps(content, indent=1, ensure_ascii=False)
    text = re.sub(
        r"\[[^][{}\"]+\]", lambda found: re.sub(r"\s+", " ", found[0]).replace("[ ", "[").replace(" ]", "]"), text
    )
    path.write_text(text + "\n")
