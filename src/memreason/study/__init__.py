"""Several arms, several seeds, one table: runs what a recipe lists, checks that only the arms' options differ, and
compares."""
