"""Training: from solutions to a trained checkpoint."""
