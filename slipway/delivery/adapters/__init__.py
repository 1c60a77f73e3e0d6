"""The world: everything outside delivery is met here and nowhere else. Every call has a timeout, every failure is a SlipwayError."""
