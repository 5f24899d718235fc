"""What the training commands share: the corpus they read, the file they write."""

from __future__ import annotations

import argparse
import os
import sys
import tempfile
from typing import Any

from fastemb.cli.common import CommandError


def keywords(args: argparse.Namespace, names: tuple[str, ...]) -> dict[str, Any]:
    """The options of `names` that were given, as Python keywords."""
    return {name: getattr(args, name) for name in names if getattr(args, name) is not None}


def source_of(corpus: list[str]) -> Any:
    """The corpus argument of the library for what the command line names."""
    if "-" in corpus and len(corpus) > 1:
        raise CommandError("- (stdin) must be the only corpus")
    return corpus[0] if len(corpus) == 1 else corpus


def check_output(path: str, corpus: list[str], need: int = 0) -> None:
    """Refuse an output that cannot be written, or that is the corpus, before any work is done."""
    from fastemb.formats import atomic

    if path == "-":
        return
    for source in corpus:
        if source == "-":
            continue
        for name in _files_of(source):
            if os.path.exists(path) and os.path.exists(name) and os.path.samefile(path, name):
                raise CommandError(f"the output {path} is the corpus {name} itself: choose another name")
    atomic.check_writable(path, need)


def _files_of(source: str) -> list[str]:
    """The files that a corpus argument names, as far as that can be told without reading."""
    import glob

    if os.path.isdir(source):
        return [os.path.join(source, name) for name in os.listdir(source)]
    return [source] if os.path.exists(source) else glob.glob(source, recursive=True)


def save(model: Any, path: str, wanted: str) -> None:
    """Save the whole model (native) or its vectors."""
    target = path
    if path == "-":  # written like any file, then copied: a format may need to seek
        handle, target = tempfile.mkstemp(prefix="fastemb-")
        os.close(handle)
    try:
        if wanted == "native":
            model.save(target)
        else:
            model.wv.export(target, format=wanted)
        if path == "-":
            with open(target, "rb") as file:
                while piece := file.read(1 << 20):
                    sys.stdout.buffer.write(piece)
            sys.stdout.buffer.flush()
    finally:
        if path == "-":
            os.unlink(target)
