"""Planning tokens: their names, the layout of prompts and solutions, and parsing a model's text."""
