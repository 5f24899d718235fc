"""Files that appear whole or not at all.

A new file is written under a temporary name in the directory of its target, flushed to the disk, and renamed over the
target; the directory is flushed after that. Whatever fails, at whatever moment, the old file stays as it was.

The temporary file is called ``.NAME.PID.RANDOM.tmp`` and its writer holds a lock on it. A later write to the same
target removes temporary files whose process is gone and whose lock is free.
"""

from __future__ import annotations

import contextlib
import errno
import io
import os
import re
import secrets
import stat
from collections.abc import Iterator
from typing import IO

try:
    import fcntl
except ImportError:  # Windows
    fcntl = None  # type: ignore[assignment]

__all__ = ["check_writable", "write"]

_BUFFER = 1 << 20


class _File(io.RawIOBase):
    """A descriptor whose write() writes everything: the kernel may take less than it is given."""

    def __init__(self, fd: int, path: str | os.PathLike[str], kept: bool) -> None:
        self._fd, self._path, self._kept = fd, path, kept

    def fileno(self) -> int:
        return self._fd

    def writable(self) -> bool:
        return True

    def write(self, data) -> int:  # type: ignore[override]
        view = memoryview(data).cast("B")
        done = 0
        with _named(self._path, self._kept):
            while done < len(view):
                n = os.write(self._fd, view[done : done + (1 << 30)])
                if n <= 0:
                    raise OSError(errno.EIO, "the system wrote nothing and gave no reason")
                done += n
        return done

    def tell(self) -> int:
        return os.lseek(self._fd, 0, os.SEEK_CUR)

    def close(self) -> None:
        """Once; afterwards a forgotten buffer above cannot write to a descriptor that means another file by then."""
        if not self.closed:
            super().close()
            os.close(self._fd)  # may report what writing could not


def _target(path: str | os.PathLike[str]) -> tuple[str, os.stat_result | None]:
    """The real path to write (symlinks followed) and its stat, None if absent. Refuses what must not be replaced."""
    name = os.fsdecode(path)
    if not name:
        raise FileNotFoundError(errno.ENOENT, "no file name given", name)
    if name.endswith(os.sep):
        raise IsADirectoryError(errno.EISDIR, "the output is a directory; name a file in it", name)
    real = os.path.realpath(name)
    try:
        st = os.stat(real)
    except FileNotFoundError:
        st = None
    except NotADirectoryError:
        raise NotADirectoryError(
            errno.ENOTDIR, "cannot write here: a part of the path is a file, not a directory", name
        ) from None
    if st is not None:
        if stat.S_ISDIR(st.st_mode):
            raise IsADirectoryError(errno.EISDIR, "the output is a directory; name a file in it", name)
        if not stat.S_ISREG(st.st_mode):
            kind = "a named pipe" if stat.S_ISFIFO(st.st_mode) else "a device or socket"
            raise OSError(errno.EINVAL, f"the output is {kind}, not a file; write to a file, then copy it", name)
        if not os.access(real, os.W_OK):
            raise PermissionError(errno.EACCES, "the output exists and is read-only", name)
    folder = os.path.dirname(real)
    try:
        if not stat.S_ISDIR(os.stat(folder).st_mode):
            raise NotADirectoryError(errno.ENOTDIR, "cannot write here: not a directory", folder)
    except FileNotFoundError:
        raise FileNotFoundError(
            errno.ENOENT, "the directory of the output does not exist; create it first", folder
        ) from None
    return real, st


def _stem(real: str) -> str:
    """First part of the temporary names of a target; cut so that the whole name stays below 255 bytes."""
    return "." + os.fsdecode(os.fsencode(os.path.basename(real))[:200]) + "."


