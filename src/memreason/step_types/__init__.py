"""Step types for rationales whose steps have no labels, inferred from the steps (arXiv 2310.05707, section 3)."""
