"""Unpacking bodies a piece at a time, so that whoever counts can stop before a bomb goes off."""

from __future__ import annotations

import zlib
from collections.abc import Iterator

ENCODINGS = frozenset({"gzip", "x-gzip", "deflate"})

PIECE_BYTES = 256 * 1024
"""The most that is unpacked in one go, about a millisecond's work."""


class PackingError(Exception):
    """A body that is not packed as it says, or that ends before its packing does."""


class Unpacked:
    """Pieces of one body, counted."""

    def __init__(self) -> None:
        self._pieces: list[bytes] = []
        self._size = 0

    def add(self, piece: bytes, most_bytes: int) -> bool:
        """Take a piece; False when all together are more than `most_bytes`."""
        self._size += len(piece)
        self._pieces.append(piece)
        return self._size <= most_bytes

    def whole(self) -> bytes:
        """All pieces in one."""
        return b"".join(self._pieces)


def unpacking(packed: bytes, encoding: str) -> Iterator[bytes]:
    """The pieces of `packed`, each at most `PIECE_BYTES` long; nothing for an empty body.

    Raises
    ------
    PackingError
        Where the packing is broken, or ends before its end.

    Notes
    -----
    ``deflate`` is zlib's format by the standard and a bare stream by some servers; both are read.
    """
    if not packed:
        return
    reader, rest = zlib.decompressobj(_wbits(packed, encoding)), packed
    while not reader.eof:
        try:
            piece = reader.decompress(rest, PIECE_BYTES)
        except zlib.error as exc:
            raise PackingError(f"a body that is no {encoding}: {exc}") from None
        rest = reader.unconsumed_tail
        # With nothing left to give it, it may still hold something back: then it is asked again.
        if not piece and not rest and not reader.eof:
            raise PackingError(f"a body of {encoding} that is cut")
        yield piece


def _wbits(packed: bytes, encoding: str) -> int:
    if encoding != "deflate":
        return zlib.MAX_WBITS | 16
    # RFC 1950, 2.2: the method is 8, and the two bytes are a multiple of 31.
    is_zlib = packed[0] & 0x0F == 8 and int.from_bytes(packed[:2], "big") % 31 == 0
    return zlib.MAX_WBITS if is_zlib else -zlib.MAX_WBITS
