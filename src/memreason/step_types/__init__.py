"""Step types inferred for rationales that carry no labels (arXiv 2310.05707, section 3)."""
