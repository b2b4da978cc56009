<<<<<<< HEAD
"""Comparing models on the same questions: does one answer better, and how sure is that."""
=======
"""Two or more runs on the same questions: how far they differ, and how sure that is."""
>>>>>>> stats
