"""Answers: finding one in a text, and when two are equal. Needs no torch."""
