"""Where things are kept that outlive a run."""

from __future__ import annotations

import os
from pathlib import Path


def cache_folder() -> Path:
    """Converted models and paid replies: $MEMREASON_CACHE, or ~/.cache/memreason."""
    return Path(os.environ.get("MEMREASON_CACHE") or Path.home() / ".cache" / "memreason")
