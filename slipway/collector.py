"""How often Python's collector of what refers to itself looks through everything that there is."""

THRESHOLDS = (400_000, 100, 1000)
"""A program of 2,000 resources makes millions of objects that live to its end. With Python's own thresholds (700, 10, 10) the
collector looked through them so often that it took a third of the time (measured 2026-11 on 2,000 resources, CPU: 4.8 s, with these
3.1 s, without collector 2.9 s).
The SDKs' millions of objects are looked through as often while they are imported: a third of the time of a command, too. What is left
until it is looked for is some 50 MB at most."""
