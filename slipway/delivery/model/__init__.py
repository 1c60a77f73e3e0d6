"""Frozen values of delivery: what is, what is wanted, what is under way. Nothing here reads a clock or talks to anything."""
