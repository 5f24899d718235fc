"""The native model file: one safetensors file that any safetensors reader opens, with checksums of everything.

Layout (https://github.com/huggingface/safetensors)::

    8 bytes   N, length of the header, little-endian
    N bytes   header, JSON: {"__metadata__": {...}, NAME: {"data_offsets": [0, 8], "dtype": "F32", "shape": [1, 2]}}
    the rest  the tensors end to end, little-endian, in C order

What we ask beyond safetensors, so that damage shows: keys sorted and no blanks in the JSON (one way to write each
header), padding by blanks to where "vectors" begins at a multiple of 64 bytes, no holes, no bytes behind the last
tensor, and in ``__metadata__``, whose "fastemb" holds the model's own JSON, the CRC-32 of each tensor and of the header
itself (taken with eight zeros in the place of that number).

Tensors of a model with n words of d numbers::

    vectors        float32 (n, d)
    vocab_bytes    uint8   the words' bytes end to end       or   vocab_ints  int64 (n,)  for integer keys
    vocab_offsets  int64   (n + 1,)
    counts         int64   (n,)                              optional
    syn1neg, syn1hs  float32 (n, d)                          optional, to go on training
    column:NAME    any (n,)                                  optional, a column of the user's
"""

from __future__ import annotations

import json
import mmap as _mmap
import os
import stat
import struct
import zlib
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from . import _text, atomic
from .errors import FormatError

__all__ = ["Streamed", "read", "write"]

_DTYPES = {
    "F64": "<f8", "I64": "<i8", "U64": "<u8", "F32": "<f4", "I32": "<i4", "U32": "<u4",
    "F16": "<f2", "I16": "<i2", "U16": "<u2", "I8": "i1", "U8": "u1", "BOOL": "?",
}  # fmt: skip
_NAMES = {np.dtype(v): k for k, v in _DTYPES.items()}
_MAX_HEADER = 100_000_000  # what safetensors allows
_CHUNK = 1 << 22
_ZERO_CRC = "00000000"
FORMAT = "fastemb native"


@dataclass(frozen=True)
class Streamed:
    """A tensor that is not in memory: ``pieces()`` yields flat arrays that make it up, each time it is called."""

    dtype: np.dtype
    shape: tuple[int, ...]
    pieces: Callable[[], Iterable[NDArray[Any]]]

    @property
    def nbytes(self) -> int:
        return int(np.prod(self.shape, dtype=np.int64)) * self.dtype.itemsize


def _bytes_of(array: Any) -> memoryview:
    return memoryview(array.reshape(-1)).cast("B") if array.size else memoryview(b"")


def _crc(array: NDArray[Any] | Streamed) -> int:
    crc = 0
    for piece in array.pieces() if isinstance(array, Streamed) else (array,):
        data = _bytes_of(piece)
        for at in range(0, len(data), _CHUNK):
            crc = zlib.crc32(data[at : at + _CHUNK], crc)
    return crc


def _dump(header: Mapping[str, Any]) -> bytes:
    return json.dumps(header, sort_keys=True, separators=(",", ":"), ensure_ascii=True, allow_nan=False).encode()


def _layout(tensors: Mapping[str, NDArray[Any] | Streamed]) -> list[str]:
    """Names in file order: wide items first so that all are aligned, "vectors" first among its like."""
    return sorted(tensors, key=lambda k: (-tensors[k].dtype.itemsize, k != "vectors", k))


