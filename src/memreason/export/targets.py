"""What a checkpoint can be exported to. Needs no torch."""

from __future__ import annotations

TARGETS = {
    "merged": "memreason.export.merged",
    "adapter": "memreason.export.adapter",
    "lm-eval": "memreason.export.lm_eval",
    "gguf": "memreason.export.gguf",
}
"""Value of `--to` → the module that writes it, which has `export(config: ExportConfig) -> Exported`."""
