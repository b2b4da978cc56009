"""Datasets: one file each, turning its source into Solutions."""
