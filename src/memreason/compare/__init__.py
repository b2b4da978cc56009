"""Two or more runs on the same questions: how far they differ, and how sure that is."""
