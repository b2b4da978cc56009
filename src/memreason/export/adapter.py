"""`--to adapter`: a folder that plain PEFT loads, for those who serve adapters."""

from __future__ import annotations

from memreason.export.base import Exported
from memreason.export.config import ExportConfig


def export(config: ExportConfig) -> Exported:
    """Write the adapter, and return what was written."""
    raise NotImplementedError
