"""Every option, typed, documented and validated. Needs no torch."""
