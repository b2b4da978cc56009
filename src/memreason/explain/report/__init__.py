"""The page that shows an explanation: one HTML file that opens from disk and asks nobody for anything."""

from memreason.explain.report.page import render

__all__ = ["render"]
