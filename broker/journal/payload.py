"""How a frame's bytes are stored: zstd level 1, or as they are where that is no smaller."""

from __future__ import annotations

from typing import Final

from broker.errors import JournalError

MIN_SIZE: Final = 200  # below this many bytes zstd's header eats what it saves
ROW_BYTES: Final = 64  # what the table and its index add to each frame, about


class Codec:
    """Packs and unpacks; for one thread at a time. The checksum finds a blob the disk changed."""

    def __init__(self) -> None:
        import zstandard  # 20 ms that a daemon without a journal does not pay

        self._pack = zstandard.ZstdCompressor(level=1, write_checksum=True).compress
        self._unpack = zstandard.ZstdDecompressor().decompress
        self._error = zstandard.ZstdError

    def pack(self, payload: bytes) -> tuple[bool, bytes]:
        """Whether it was compressed, and the bytes to store."""
        if len(payload) >= MIN_SIZE:
            packed = self._pack(payload)
            if len(packed) < len(payload):
                return True, packed
        return False, payload

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
