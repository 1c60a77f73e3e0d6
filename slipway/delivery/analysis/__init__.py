"""Judging a candidate by numbers."""
