"""Traces → verdicts → metrics, and the files that hold them."""
