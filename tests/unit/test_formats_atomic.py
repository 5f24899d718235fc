"""Atomic writes: whatever call fails, and wherever the process dies, the old or the new file is there, whole."""

import errno
import os
import signal
import stat
import sys

import numpy as np
import pytest

from fastemb.formats import atomic, native, word2vec

CALLS = ("open", "write", "fsync", "close", "replace", "fchmod")
posix = pytest.mark.skipif(os.name == "nt", reason="POSIX file systems")


class Failing:
    """The os module, whose n-th call that touches the disk fails (or kills)."""

    def __init__(self, n, action):
        self.n, self.action, self.seen = n, action, []

    def __getattr__(self, name):
        real = getattr(os, name)
        if name not in CALLS:
            return real

        def call(*args, **kwargs):
            self.seen.append(name)
            if len(self.seen) == self.n:
                return self.action(name, real, args, kwargs)
            return real(*args, **kwargs)

        return call


def save(path, value):
    vectors = np.full((300, 1000), value, np.float32)  # 1.2 MB: several writes
    native.write(path, {"vectors": vectors, "vocab_ints": np.arange(300)}, {})


def loaded(path):
    return native.read(path)[0]["vectors"][0, 0]


def fail_with(number):
    def action(name, real, args, kwargs):
        if name == "close":  # the descriptor is gone all the same
            real(*args, **kwargs)
        raise OSError(number, os.strerror(number))

    return action


@pytest.mark.parametrize("number", [errno.ENOSPC, errno.EIO, errno.EDQUOT])
def test_every_failing_call_keeps_the_old_file(tmp_path, monkeypatch, number):
    path = tmp_path / "model"
    save(path, 1)
    for n in range(1, 100):
        failing = Failing(n, fail_with(number))
        with monkeypatch.context() as m:
            m.setattr(atomic, "os", failing)
            try:
                save(path, 2)
            except OSError as e:
                assert e.errno == number and str(path.parent) in str(e)
            else:
                break
        assert os.listdir(tmp_path) == ["model"], failing.seen
        # after the rename the new file is there; only its durability is in doubt, which is why it raised
        assert loaded(path) == (2 if "replace" in failing.seen[:-1] else 1)
        save(path, 1)
    assert n > 8 and loaded(path) == 2
    assert (
        failing.seen.index("fsync")
        < failing.seen.index("replace")
        < len(failing.seen) - failing.seen[::-1].index("fsync")
    )


@posix
def test_every_kill_point_leaves_old_or_new(tmp_path):
    path = tmp_path / "model"
    save(path, 1)
    outcomes = []
    for n in range(1, 100):
        pid = os.fork()
        if pid == 0:
            try:
                atomic.os = Failing(n, lambda *a: os.kill(os.getpid(), signal.SIGKILL))
                save(path, 2)
            finally:
                os._exit(0)
        status = os.waitpid(pid, 0)[1]
        outcomes.append(loaded(path))
        if os.WIFEXITED(status):
            break
        save(path, 1)  # also sweeps what the dead process left
        assert os.listdir(tmp_path) == ["model"]
    assert n > 8 and outcomes[-1] == 2 and 1 in outcomes and set(outcomes) <= {1, 2}


