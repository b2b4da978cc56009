"""`memreason benchmark`: how fast training and generation are here, beside other ways to do the same work."""
