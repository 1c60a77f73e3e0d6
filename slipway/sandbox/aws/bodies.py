"""Reads bodies of requests, whose senders may lie about the length."""

from __future__ import annotations

import re
from typing import IO

from slipway.sandbox.aws.answers import Environ

LENGTH = re.compile(r"[0-9]{1,18}")
"""Python would read `-1` as all that ever comes, and refuse to parse thousands of digits."""
CHUNK_LENGTH = re.compile(rb"([0-9a-fA-F]{1,15})[ \t]*(?:;[^\n]*)?\r?\n")
LONGEST_LINE = 4096
MOST_TRAILERS = 100


def read_body(environ: Environ, limit: int) -> bytes | None:
    """The body, of at most `limit` bytes; None for a larger one, one that ends early, and one whose length is no number."""
    stream: IO[bytes] = environ["wsgi.input"]
    if environ.get("wsgi.input_terminated"):
        return _read_chunks(stream, limit)
    said = str(environ.get("CONTENT_LENGTH") or "0")
    if not LENGTH.fullmatch(said) or int(said) > limit:
        return None
    return stream.read(int(said))


def _read_chunks(stream: IO[bytes], limit: int) -> bytes | None:
    """Not by werkzeug's reader: a chunk that ends early has it read beyond its memory, which ends the process (seen with 3.1.9)."""
    body = bytearray()
    while (head := CHUNK_LENGTH.fullmatch(stream.readline(LONGEST_LINE))) and (length := int(head[1], 16)):
        if len(body) + length > limit:
            return None
        part = stream.read(length)
        if len(part) < length or stream.readline(3).rstrip(b"\r\n"):
            return None
        body += part
    if not head:
        return None
    for _ in range(MOST_TRAILERS):
        if not stream.readline(LONGEST_LINE).rstrip(b"\r\n"):
            return bytes(body)
    return None
