"""The orders service: a small HTTP API over PostgreSQL, the thing that Slipway delivers in its examples and tests."""
