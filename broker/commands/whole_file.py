"""An output file that is there whole or not at all."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import BinaryIO, Literal

from broker.errors import ClientError, ConfigError


@contextmanager
def open_output(name: str) -> Iterator[BinaryIO]:
    """Standard output for `-`. A file gets its name when the block ends without an error; until
    then what had that name stays. A device or a pipe is written to as it is.

    Raises `ClientError`: 400 where the file cannot be opened, 500 where the disk fails later.
    """
    if name == "-":
        yield sys.stdout.buffer
        sys.stdout.buffer.flush()
        return
    target = Path(name).resolve()
    try:
        if target.exists() and not target.is_file():
            with _opened(target, "wb", name) as file:
                yield file
            return
        part = target.with_name(f".{target.name}.{os.getpid()}.part")
        try:
            with _opened(part, "xb", name) as file:
                yield file
            part.replace(target)
        except BaseException:
            with suppress(FileNotFoundError):
                part.unlink()
            raise
    except OSError as error:
        raise ClientError(500, f"cannot write {name}: {error.strerror or error}") from None


def _opened(path: Path, mode: Literal["wb", "xb"], name: str) -> BinaryIO:
    try:
        return path.open(mode)
    except OSError as error:
        raise ConfigError(f"--output: cannot open {name}: {error.strerror}") from None
