"""The one error of this room."""

from __future__ import annotations

import os

__all__ = ["FormatError"]


class FormatError(ValueError):
    """A file is not what its format asks for.

    Parameters
    ----------
    message : str
        What is wrong and what to do.
    path : path-like, optional
    format : str, optional
        Which format the file looks like.
    row : int, optional
        Row of the vectors where it breaks; 1 is the first vector.
    byte : int, optional
        Offset in the file (in the decompressed data of a compressed file).
    """

    def __init__(
        self,
        message: str,
        *,
        path: str | os.PathLike[str] | None = None,
        format: str | None = None,
        row: int | None = None,
        byte: int | None = None,
    ) -> None:
        self.path, self.format, self.row, self.byte = path, format, row, byte
        where = []
        if row is not None:
            where.append(f"row {row:,}")
        if byte is not None:
            where.append(f"byte {byte:,}")
        head = "" if path is None else f"{os.fsdecode(path)!r}"
        if format:
            head += f" ({format})" if head else format
        if where:
            head += (", " if head else "") + ", ".join(where)
        super().__init__(f"{head}: {message}" if head else message)
