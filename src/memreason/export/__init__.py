"""`memreason export`: a trained checkpoint, written in the forms that other programs read."""
