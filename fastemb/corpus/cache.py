"""The id cache file: an encoded corpus on disk.

Little-endian, one file::

    0      magic "FEIDS\\x01\\r\\n" (8)   version u32   crc32 of the JSON u32   JSON offset u64   JSON bytes u64
    32     crc32 of the 32 bytes before, u32
    4096   ids, int32
    ...    sections, each 8-byte aligned: sentence offsets int64, counts int64, and the words: bytes uint8 and their
           offsets int64, or integer keys int64
    ...    JSON: the sections' places, sizes and crc32, the source's identity, the settings, the report

It is written under a temporary name next to its place and renamed when complete, so a cache under its own name is
whole. A cache whose source or settings differ from what is asked for is stale and is written anew; a damaged one
likewise, with a warning; a file that is no cache is never overwritten.
"""

from __future__ import annotations

import json
import os
import struct
import zlib
from dataclasses import asdict
from typing import Any

import numpy as np

from .report import CorpusReport
from .sources import FilePlan, Plan
from .store import HEADER, FileStore, pread_into, pwrite_all
from .vocabulary import Vocabulary

__all__ = ["CacheDamaged", "CacheFile", "identity_of", "open_cache", "write_cache"]

MAGIC = b"FEIDS\x01\r\n"
VERSION = 1
PREAMBLE = struct.Struct("<8sIIQQ")


class CacheDamaged(ValueError):
    """The file is an id cache, but not a whole one."""


class CacheFile:
    """An open, checked cache."""

    def __init__(self, fd: int, meta: dict[str, Any], offsets: np.ndarray, vocabulary: Vocabulary) -> None:
        self.fd, self.meta, self.offsets, self.vocabulary = fd, meta, offsets, vocabulary
        report = dict(meta["report"])
        if report.get("most_frequent") is not None:
            report["most_frequent"] = tuple(report["most_frequent"])
        self.report = CorpusReport(**report)
        self.num_tokens = int(meta["sections"]["ids"][1]) // 4


def identity_of(plan: Plan, settings: dict[str, Any]) -> dict[str, Any] | None:
    """What a cache of this source with these settings is known by; None for streams, iterables and callables."""
    if (
        not isinstance(plan, FilePlan)
        or any(f.stream for f in plan.files)
        or any(callable(v) for v in settings.values())
    ):
        return None
    files = [[os.fsencode(os.path.abspath(f.path)).decode("latin-1"), f.size, f.mtime_ns] for f in plan.files]
    reader = {"newline_ends": plan.newline_ends, "max_sentence_length": plan.max_sentence_length}
    return json.loads(json.dumps({"files": files, "reader": reader, "settings": settings}))