def _sweep(real: str) -> None:
    """Remove temporary files of this target that dead processes left behind. Never an error."""
    folder, stem = os.path.dirname(real), _stem(real)
    pattern = re.compile(re.escape(stem) + r"(\d{1,10})\.[0-9a-f]{12}\.tmp", re.DOTALL)
    try:
        names = [n for n in os.listdir(folder) if n.startswith(stem) and pattern.fullmatch(n)]
    except OSError:
        return
    for name in names:
        match = pattern.fullmatch(name)
        pid = int(match[1])  # type: ignore[index]
        if pid == os.getpid() or _alive(pid):
            continue
        path = os.path.join(folder, name)
        try:
            fd = os.open(path, os.O_RDWR | getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_CLOEXEC", 0))
        except OSError:
            continue
        try:
            if fcntl is not None:  # the pid may belong to another machine or container: its lock says that it lives
                fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
            os.unlink(path)
        except OSError:
            pass
        finally:
            os.close(fd)


def _alive(pid: int) -> bool:
    if os.name == "nt":
        return True
    try:
        os.kill(pid, 0)
    except (ProcessLookupError, OverflowError):
        return False
    except OSError:
        return True
    return True


def _create(real: str, mode: int | None) -> tuple[int, str]:
    """An exclusive, locked temporary file beside `real`."""
    folder = os.path.dirname(real)
    flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | getattr(os, "O_CLOEXEC", 0) | getattr(os, "O_BINARY", 0)
    temp = os.path.join(folder, f"{_stem(real)}{os.getpid()}.{secrets.token_hex(6)}.tmp")
    try:
        fd = os.open(temp, flags, 0o666)
    except OSError as e:
        why = {
            errno.EACCES: "the directory is not writable",
            errno.EPERM: "the directory is not writable",
            errno.EROFS: "the file system is read-only",
            errno.ENOSPC: "the disk has no room for another file",
            errno.EDQUOT: "the disk quota is used up",
            errno.ENAMETOOLONG: "the file name is too long",
        }.get(e.errno or 0, e.strerror)
        raise type(e)(e.errno, f"cannot write here: {why}", folder) from None
    try:
        if fcntl is not None:
            with contextlib.suppress(OSError):  # a file system without locks
                fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
        if mode is not None and hasattr(os, "fchmod"):
            os.fchmod(fd, mode)
    except BaseException:
        os.close(fd)
        with contextlib.suppress(OSError):
            os.unlink(temp)
        raise
    return fd, temp


def _fsync_directory(folder: str) -> None:
    if os.name == "nt":
        return
    fd = os.open(folder, os.O_RDONLY | getattr(os, "O_CLOEXEC", 0))
    try:
        os.fsync(fd)
    except OSError as e:
        if e.errno not in (errno.EINVAL, errno.ENOTSUP, errno.ENOSYS):  # some file systems cannot flush directories
            raise
    finally:
        os.close(fd)


@contextlib.contextmanager
def _named(path: str | os.PathLike[str], kept: bool) -> Iterator[None]:
    """Errors of the system get the file's name, and say whether an old file is still there."""
    try:
        yield
    except OSError as e:
        if e.errno is None or (e.strerror or "").startswith("cannot write"):
            raise
        why = "the disk is full" if e.errno == errno.ENOSPC else e.strerror
        kept_text = "; the old file is unchanged" if kept else ""
        raise type(e)(e.errno, f"cannot write: {why}{kept_text}", os.fsdecode(path)) from e


@contextlib.contextmanager
def write(path: str | os.PathLike[str]) -> Iterator[IO[bytes]]:
    """Write a file that replaces `path` whole when the block ends well, and never otherwise.

    Parameters
    ----------
    path : path-like
        Absent, a regular file, or a symbolic link to one of these (the link stays, its target is replaced).

    Yields
    ------
    file object
        Binary, write only.

    Raises
    ------
    OSError
        With the reason: directory missing or not writable, target is a directory, device or pipe, disk full.
        The old file is then untouched and the temporary file removed.

    Notes
    -----
    The mode of an existing file is kept. Other hard links to it keep the old content, as with every rename.

    Examples
    --------
    >>> import tempfile, os
    >>> p = os.path.join(tempfile.mkdtemp(), "a")
    >>> with write(p) as f:
    ...     _ = f.write(b"whole")
    >>> open(p, "rb").read()
    b'whole'
    """
    real, st = _target(path)
    _sweep(real)
    with _named(path, kept=st is not None):
        fd, temp = _create(real, None if st is None else stat.S_IMODE(st.st_mode))
    renamed = False
    raw = _File(fd, path, st is not None)
    try:
        out = io.BufferedWriter(raw, _BUFFER)
        try:
            yield out
            out.flush()
            with _named(path, kept=st is not None):
                os.fsync(fd)
        finally:
            with _named(path, kept=st is not None):
                raw.close()
        with _named(path, kept=st is not None):
            os.replace(temp, real)
        renamed = True
        with _named(path, kept=False):
            _fsync_directory(os.path.dirname(real))
    finally:
        if not renamed:
            with contextlib.suppress(OSError):
                os.unlink(temp)


def check_writable(path: str | os.PathLike[str], need_bytes: int = 0) -> None:
    """Raise now what writing `need_bytes` to `path` would raise later.

    Parameters
    ----------
    path : path-like
    need_bytes : int
        Estimated size of the file. The old file stays until the new one is complete, so this much must be free.

    Raises
    ------
    OSError
        FileNotFoundError (directory missing), IsADirectoryError, NotADirectoryError, PermissionError, or OSError with
        ``errno`` ENOSPC (disk too small), EFBIG (file size limit), EINVAL (device, pipe).

    Examples
    --------
    >>> check_writable("/no/such/directory/model")
    Traceback (most recent call last):
    FileNotFoundError: [Errno 2] the directory of the output does not exist; create it first: '/no/such/directory'
    """
    real, _ = _target(path)
    with _named(path, kept=False):
        fd, temp = _create(real, None)  # access() does not know of quotas, read-only mounts and full inode tables
        try:
            os.close(fd)
        finally:
            os.unlink(temp)
    if need_bytes and hasattr(os, "statvfs"):
        disk = os.statvfs(os.path.dirname(real))
        free = disk.f_bavail * disk.f_frsize
        if free < need_bytes:
            raise OSError(
                errno.ENOSPC,
                f"the file needs {need_bytes:,} bytes and the disk has {free:,} free (an old file stays until the new "
                "one is complete)",
                os.fsdecode(path),
            )
    if need_bytes:
        try:
            import resource
        except ImportError:
            return
        limit = resource.getrlimit(resource.RLIMIT_FSIZE)[0]
        if limit != resource.RLIM_INFINITY and limit < need_bytes:
            raise OSError(
                errno.EFBIG, f"the file needs {need_bytes:,} bytes and ulimit -f allows {limit:,}", os.fsdecode(path)
            )
