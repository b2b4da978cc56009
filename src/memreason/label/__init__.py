"""Question → Solution by two agents: a planner, and a knowledge agent that answers the plan's queries."""