def write_cache(
    store: FileStore,
    n_ids: int,
    ids_crc: int,
    offsets: np.ndarray,
    vocabulary: Vocabulary,
    report: CorpusReport,
    identity: dict[str, Any] | None,
) -> None:
    """Adds the sections, the JSON and the preamble to a store that holds the final ids, and gives the file its name."""
    sections: dict[str, list[int]] = {"ids": [HEADER, 4 * n_ids, ids_crc]}
    at = HEADER + 4 * n_ids
    columns: list[tuple[str, np.ndarray]] = [("offsets", offsets), ("counts", vocabulary.counts)]
    if vocabulary.is_int:
        columns.append(("int_keys", vocabulary.int_keys))
    else:
        columns += [("word_bytes", vocabulary.blob), ("word_offsets", vocabulary.offsets)]
    for name, array in columns:
        at = -(-at // 8) * 8
        raw = np.ascontiguousarray(array)
        sections[name] = [at, raw.nbytes, zlib.crc32(raw.data)]
        if raw.nbytes:
            pwrite_all(store.fd, raw, at)
        at += raw.nbytes
    meta = {
        "format": "fastemb ids",
        "sections": sections,
        "identity": identity,
        "report": asdict(report),
        "total": vocabulary.total,
    }
    text = json.dumps(meta).encode()
    pwrite_all(store.fd, text, at)
    preamble = PREAMBLE.pack(MAGIC, VERSION, zlib.crc32(text), at, len(text))
    pwrite_all(store.fd, preamble + struct.pack("<I", zlib.crc32(preamble)), 0)
    store.publish()


def _section(fd: int, place: list[int], dtype: Any, name: str, size: int) -> np.ndarray:
    at, nbytes, crc = (int(x) for x in place)
    item = np.dtype(dtype).itemsize
    if at < HEADER or nbytes < 0 or at + nbytes > size or nbytes % item:
        raise CacheDamaged(f"section {name!r} does not lie inside the file")
    out = np.empty(nbytes // item, dtype)
    if nbytes and (pread_into(fd, out, at) != nbytes or zlib.crc32(out.data) != crc):
        raise CacheDamaged(f"checksum of section {name!r}")
    return out


def _check_gaps(fd: int, sections: dict[str, list[int]], json_at: int) -> None:
    """Every byte of the file is accounted for: the padding between the sections is short and zero."""
    at = PREAMBLE.size + 4
    for begin, nbytes, _ in [*sorted(sections.values()), [json_at, 0, 0]]:
        gap = np.ones(begin - at if 0 <= begin - at <= HEADER else 0, np.uint8)
        if begin < at or begin - at > HEADER or pread_into(fd, gap, at) != len(gap) or gap.any():
            raise CacheDamaged("bytes between the sections")
        at = begin + nbytes


def _read(fd: int) -> CacheFile:
    size = os.fstat(fd).st_size
    head = np.zeros(PREAMBLE.size + 4, np.uint8)
    got = pread_into(fd, head, 0)
    raw = head.tobytes()
    if got < 8 or raw[:8] != MAGIC:
        raise ValueError("not a fastemb id cache")
    _, version, json_crc, json_at, json_bytes = PREAMBLE.unpack(raw[: PREAMBLE.size])
    if got < len(raw) or struct.unpack("<I", raw[PREAMBLE.size :])[0] != zlib.crc32(raw[: PREAMBLE.size]):
        raise CacheDamaged("checksum of the header")
    if version != VERSION:
        raise CacheDamaged(f"version {version}, this fastemb reads version {VERSION}")
    if json_at < HEADER or json_at + json_bytes != size:
        raise CacheDamaged(f"{size} bytes long, {json_at + json_bytes} expected")
    text = np.empty(json_bytes, np.uint8)
    if pread_into(fd, text, json_at) != json_bytes or zlib.crc32(text.data) != json_crc:
        raise CacheDamaged("checksum of the description")
    meta = json.loads(text.tobytes())
    sections = meta["sections"]
    offsets = _section(fd, sections["offsets"], np.int64, "offsets", size)
    counts = _section(fd, sections["counts"], np.int64, "counts", size)
    if "int_keys" in sections:
        vocabulary = Vocabulary.from_parts(
            None,
            None,
            counts,
            int_keys=_section(fd, sections["int_keys"], np.int64, "int_keys", size),
            total=meta["total"],
        )
    else:
        vocabulary = Vocabulary.from_parts(
            _section(fd, sections["word_bytes"], np.uint8, "word_bytes", size),
            _section(fd, sections["word_offsets"], np.int64, "word_offsets", size),
            counts,
            total=meta["total"],
        )
    at, nbytes, crc = sections["ids"]
    if (
        at != HEADER
        or nbytes % 4
        or len(offsets) < 1
        or offsets[0] != 0
        or 4 * offsets[-1] != nbytes
        or np.any(np.diff(offsets) < 0)
    ):
        raise CacheDamaged("the sentence offsets do not fit the ids")
    _check_gaps(fd, sections, json_at)
    buffer, have = np.empty(1 << 20, np.uint8), 0
    for start in range(0, nbytes, len(buffer)):
        piece = buffer[: min(len(buffer), nbytes - start)]
        if pread_into(fd, piece, at + start) != len(piece):
            raise CacheDamaged("the ids are cut")
        have = zlib.crc32(piece.data, have)
    if have != crc:
        raise CacheDamaged("checksum of the ids")
    return CacheFile(fd, meta, offsets, vocabulary)


def open_cache(path: str) -> CacheFile:
    """Opens and checks a cache, ids included. ``ValueError`` for another kind of file, ``CacheDamaged`` for a damaged
    one."""
    fd = os.open(path, os.O_RDONLY | getattr(os, "O_BINARY", 0) | getattr(os, "O_CLOEXEC", 0))
    try:
        return _read(fd)
    except (CacheDamaged, KeyError, IndexError, TypeError, OverflowError) as e:  # the latter: a description made up
        os.close(fd)
        raise CacheDamaged(f"the id cache {path!r} is damaged: {e}; delete it") from None
    except ValueError as e:
        os.close(fd)
        raise ValueError(f"{path!r}: {e}") from None
    except BaseException:
        os.close(fd)
        raise
