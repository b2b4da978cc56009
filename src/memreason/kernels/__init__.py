"""Layers that compute the same as a model's own layers, but faster, during training or generation."""
