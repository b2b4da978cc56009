"""Questions → Traces: decoding, in several ways that give the same."""
