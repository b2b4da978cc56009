"""Labelling: two LLM agents write a solution for each question.

The planner writes the steps, and the knowledge agent answers the plan's queries with facts.
"""
