"""The one lock around moto's state: moto's backends are plain dictionaries and not safe for threads."""

from __future__ import annotations

import threading

API_LOCK = threading.RLock()
"""Held for the length of each API request. A controller that reads or changes moto's state takes it too, and never for long."""
