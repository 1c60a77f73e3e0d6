"""Slipway takes a service from a developer's machine to production: infrastructure, image, schema and traffic as one release."""
