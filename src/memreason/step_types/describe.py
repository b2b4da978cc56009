"""What types turned out to be: how often each is used, its words, its most typical steps."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from rich.console import Console
from rich.table import Table
from rich.text import Text

from memreason.errors import UserError
from memreason.runtime.terminal import show
from memreason.step_types.config import StepTypesConfig
from memreason.step_types.corpus import Corpus
from memreason.step_types.standardize import Standard
from memreason.step_types.store import STEPS, read_record, read_steps

_TOKEN = r"[A-Za-z]{2,}|[-+*/%$]"


@dataclass(frozen=True)
class Use:
    """How evenly types are used. ``counts`` are their steps; ``entropy`` is a share of the largest possible."""

    counts: tuple[int, ...]
    entropy: float
    perplexity: float
    dead: tuple[int, ...]

    @classmethod
    def of(cls, counts: Sequence[int]) -> Use:
        """From the number of steps of each type, at least one of them above 0."""
        shares = np.array([count for count in counts if count]) / sum(counts)
        entropy = float(-(shares * np.log(shares)).sum())
        most = np.log(len(counts)) if len(counts) > 1 else 1.0
        dead = tuple(i for i, count in enumerate(counts) if not count)
        return cls(tuple(int(count) for count in counts), entropy / most, float(np.exp(entropy)), dead)


def points(corpus: Corpus) -> np.ndarray:
    """(steps, dimensions) where distances mean something: the standardised vectors; without any, tf-idf."""
    if corpus.vectors is not None:
        return Standard.of(corpus.vectors).apply(corpus.vectors)
    from sklearn.decomposition import TruncatedSVD
    from sklearn.feature_extraction.text import TfidfVectorizer

    weights = TfidfVectorizer(token_pattern=_TOKEN).fit_transform(corpus.texts)
    most = min(weights.shape) - 1
    return TruncatedSVD(min(50, most), random_state=0).fit_transform(weights) if most > 0 else weights.toarray()


def distances_to_centre(points: np.ndarray, types: np.ndarray) -> np.ndarray:
    """(steps,) how far each step is from the mean of its type's steps."""
    found = np.zeros(len(points))
    for type_ in np.unique(types):
        own = types == type_
        found[own] = np.linalg.norm(points[own] - points[own].mean(0), axis=1)
    return found


def telling_words(texts: Sequence[str], types: np.ndarray, names: Sequence[str], most: int = 6) -> dict[str, list[str]]:
    """Type → the words and signs that tell its steps from the others, the best first.

    A word w of type t scores p(w|t) log(p(w|t) / p(w)), with p the share of steps that hold it.
    """
    from sklearn.feature_extraction.text import CountVectorizer

    vectorizer = CountVectorizer(token_pattern=_TOKEN, binary=True, min_df=min(3, len(texts)))
    try:
        holds = vectorizer.fit_transform(texts)
    except ValueError:  # no word stands in enough steps
        return {name: [] for name in names}
    words, everywhere = vectorizer.get_feature_names_out(), np.asarray(holds.mean(0)).ravel()
    found = {}
    for i, name in enumerate(names):
        own = types == i
        inside = np.asarray(holds[own].mean(0)).ravel() if own.any() else np.zeros(len(words))
        scores = np.where(inside > everywhere, inside * np.log(np.maximum(inside, 1e-12) / everywhere), 0)
        found[name] = [str(words[w]) for w in np.argsort(-scores)[:most] if scores[w] > 0]
    return found


def print_fit(console: Console, folder: Path, nearest: int = 10) -> None:
    """Print the types in ``folder``: use, words, and the ``nearest`` steps to each type's centre."""
    record = read_record(folder)
    steps = read_steps(folder)
    names = record["names"]
    counts = [sum(row["type"] == name for row in steps) for name in names]
    if sum(counts) < len(steps):
        raise UserError(f"{folder / STEPS}: has steps of other types than its record names; fit the types again")
    show(console, _title(record, len(steps)))
    show(console, _use_line(Use.of(counts), names))
    table = Table(box=None, padding=(0, 1), pad_edge=False)
    table.add_column("type", style="bold cyan", no_wrap=True)
    table.add_column("steps", justify="right")
    table.add_column("share", justify="right")
    table.add_column("words that tell it from the others")
    by_use = sorted(zip(names, counts, strict=True), key=lambda pair: -pair[1])
    for name, count in by_use:
        words = ", ".join(record["words"].get(name, []))
        table.add_row(Text(name), str(count), f"{100 * count / len(steps):.1f}%", Text(words))
    show(console, table)
    for name in [name for name, count in by_use if count and nearest]:
        show(console, Text.assemble("\n", (name, "bold cyan"), ": nearest to its centre"))
        own = sorted((row for row in steps if row["type"] == name), key=lambda row: row["distance"])
        for text in list(dict.fromkeys(row["text"] for row in own))[:nearest]:
            show(console, f"  {text}", overflow="ellipsis", no_wrap=True)


def print_next(console: Console, folder: str, fitted: StepTypesConfig | None) -> None:
    """Print where all of it lies, and, where types were ``fitted`` just now, the command that trains with them."""
    show(console, f"\npictures and all steps: {folder}")
    if fitted:
        number = f" --num_plan_types {fitted.num_types}" if fitted.selection_method != "+-*/" else ""
        place = f" --step_types_path {folder}" if fitted.output_dir or fitted.encoder else ""
        options = f"--extract_step_type_tokens {fitted.selection_method}{number}{place}"
        show(console, f"train with them: memreason train {options} …", soft_wrap=True)


def _title(record: dict[str, Any], steps: int) -> Text:
    source = record["source"]
    if not source:
        by = ""
    elif source.get("encoder"):
        by = f", steps read alone by {source.get('encoder')}"
    else:
        by = f", solutions read by {source['model']}, layer {source.get('layer', -1)}"
    return Text.assemble((record["method"], "bold"), f" on {steps} steps of {record['dataset']}{by}")


def _use_line(use: Use, names: Sequence[str]) -> Text:
    dead = (f"never used: {', '.join(names[i] for i in use.dead)}", "red") if use.dead else "none is dead"
    return Text.assemble(
        f"use of the {len(names)} types: entropy {100 * use.entropy:.0f}% of the maximum, "
        f"perplexity {use.perplexity:.2f}, ",
        dead,
    )
