"""Datasets: each has a file of its own, which turns the rows of its source into Solutions."""
