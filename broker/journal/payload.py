"""How a frame's bytes are stored: zstd level 1, or as they are where that is no smaller."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any, Final

from broker.errors import JournalError

MIN_SIZE: Final = 200  # below this many bytes zstd's header eats what it saves
ROW_BYTES: Final = 64  # what the table and its index add to each frame, about


class Codec:
    """Packs and unpacks; for one thread at a time. The checksum finds a blob the disk changed."""

    def __init__(self) -> None:
        import zstandard  # 20 ms that a daemon without a journal does not pay

        self._compressor = zstandard.ZstdCompressor(level=1, write_checksum=True)
        self._unpack = zstandard.ZstdDecompressor().decompress
        self._error = zstandard.ZstdError

    def pack(self, payloads: Sequence[bytes]) -> list[tuple[bool, bytes]]:
        """For each, whether it was compressed and the bytes to store.

        All in one call, that lets go of the interpreter's lock once: with a call for each, the
        readers and this thread took it from each other thousands of times a second.
        """
        worth: list[Any] = [payload for payload in payloads if len(payload) >= MIN_SIZE]
        packed: Iterator[Any]
        if len(worth) > 1:
            packed = iter(self._compressor.multi_compress_to_buffer(worth))
        else:
            packed = (self._compressor.compress(payload) for payload in worth)
        stored: list[tuple[bool, bytes]] = []
        for payload in payloads:
            blob = bytes(next(packed)) if len(payload) >= MIN_SIZE else payload
            small = len(blob) < len(payload)
            stored.append((small, blob if small else payload))
        return stored

    def unpack(self, packed: bool, blob: bytes) -> bytes:
        """The payload; raises `JournalError` where the stored bytes are damaged."""
        if not packed:
            return blob
        try:
            return self._unpack(blob)
        except self._error as error:
            raise JournalError(f"a stored frame is damaged: {error}") from None


def stored_size(blob: bytes) -> int:
    """What a frame counts for against the bounds."""
    return len(blob) + ROW_BYTES
