"""Which step of a trace went wrong, why, and what the model would answer if it were right."""