def test_short_writes_are_continued(tmp_path, monkeypatch):
    class Short(Failing):
        def __getattr__(self, name):
            if name == "write":
                return lambda fd, data: os.write(fd, data[: max(1, len(data) // 3)])
            return getattr(os, name)

    monkeypatch.setattr(atomic, "os", Short(0, None))
    save(tmp_path / "model", 3)
    assert loaded(tmp_path / "model") == 3


def test_a_write_of_nothing_is_an_error_not_a_loop(tmp_path, monkeypatch):
    class Stuck(Failing):
        def __getattr__(self, name):
            return (lambda fd, data: 0) if name == "write" else getattr(os, name)

    monkeypatch.setattr(atomic, "os", Stuck(0, None))
    with pytest.raises(OSError, match="wrote nothing"):
        save(tmp_path / "model", 3)
    assert os.listdir(tmp_path) == []


@pytest.mark.parametrize("error", [KeyboardInterrupt, ValueError, SystemExit])
def test_an_exception_in_the_block_leaves_no_trace(tmp_path, error):
    (tmp_path / "a").write_bytes(b"old")
    with pytest.raises(error), atomic.write(tmp_path / "a") as f:
        f.write(b"new" * 1_000_000)
        raise error
    assert os.listdir(tmp_path) == ["a"] and (tmp_path / "a").read_bytes() == b"old"


@posix
def test_mode_and_link_stay(tmp_path):
    target, link = tmp_path / "d" / "target", tmp_path / "link"
    target.parent.mkdir()
    target.write_bytes(b"old")
    target.chmod(0o640)
    link.symlink_to(target)
    with atomic.write(link) as f:
        f.write(b"new")
    assert link.is_symlink() and target.read_bytes() == b"new" and stat.S_IMODE(target.stat().st_mode) == 0o640
    assert os.listdir(target.parent) == ["target"]
    old = os.umask(0o027)
    try:
        with atomic.write(tmp_path / "fresh") as f:
            f.write(b"x")
    finally:
        os.umask(old)
    assert stat.S_IMODE((tmp_path / "fresh").stat().st_mode) == 0o640


@posix
def test_never_over_what_is_no_file(tmp_path):
    os.mkfifo(tmp_path / "fifo")
    (tmp_path / "dir").mkdir()
    (tmp_path / "file").write_bytes(b"")
    cases = {
        "fifo": OSError, "dir": IsADirectoryError, "dir/": IsADirectoryError, "file/x": NotADirectoryError,
        "no/such/x": FileNotFoundError, "x" * 300: OSError, "": FileNotFoundError,
    }  # fmt: skip
    for name, error in cases.items():
        path = str(tmp_path) + "/" + name if name else ""
        for act in (lambda p: atomic.check_writable(p), lambda p: atomic.write(p).__enter__()):
            with pytest.raises(error):
                act(path)
    with pytest.raises(OSError, match="device"):
        atomic.check_writable("/dev/null")
    with pytest.raises(IsADirectoryError):
        atomic.check_writable(tmp_path)
    assert stat.S_ISFIFO((tmp_path / "fifo").stat().st_mode) and sorted(os.listdir(tmp_path)) == ["dir", "fifo", "file"]


@posix
@pytest.mark.skipif(hasattr(os, "geteuid") and os.geteuid() == 0, reason="root may write anywhere")
def test_not_writable(tmp_path):
    tmp_path.chmod(0o555)
    with pytest.raises(PermissionError, match="not writable"):
        atomic.check_writable(tmp_path / "x")
    tmp_path.chmod(0o755)


@posix
def test_disk_too_small(tmp_path):
    with pytest.raises(OSError, match="free") as e:
        atomic.check_writable(tmp_path / "x", 2**62)
    assert e.value.errno == errno.ENOSPC
    atomic.check_writable(tmp_path / "x", 1000)
    assert os.listdir(tmp_path) == []


@pytest.mark.skipif(sys.platform != "linux", reason="needs RLIMIT_FSIZE")
def test_file_size_limit(tmp_path):
    import resource

    path = tmp_path / "model"
    save(path, 1)
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (65536, before[1]))
    try:
        with pytest.raises(OSError):
            save(path, 2)
        with pytest.raises(OSError), atomic.write(path) as f:
            f.write(bytes(1 << 20))
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
    assert loaded(path) == 1 and os.listdir(tmp_path) == ["model"]


@posix
def test_stale_files_are_swept_and_live_ones_are_not(tmp_path):
    dead = os.fork()
    if dead == 0:
        os._exit(0)
    os.waitpid(dead, 0)
    names = {
        f".model.{dead}.0123456789ab.tmp": False,  # of a dead process
        f".model.{os.getppid()}.0123456789ab.tmp": True,  # of a live one
        f".other.{dead}.0123456789ab.tmp": True,  # of another target
        f".model.{dead}.tmp": True,  # not ours
    }
    for name in names:
        (tmp_path / name).write_bytes(b"")
    locked = f".model.{dead}.ba9876543210.tmp"  # pid of another machine, whose lock says that it lives
    with open(tmp_path / locked, "wb") as f:
        import fcntl

        fcntl.flock(f, fcntl.LOCK_EX)
        with atomic.write(tmp_path / "model") as out:
            out.write(b"x")
        assert (tmp_path / locked).exists()
    assert {n: (tmp_path / n).exists() for n in names} == names


def test_two_writers_of_one_path(tmp_path):
    with atomic.write(tmp_path / "a") as one, atomic.write(tmp_path / "a") as two:
        one.write(b"1" * 10)
        two.write(b"2" * 10)
    assert (tmp_path / "a").read_bytes() == b"1" * 10 and os.listdir(tmp_path) == ["a"]  # the last rename wins


@posix
def test_odd_names(tmp_path):
    for name in (b"a\xff", b"new\nline", "é\u2028".encode(), b"n" * 255, b"-"):
        path = os.path.join(os.fsencode(tmp_path), name)
        word2vec.write(path, ["a"], [[1.0]])
        assert list(word2vec.read(path)[0]) == ["a"]


def test_saving_onto_the_mapped_file(tmp_path):
    path = tmp_path / "model"
    save(path, 1)
    tensors, meta = native.read(path, mmap=True)
    native.write(path, tensors, meta)
    save(path, 2)
    assert tensors["vectors"][299, 999] == 1 and loaded(path) == 2
