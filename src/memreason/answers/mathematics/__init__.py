"""Answers in LaTeX: finding one in a text (`find`), and comparing two as mathematics (`equality`). Needs no torch."""
