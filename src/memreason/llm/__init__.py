"""Clients for language models, behind an endpoint or in this process; labelling asks models through them."""
