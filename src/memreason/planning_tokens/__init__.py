"""Planning tokens: their names, the layout of prompts and solutions, and parsing what a model wrote."""
