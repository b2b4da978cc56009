"""The methods that infer step types, by name.

To add a method, write a file in this folder whose `METHODS` says how to fit its types, and name the file in
`config.model.INFERRED`. The file is imported only when its method is used.
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
    """Fitted types: their names, and which type each step of a corpus has.

    ``names`` are in the order of the types' numbers. ``names_are_words``: whether a name says what its steps are
    about, as `total` does and `kmeans_3` does not.
    """

    names: tuple[str, ...]
    names_are_words: ClassVar[bool] = False

    @abstractmethod
    def assign(self, corpus: Corpus) -> np.ndarray:
        """(steps,) the number of each step's type."""

    def training_curves(self) -> dict[str, list[float]]:
        """Name of a measure → its mean over each epoch; empty if nothing was trained."""
        return {}

    @abstractmethod
    def state(self) -> tuple[Settings, Tensors]:
        """(settings for JSON, tensors): what `Method.restore` needs to make these types again."""


class FitOptions(NamedTuple):
    """What a fit may depend on besides its data. ``epochs`` None: the method's default."""

    num_types: int
    seed: int
    epochs: int | None = None
    progress: bool = True


class Method(NamedTuple):
    """One way to infer types.

    ``fit`` makes the types of a corpus; ``restore(names, settings, tensors)`` makes them again from the result of
    `Types.state`, and raises ValueError, KeyError or TypeError if that is damaged. ``reads_embeddings``: the corpus
    must have vectors. ``fixed_types``: the method itself sets the number of types, not the user.
    """

    fit: Callable[[Corpus, FitOptions], Types]
    restore: Callable[[tuple[str, ...], Settings, Tensors], Types]
    reads_embeddings: bool = False
    fixed_types: bool = False


def find_method(name: str) -> Method:
    """The method of this name. Raises UserError if there is none."""
    if name not in INFERRED:
        raise UserError(f"--selection_method {name}: must be one of {', '.join(INFERRED)}")
    methods: Mapping[str, Method] = import_module(f"memreason.step_types.{INFERRED[name]}").METHODS
    return methods[name]


def fit_types(
    name: str, corpus: Corpus, num_types: int, seed: int, epochs: int | None = None, progress: bool = True
) -> Types:
    """Fit types by the method of this name to all steps of ``corpus``.

    Raises UserError if there are no steps, or fewer steps than types.
    """
    method = find_method(name)
    if not corpus.texts:
        raise UserError("there are no steps to infer types of; the dataset has no solutions with steps")
    if method.reads_embeddings and len(corpus.texts) < num_types:
        raise UserError(f"{len(corpus.texts)} steps cannot be sorted into {num_types} types; give more data")
    return method.fit(corpus, FitOptions(num_types, seed, epochs, progress))
