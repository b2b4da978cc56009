"""The methods that infer step types, by name.

A new method takes a file in this folder, whose `METHODS` says how to fit its types, and a line in
`config.model.INFERRED`, which names the file. The file is imported only when its method is used.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping
from importlib import import_module
from typing import Any, ClassVar, NamedTuple

import numpy as np

from memreason.config.model import INFERRED
from memreason.errors import UserError
from memreason.step_types.corpus import Corpus

Settings = dict[str, Any]
Tensors = dict[str, np.ndarray]


class Types(ABC):
    """Fitted types: what they are called, and which one each step of a corpus has.

    ``names`` are in the order of the types' numbers. ``names_are_words``: a name says what its steps are about, as
    `total` does and `kmeans_3` does not.
    """

    names: tuple[str, ...]
    names_are_words: ClassVar[bool] = False

    @abstractmethod
    def assign(self, corpus: Corpus) -> np.ndarray:
        """(steps,) the number of each step's type."""

    def training_curves(self) -> dict[str, list[float]]:
        """Name of a measure → its mean over each epoch; empty where nothing was trained."""
        return {}

    @abstractmethod
    def state(self) -> tuple[Settings, Tensors]:
        """What it takes to make these types again (`Method.restore`), as JSON and as tensors."""


class FitOptions(NamedTuple):
    """What a fit may depend on besides its data. ``epochs`` None: as many as the method likes."""

    num_types: int
    seed: int
    epochs: int | None = None
    progress: bool = True


class Method(NamedTuple):
    """One way to infer types.

    ``fit`` makes the types of a corpus; ``restore(names, settings, tensors)`` makes them again from what
    `Types.state` gave, and raises ValueError, KeyError or TypeError where that is damaged. ``reads_embeddings``:
    the corpus must have vectors. ``fixed_types``: the number of types is the method's own, not the user's.
    """

    fit: Callable[[Corpus, FitOptions], Types]
    restore: Callable[[tuple[str, ...], Settings, Tensors], Types]
    reads_embeddings: bool = False
    fixed_types: bool = False


def find_method(name: str) -> Method:
    """The method of this name. Raises UserError where there is none."""
    if name not in INFERRED:
        raise UserError(f"--selection_method {name}: must be one of {', '.join(INFERRED)}")
    methods: Mapping[str, Method] = import_module(f"memreason.step_types.{INFERRED[name]}").METHODS
    return methods[name]


def fit_types(
    name: str, corpus: Corpus, num_types: int, seed: int, epochs: int | None = None, progress: bool = True
) -> Types:
    """Fit types by the method of this name to all steps of ``corpus``.

    Raises UserError where there are fewer steps than types.
    """
    method = find_method(name)
    if not corpus.texts:
        raise UserError("there are no steps to infer types of; the dataset has no solutions with steps")
    if method.reads_embeddings and len(corpus.texts) < num_types:
        raise UserError(f"{len(corpus.texts)} steps cannot be sorted into {num_types} types; give more data")
    return method.fit(corpus, FitOptions(num_types, seed, epochs, progress))
