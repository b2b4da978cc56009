"""Judges: what says whether a memory is true and an inference valid, and how far to trust it."""
