"""Vectors with mean 0 and standard deviation 1 in every dimension.

A few dimensions of a language model's hidden states are tens of times as large as the others. Without
standardisation, these few would decide every distance.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True)
class Standard:
    """``mean`` and ``scale`` of each dimension, (width,) float32; a constant dimension has scale 1."""

    mean: np.ndarray
    scale: np.ndarray

    @classmethod
    def of(cls, vectors: np.ndarray) -> Standard:
        """Mean and standard deviation of (steps, width) vectors."""
        scale = vectors.std(0)
        return cls(vectors.mean(0), np.where(scale > 1e-6, scale, 1).astype(np.float32))

    def apply(self, vectors: np.ndarray) -> np.ndarray:
        """(steps, width) float32, standardised."""
        return ((vectors - self.mean) / self.scale).astype(np.float32)

    def tensors(self) -> dict[str, np.ndarray]:
        """The tensors to store."""
        return {"mean": self.mean, "scale": self.scale}

    @classmethod
    def from_tensors(cls, tensors: dict[str, np.ndarray]) -> Standard:
        """Made again from its stored ``tensors``."""
        return cls(tensors["mean"], tensors["scale"])
