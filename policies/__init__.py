"""The policy pack: rules that a change must satisfy before it touches anything. Imports nothing of what it judges."""
