"""Answers in LaTeX: found in a text (`find`), and compared as mathematics (`equality`). Needs no torch."""
