"""`memreason benchmark`: how fast training and generation are on this machine, compared with other tools."""
