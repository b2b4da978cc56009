"""Comparisons for readers: tables, pictures and a page. Nothing is computed here.

A result of a comparison is a mapping here, as `ComparisonResult.to_json` gives it, so that one read from a file is as
good as a new one.
"""
