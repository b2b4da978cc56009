"""Comparing models on the same questions: does one answer better, and how sure is that."""
