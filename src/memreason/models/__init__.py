"""A model as one unit of base model, planning tokens and adapters: building, saving, loading and merging it."""
