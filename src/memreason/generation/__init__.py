"""Questions → Traces: greedy decoding, in several ways that give the same answers."""
