"""`memreason serve`: a checkpoint behind an HTTP API that speaks as OpenAI's does."""