def write(path: str | os.PathLike[str], tensors: Mapping[str, Any], meta: Mapping[str, Any], *,
          allow_nonfinite: bool = False) -> None:  # fmt: skip
    """Write a model file, atomically.

    Parameters
    ----------
    path : path-like
    tensors : mapping of str to array
        See the module's list. They are written in C order; other names are kept as they are. A :class:`Streamed`
        instead of an array is read piece by piece, twice.
    meta : mapping
        The model's own JSON: format, version, kind, config, training.
    allow_nonfinite : bool
        Write NaN and Inf instead of refusing them; reading then needs the same option.

    Raises
    ------
    FormatError
        The tensors do not fit together (see :func:`read`).
    OSError
        The file cannot be written; an old one is then unchanged.

    Examples
    --------
    >>> import tempfile, os
    >>> import numpy as np
    >>> p = os.path.join(tempfile.mkdtemp(), "m.safetensors")
    >>> write(p, {"vectors": np.zeros((1, 3), np.float32), "vocab_ints": np.array([7])}, {"kind": "KeyedVectors"})
    >>> tensors, meta = read(p)
    >>> tensors["vectors"].shape, meta["kind"]
    ((1, 3), 'KeyedVectors')
    """
    arrays: dict[str, NDArray[Any] | Streamed] = {}
    for name, value in tensors.items():
        if name == "__metadata__" or not isinstance(name, str):
            raise ValueError(f"{name!r} cannot be the name of a tensor")
        if isinstance(value, Streamed):
            arrays[name] = value
            continue
        a = np.asarray(value)
        a = np.ascontiguousarray(a, a.dtype.newbyteorder("<")).reshape(a.shape)
        if a.dtype not in _NAMES:
            raise TypeError(f"tensor {name!r} has dtype {a.dtype}, which safetensors cannot hold")
        arrays[name] = a
    _validate({k: a for k, a in arrays.items() if not isinstance(a, Streamed)}, path, allow_nonfinite, mapped=False)
    order = _layout(arrays)
    header: dict[str, Any] = {}
    at = 0
    for name in order:
        t = arrays[name]
        header[name] = {"dtype": _NAMES[t.dtype], "shape": list(t.shape), "data_offsets": [at, at + t.nbytes]}
        at += t.nbytes
    crcs = {name: f"{_crc(a):08x}" for name, a in arrays.items()}
    header["__metadata__"] = {
        "fastemb": json.dumps(meta, sort_keys=True, allow_nan=False),
        "fastemb.crc32": _dump(crcs).decode(),
        "fastemb.header_crc32": _ZERO_CRC,
    }
    lead = header["vectors"]["data_offsets"][0] if "vectors" in header else 0
    text = _dump(header)
    text += b" " * (-(8 + len(text) + lead) % 64)
    if len(text) > _MAX_HEADER:
        raise ValueError(f"the header would have {len(text):,} bytes; safetensors allows {_MAX_HEADER:,}")
    crc = zlib.crc32(text)
    header["__metadata__"]["fastemb.header_crc32"] = f"{crc:08x}"
    text = _dump(header).ljust(len(text))
    atomic.check_writable(path, 8 + len(text) + at)
    with atomic.write(path) as f:
        f.write(struct.pack("<Q", len(text)) + text)
        for name in order:
            whole = arrays[name]
            for piece in whole.pieces() if isinstance(whole, Streamed) else (whole,):
                f.write(_bytes_of(piece))


