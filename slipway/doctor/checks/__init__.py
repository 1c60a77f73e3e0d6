"""The checks, one file each: a generator that asks and yields what it found."""
