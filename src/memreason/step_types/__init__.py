"""Step types inferred for rationales that carry no labels (arXiv 2310.05707, section 3)."""

from __future__ import annotations

import re

from memreason.config.model import EMBEDDING_METHODS


def default_folder(dataset: str, method: str, num_types: int, model: str) -> str:
    """Where `step-types fit` puts a fit, and `train` looks for it; ``model`` counts where it reads the steps."""
    name = "arithmetic" if method == "+-*/" else f"{method}-{num_types}"
    reader = re.sub(r"[^\w.-]+", "--", model.strip("/")) + "/" if method in EMBEDDING_METHODS else ""
    return f"runs/step-types/{dataset}/{reader}{name}"
