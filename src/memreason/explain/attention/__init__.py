"""Where a model looks while it writes a trace: attention, attention rollout, and gradients × input."""
