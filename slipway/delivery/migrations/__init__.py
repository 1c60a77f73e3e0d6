"""Migrations before they run: read from Alembic's folder, checked, linted."""
