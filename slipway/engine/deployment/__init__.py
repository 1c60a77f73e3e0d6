"""One operation on one stack: registrations in, steps out, the snapshot kept true after each of them."""
