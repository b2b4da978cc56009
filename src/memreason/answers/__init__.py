"""Answers: finding the answer in a text, and comparing two answers. Needs no torch."""
