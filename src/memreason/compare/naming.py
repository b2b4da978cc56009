"""Sides as they are written on the command line → names and paths."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from glob import glob, has_magic
from pathlib import Path

from memreason.errors import UserError
from memreason.evaluation.files import EVALUATION, TRACES

BEFORE = "before"
"""The folder of a run with the answers of the model before training."""


def parse_sides(written: Sequence[str]) -> dict[str, list[Path]]:
    """Name → paths of each side.

    A side is PATH, or NAME=PATH; in the place of PATH there may be several, with commas between them, or a pattern with
    wildcards: the runs of one side. One run alone, with answers from before training, is compared with these. Raises
    UserError for fewer than two sides, a pattern that fits nothing, and a name that stands twice.
    """
    sides = [_side(each) for each in written]
    if len(sides) == 1 and len(sides[0][1]) == 1 and (sides[0][1][0] / BEFORE / TRACES).is_file():
        run = sides[0][1][0]
        return {BEFORE: [run / BEFORE], "after": [run]}
    if len(sides) < 2:
        raise UserError(
            "give two sides or more: memreason compare RUN_OR_TRACES RUN_OR_TRACES …"
            + (f" (in {sides[0][1][0]} there is no {BEFORE}/{TRACES} to compare it with)" if sides else "")
        )
    names = _names([name for name, _ in sides], [paths for _, paths in sides])
    if twice := [name for name, count in Counter(names).items() if count > 1]:
        raise UserError(f"two sides are called {twice[0]}; give each another name: NAME=PATH")
    return {name: paths for name, (_, paths) in zip(names, sides, strict=True)}


def _side(written: str) -> tuple[str, list[Path]]:
    """(name, or "" for none, paths) of one side."""
    if Path(written).expanduser().exists():
        return "", [Path(written)]
    name, equals, rest = written.partition("=")
    if not equals:
        name, rest = "", written
    elif not name.strip() or not rest:
        raise UserError(f"{written!r}: a side is NAME=PATH, or PATH")
    if Path(rest).expanduser().exists():
        return name.strip(), [Path(rest)]
    paths: list[Path] = []
    for part in filter(None, rest.split(",")):
        place = Path(part).expanduser()
        if place.exists() or not has_magic(part):
            paths.append(Path(part))
            continue
        found = sorted(glob(str(place)))
        if not found:
            raise UserError(f"{part}: no file or folder fits this pattern")
        paths += map(Path, found)
    if not paths:
        raise UserError(f"{written!r}: names no path")
    return name.strip(), paths


def _names(given: Sequence[str], paths: Sequence[Sequence[Path]]) -> list[str]:
    """The names that were given, and for other sides the shortest ends of paths that tell them from each other."""
    parts = [_telling(each) for each in paths]
    names = list(given)
    for place in (place for place, name in enumerate(given) if not name):
        others = [other for other in parts[:place] + parts[place + 1 :] if other != parts[place]]
        ends = ["/".join(parts[place][-count:]) for count in range(1, len(parts[place]) + 1)]
        taken = [{"/".join(other[-count:]) for other in others} | set(given) for count in range(1, len(ends) + 1)]
        names[place] = next((end for end, those in zip(ends, taken, strict=True) if end not in those), ends[-1])
        if again := parts[:place].count(parts[place]):
            names[place] += f" ({again + 1})"
    return names


def _telling(paths: Sequence[Path]) -> list[str]:
    """The parts of a path that tell one side from another; of several paths, those that they share."""
    all_parts = [_without_ends(path.expanduser().absolute()) for path in paths]
    if len(all_parts) == 1:
        return all_parts[0]
    shared = [one[0] for one in zip(*all_parts, strict=False) if len(set(one)) == 1]
    last = [parts[len(shared)] if len(parts) > len(shared) else "" for parts in all_parts]
    start = "".join(one[0] for one in zip(*last, strict=False) if len(set(one)) == 1).rstrip("-_. ")
    return [*shared, start] if start else shared


def _without_ends(path: Path) -> list[str]:
    """The parts of a path, without the names that all runs and evaluations share."""
    parts = list(path.parts)
    for common in (TRACES, EVALUATION):
        if len(parts) > 2 and parts[-1] == common:
            parts.pop()
    return parts
