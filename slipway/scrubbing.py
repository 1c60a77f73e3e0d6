"""Takes credentials out of text that other programs wrote."""

from __future__ import annotations

import re

_URL_CREDENTIALS = re.compile(r"(\w[\w+.-]*://[^\s:/@]*):[^\s@/]+@")
_ASSIGNMENTS = re.compile(
    r"(?i)\b([\w-]*(?:password|passphrase|secret|token|api[-_]?key)[\w-]*)(\s*[=:]\s*)([\"']?)[^\s\"',;]+\3"
)
_AWS_KEYS = re.compile(r"\b(?:AKIA|ASIA)[A-Z0-9]{16}\b")


def scrub(text: str) -> str:
    """`text` with passwords in URLs, assignments of secrets and AWS key ids masked."""
    text = _URL_CREDENTIALS.sub(r"\1:***@", text)
    text = _ASSIGNMENTS.sub(r"\1\2***", text)
    return _AWS_KEYS.sub("***", text)
