"""Planning tokens: which exist, how a question and its solution become text and ids, and back."""
