"""Pictures: the steps on a plane, coloured by type, and the loss of a VAE over its training.

Why t-SNE and not UMAP: t-SNE is in scikit-learn, which k-means and tf-idf need anyway; with a seed it gives the same
picture at every run on one machine; and for a few thousand points it takes only seconds.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from memreason.step_types.sqvae import Curves

MOST_POINTS = 3000
_COLOURS = ("#0072B2", "#E69F00", "#009E73", "#CC79A7", "#D55E00", "#56B4E9", "#000000", "#F0E442")
"""The colours of Okabe and Ito, which colour-blind readers can tell apart too."""
_MARKERS = ("o", "^", "s", "D", "v", "P")
"""The next marker is used when all colours are used up."""


def draw_steps(path: Path, points: np.ndarray, types: np.ndarray, labels: Sequence[str], title: str) -> None:
    """Write a PNG of (steps, dimensions) ``points`` by t-SNE: two or more points, `MOST_POINTS` of them at most.

    If there are more, some are chosen at random. ``types`` are indices into ``labels``, which the legend shows, the
    most frequent type first.
    """
    from matplotlib.figure import Figure
    from sklearn.decomposition import PCA
    from sklearn.manifold import TSNE

    chosen = np.sort(np.random.default_rng(0).permutation(len(points))[:MOST_POINTS])
    points, types = points[chosen], types[chosen]
    if points.shape[1] > 50 and len(points) > 50:
        points = PCA(50, random_state=0).fit_transform(points)
    perplexity = min(30, max(1, (len(points) - 1) // 3))
    plane = TSNE(2, perplexity=perplexity, init="random", random_state=0).fit_transform(points)
    figure = Figure(figsize=(9, 6.5), dpi=120, layout="constrained")
    axes = figure.subplots()
    for type_ in np.argsort(-np.bincount(types, minlength=len(labels)), kind="stable"):
        own = types == type_
        if own.any():
            axes.scatter(
                plane[own, 0],
                plane[own, 1],
                s=22,
                alpha=0.8,
                linewidths=0.3,
                edgecolors="white",
                color=_colour(type_),
                marker=_MARKERS[type_ // len(_COLOURS) % len(_MARKERS)],
                label=labels[type_],
            )
    axes.set_title(
        f"{title}\nt-SNE, perplexity {perplexity}: near points are alike, distances mean little",
        loc="left",
        fontsize=11,
    )
    axes.set_axis_off()
    figure.legend(loc="outside lower left", ncols=2, frameon=False, fontsize=9, markerscale=1.6)
    figure.savefig(path)


def draw_losses(path: Path, curves: Curves) -> None:
    """Write a PNG with one small plot over the epochs for each of ``curves``."""
    from matplotlib.figure import Figure
    from matplotlib.ticker import MaxNLocator

    figure = Figure(figsize=(3.2 * len(curves), 2.8), dpi=120, layout="constrained")
    for axes, (name, values) in zip(figure.subplots(1, len(curves), squeeze=False)[0], curves.items(), strict=True):
        axes.plot(range(1, len(values) + 1), values, linewidth=1.8)
        axes.set_title(name, fontsize=10)
        axes.set_xlabel("epoch", fontsize=9)
        axes.set_ylabel("types" if name.startswith("perplexity") else "nats a step", fontsize=9)
        axes.xaxis.set_major_locator(MaxNLocator(5, integer=True))
        axes.spines[["top", "right"]].set_visible(False)
        axes.tick_params(labelsize=8)
    figure.savefig(path)


def _colour(type_: int) -> str:
    return _COLOURS[type_ % len(_COLOURS)]
