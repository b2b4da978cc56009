"""The folder for what is kept between commands."""

from __future__ import annotations

import os
from pathlib import Path


def cache_folder() -> Path:
    """The folder for converted models and for replies of language models: $MEMREASON_CACHE, else ~/.cache/memreason."""
    return Path(os.environ.get("MEMREASON_CACHE") or Path.home() / ".cache" / "memreason")
