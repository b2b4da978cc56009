"""memreason: language models that keep recalling facts and reasoning about them apart."""
