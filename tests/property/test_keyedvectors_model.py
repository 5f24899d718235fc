"""Any sequence of changes to KeyedVectors against a plain dictionary that is changed alike."""

import copy
import os
import pickle
import tempfile

import numpy as np
import pytest

hypothesis = pytest.importorskip("hypothesis")
from hypothesis import settings  # noqa: E402
from hypothesis import strategies as st  # noqa: E402
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule  # noqa: E402

from fastemb import KeyedVectors, load  # noqa: E402

DIM = 3
KEYS = st.sampled_from([*"abcdefghij", "two words", "ď", ""])
NUMBERS = st.floats(-8, 8, width=32).filter(lambda x: x == 0 or abs(x) > 1e-3)
VECTORS = st.lists(NUMBERS, min_size=DIM, max_size=DIM)


class Changes(RuleBasedStateMachine):
    """Rules change both; invariants compare them."""

    @initialize(slots=st.integers(0, 3))
    def begin(self, slots):
        self.kv = KeyedVectors(DIM, slots)
        self.free = slots
        self.plain = {}  # key -> (vector, count)

    def complete(self):
        return self.free == 0

    @rule(key=KEYS, vector=VECTORS)
    def add_one(self, key, vector):
        new = key not in self.plain
        self.kv.add_vector(key, vector)
        if new:
            self.plain[key] = (vector, 0)
            self.free = max(0, self.free - 1)

    @rule(items=st.lists(st.tuples(KEYS, VECTORS, st.integers(0, 99)), max_size=5), replace=st.booleans())
    def add_many(self, items, replace):
        if not self.complete():
            return
        keys, counts = [k for k, _, _ in items], np.array([c for _, _, c in items], np.int64)
        vectors = np.array([v for _, v, _ in items]).reshape(len(items), DIM)
        self.kv.add_vectors(keys, vectors, extras={"count": counts}, replace=replace)
        for key, vector, count in items:
            if replace or key not in self.plain:
                self.plain[key] = (vector, count)

    @rule(key=KEYS, vector=VECTORS)
    def set_one(self, key, vector):
        if self.complete():
            self.kv[key] = np.array(vector)
            self.plain[key] = (vector, self.plain.get(key, (None, 0))[1])

    @rule(key=KEYS, count=st.integers(0, 99))
    def set_count(self, key, count):
        if key in self.plain:
            self.kv.set_vecattr(key, "count", count)
            self.plain[key] = (self.plain[key][0], count)

    @rule()
    def sort(self):
        if self.complete() and "count" in self.kv.expandos:
            self.kv.sort_by_descending_frequency()
            self.plain = dict(sorted(self.plain.items(), key=lambda item: -item[1][1]))

    @rule(keys=st.lists(KEYS))
    def select(self, keys):
        if self.complete():
            known = [k for k in dict.fromkeys(keys) if k in self.plain]
            if known:
                self.kv = self.kv.vectors_for_all(keys, copy_vecattrs=True)
                self.plain = {k: self.plain[k] for k in known}

    @rule(how=st.sampled_from(["copy", "pickle", "file", "mapped file"]))
    def copy(self, how):
        if how == "copy":
            self.kv = copy.deepcopy(self.kv)
        elif how == "pickle":
            self.kv = pickle.loads(pickle.dumps(self.kv))
        elif self.complete() and self.plain:
            with tempfile.TemporaryDirectory() as folder:
                self.kv.save(os.path.join(folder, "kv"))
                self.kv = load(os.path.join(folder, "kv"), mmap=how == "mapped file")

    @rule()
    def query(self):
        if self.plain:
            key = next(iter(self.plain))
            self.kv.most_similar(key)

    @invariant()
    def same(self):
        kv = getattr(self, "kv", None)
        if kv is None:
            return
        keys = [k for k in kv.index_to_key if k is not None]
        assert keys == list(self.plain) and len(kv) == len(kv.vectors) == len(keys) + self.free
        assert kv.key_to_index == {k: i for i, k in enumerate(keys)}
        for key, (vector, count) in self.plain.items():
            assert kv[key].tolist() == np.array(vector, np.float32).tolist()
            if "count" in kv.expandos:
                assert kv.get_vecattr(key, "count") == count
        if kv.norms is not None:
            np.testing.assert_allclose(kv.norms, np.linalg.norm(kv.vectors.astype(float), axis=1), rtol=1e-5, atol=1e-7)


Changes.TestCase.settings = settings(max_examples=60, stateful_step_count=20, deadline=None)
TestChanges = Changes.TestCase
