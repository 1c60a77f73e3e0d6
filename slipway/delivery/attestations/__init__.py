"""Attestations: in-toto statements about an image, signed as DSSE envelopes. Pure: keys and registries are the adapters'."""
