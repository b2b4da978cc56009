"""A model as one unit: base model, planning tokens and adapters, made, saved, loaded and merged."""
