"""Solutions → a trained checkpoint."""
