"""The folder for what is kept between commands."""

from __future__ import annotations

import os
from pathlib import Path


def cache_folder() -> Path:
    """Where converted models and paid replies are kept: $MEMREASON_CACHE, or else ~/.cache/memreason."""
    return Path(os.environ.get("MEMREASON_CACHE") or Path.home() / ".cache" / "memreason")