def _no_twins(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    out = dict(pairs)
    if len(out) != len(pairs):
        raise ValueError("a key occurs twice")
    return out


def _no_constant(name: str) -> Any:
    raise ValueError(f"{name} is not JSON")


def _parse_header(text: bytes, path: Any) -> tuple[dict[str, Any], dict[str, Any], dict[str, str]]:
    """(tensor entries, meta, crcs) of a header whose own checksum holds."""

    def bad(what: str) -> FormatError:
        return FormatError(f"{what}; the file is damaged", path=path, format=FORMAT, byte=8)

    try:
        header = json.loads(text.decode("ascii"), object_pairs_hook=_no_twins, parse_constant=_no_constant)
    except (ValueError, RecursionError) as e:
        raise bad(f"the header is not JSON ({e})") from None
    if not isinstance(header, dict):
        raise bad("the header is not a JSON object")
    own = header.get("__metadata__")
    if not isinstance(own, dict) or "fastemb" not in own:
        names = ", ".join(sorted(k for k in header if k != "__metadata__")[:5])
        raise FormatError(
            f"a safetensors file that fastemb did not write (tensors: {names or 'none'}); it has no vocabulary that "
            "fastemb knows. Read it with the safetensors package and build KeyedVectors from its arrays",
            path=path,
            format="safetensors",
        )
    if _dump(header).ljust(len(text)) != text:
        raise bad("the header is not written as fastemb writes it")
    want, own["fastemb.header_crc32"] = own.get("fastemb.header_crc32"), _ZERO_CRC
    if f"{zlib.crc32(_dump(header).ljust(len(text))):08x}" != want:
        raise bad("the header's checksum does not match")
    try:
        meta, crcs = json.loads(own["fastemb"]), json.loads(own["fastemb.crc32"])
    except (KeyError, TypeError, ValueError):
        raise bad("the header has no metadata") from None
    entries = {k: v for k, v in header.items() if k != "__metadata__"}
    if not isinstance(meta, dict) or not isinstance(crcs, dict) or set(crcs) != set(entries):
        raise bad("the metadata does not fit the tensors")
    return entries, meta, crcs


def _check_entries(entries: dict[str, Any], room: int, path: Any) -> list[tuple[str, np.dtype, tuple[int, ...], int]]:
    """(name, dtype, shape, offset) in file order; the tensors fill `room` bytes exactly."""

    def bad(what: str) -> FormatError:
        return FormatError(f"{what}; the file is cut off or damaged", path=path, format=FORMAT, byte=8)

    plan = []
    for name, e in entries.items():
        if not isinstance(e, dict) or set(e) != {"dtype", "shape", "data_offsets"}:
            raise bad(f"tensor {name!r} has no dtype, shape and offsets")
        shape, span = e["shape"], e["data_offsets"]
        if (
            not isinstance(e["dtype"], str)
            or e["dtype"] not in _DTYPES
            or not isinstance(shape, list)
            or not isinstance(span, list)
            or len(span) != 2
            or len(shape) > 8
            or not all(type(x) is int and 0 <= x < 2**63 for x in [*shape, *span])
        ):
            raise bad(f"tensor {name!r} has an impossible dtype, shape or offset")
        dtype = np.dtype(_DTYPES[e["dtype"]])
        size = dtype.itemsize
        for x in shape:
            size *= x
        if span[1] - span[0] != size:
            raise bad(f"tensor {name!r} should have {size:,} bytes, its offsets say {span[1] - span[0]:,}")
        plan.append((name, dtype, tuple(shape), span[0], span[1]))
    plan.sort(key=lambda t: (t[3], t[4]))
    at = 0
    for name, _, _, start, end in plan:
        if start != at:
            raise bad(f"tensor {name!r} should begin at byte {at:,} of the data, not {start:,}")
        at = end
    if at != room:
        raise bad(f"the header describes {at:,} bytes of data, the file has {room:,}")
    return [t[:4] for t in plan]


def _is_matrix(shape: tuple[int, ...]) -> bool:
    return len(shape) >= 2


def read(
    path: str | os.PathLike[str], mmap: bool = False, *, allow_nonfinite: bool = False
) -> tuple[dict[str, NDArray[Any]], dict[str, Any]]:
    """Read a model file; any damage is refused.

    Parameters
    ----------
    path : path-like
    mmap : bool
        Map the file instead of reading it: the arrays are read-only views, processes share them, and loading does
        not touch the matrices. Then the header, all sizes, and the checksums and values of the vocabulary and the
        counts are checked, but **not the checksums of the matrices** nor whether they hold NaN. A mapped file must not
        be shortened by others while it is used (the system kills a process that touches the missing part); fastemb's
        own writes replace files and never change them in place.
    allow_nonfinite : bool
        Keep NaN and Inf in the matrices instead of refusing them.

    Returns
    -------
    tensors : dict of str to array
    meta : dict
        What was given to :func:`write`.

    Raises
    ------
    FormatError
        The file is no native file, or damaged.
    """
    with open(path, "rb", buffering=0) as f:
        st = os.fstat(f.fileno())
        if not stat.S_ISREG(st.st_mode):
            raise FormatError("not a regular file", path=path, format=FORMAT)
        lead = f.read(8)
        if len(lead) < 8:
            raise FormatError(f"only {st.st_size} bytes: cut off or no model file", path=path, format=FORMAT)
        (length,) = struct.unpack("<Q", lead)
        if length < 2 or length > st.st_size - 8 or length > _MAX_HEADER:
            raise FormatError(
                f"the header should have {length:,} bytes, the file has {st.st_size:,}: cut off, damaged or no model",
                path=path,
                format=FORMAT,
                byte=0,
            )
        text = bytearray(length)
        _read_exactly(f, memoryview(text), path)
        entries, meta, crcs = _parse_header(bytes(text), path)
        plan = _check_entries(entries, st.st_size - 8 - length, path)
        data = 8 + length
        tensors: dict[str, NDArray[Any]] = {}
        mapped = _mmap.mmap(f.fileno(), 0, access=_mmap.ACCESS_READ) if mmap else None
        for name, dtype, shape, offset in plan:
            if mapped is not None:
                count = int(np.prod(shape, dtype=np.int64))
                at = data + offset
                a = np.frombuffer(mapped, dtype, count, at).reshape(shape) if count else np.empty(shape, dtype)
                if not a.flags.aligned:  # no file of ours: we put wide items first
                    a = a.copy()
                crc = None if _is_matrix(shape) else _crc(a)
            else:
                a = np.empty(shape, dtype)
                crc = 0
                view = _bytes_of(a)
                for at in range(0, len(view), _CHUNK):
                    part = view[at : at + _CHUNK]
                    _read_exactly(f, part, path)
                    crc = zlib.crc32(part, crc)
            if crc is not None and f"{crc:08x}" != crcs[name]:
                raise FormatError(
                    f"the checksum of tensor {name!r} does not match; the file is damaged: get it again",
                    path=path,
                    format=FORMAT,
                    byte=data + offset,
                )
            tensors[name] = a
    _validate(tensors, path, allow_nonfinite, mapped=mmap)
    return tensors, meta


def _read_exactly(f: Any, view: memoryview, path: Any) -> None:
    done = 0
    while done < len(view):
        n = f.readinto(view[done : done + (1 << 30)])
        if not n:
            raise FormatError("the file became shorter while it was read", path=path, format=FORMAT)
        done += n


def _validate(t: Mapping[str, NDArray[Any]], path: Any, allow_nonfinite: bool, mapped: bool) -> None:
    """Do the tensors fit together and hold values that make sense?"""

    def bad(what: str) -> FormatError:
        return FormatError(what, path=path, format=FORMAT)

    n = None
    if "vectors" in t:
        v = t["vectors"]
        if v.ndim != 2 or v.dtype.kind != "f":
            raise bad(f"'vectors' must be a matrix of floats, not {v.dtype} {v.shape}")
        n = v.shape[0]
    if "vocab_bytes" in t or "vocab_offsets" in t:
        if "vocab_ints" in t or not {"vocab_bytes", "vocab_offsets"} <= set(t):
            raise bad("the vocabulary needs 'vocab_bytes' and 'vocab_offsets', or 'vocab_ints' alone")
        blob, offsets = t["vocab_bytes"], t["vocab_offsets"]
        if (
            blob.dtype != np.uint8
            or blob.ndim != 1
            or offsets.dtype != np.int64
            or offsets.ndim != 1
            or not len(offsets)
        ):
            raise bad("'vocab_bytes' must be uint8 and 'vocab_offsets' int64, both of one dimension")
        if n is not None and len(offsets) != n + 1:
            raise bad(f"{n:,} vectors need {n + 1:,} word offsets, not {len(offsets):,}")
        n = len(offsets) - 1
        if not _text.offsets_ok(offsets, len(blob)):
            raise bad("the word offsets must start at 0, never fall, and end at the number of bytes")
        count, first = _text.duplicates(blob, offsets)
        if count:
            i = int(np.flatnonzero(first >= 0)[0])
            raise bad(f"word {i:,} is the same as word {int(first[i]):,}")
    elif "vocab_ints" in t:
        keys = t["vocab_ints"]
        if keys.dtype != np.int64 or keys.ndim != 1 or (n is not None and len(keys) != n):
            raise bad(f"'vocab_ints' must be int64, one for each vector, not {keys.dtype} {keys.shape}")
        n = len(keys)
        if len(np.unique(keys)) != n:
            raise bad("an integer key occurs twice")
    if "counts" in t:
        c = t["counts"]
        if c.dtype != np.int64 or c.ndim != 1 or (n is not None and len(c) != n):
            raise bad(f"'counts' must be int64, one for each word, not {c.dtype} {c.shape}")
        if len(c) and c.min() < 0:
            raise bad(f"word {int(np.argmin(c)):,} has a negative count")
    for name, a in t.items():  # names with a colon are columns of the user's, where NaN may mean "unknown"
        if a.dtype.kind != "f" or not a.size or allow_nonfinite or ":" in name or (mapped and _is_matrix(a.shape)):
            continue
        at = _first_nonfinite(a)
        if at >= 0:
            row = at // (a.size // a.shape[0]) if a.ndim else 0
            raise bad(
                f"tensor {name!r} holds NaN or Inf (first: row {row:,}); pass allow_nonfinite=True if that is wanted"
            )


def _first_nonfinite(a: NDArray[Any]) -> int:
    flat = a.reshape(-1)
    if a.dtype == np.float32:
        return _text.first_nonfinite(flat)
    for at in range(0, len(flat), _CHUNK):
        ok = np.isfinite(flat[at : at + _CHUNK])
        if not ok.all():
            return at + int(np.argmin(ok))
    return -1
