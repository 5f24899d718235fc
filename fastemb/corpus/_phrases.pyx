"""Bindings of csrc/fe_phrases: pairs counted in id arrays, phrases joined in id arrays and in lists of tokens.

Every long call drops the GIL. A Shard and a part of a Pairs belong to one thread at a time; a Matcher may be used by
many.
"""
from libc.stdint cimport int32_t, int64_t, uint8_t, uint32_t, uint64_t
from libc.string cimport memcpy, memset

import os

import numpy as np

from ._corpus import MAX_BLOCK

cdef extern from "fe_common.h" nogil:
    ctypedef enum fe_status:
        FE_OK, FE_NOMEM, FE_OVERFLOW, FE_BADINPUT

cdef extern from "fe_vocab.h" nogil:
    ctypedef struct fe_table:
        int64_t n
    void fe_table_seed(uint64_t, uint64_t)
    fe_status fe_table_init(fe_table *, int64_t, int)
    void fe_table_free(fe_table *)
    fe_status fe_table_add(fe_table *, const uint8_t *, uint32_t, int64_t, int64_t, int32_t *)

cdef extern from "fe_phrases.h" nogil:
    enum: FE_PHRASE_PARTS
    uint32_t FE_PHRASE_NODE
    uint32_t FE_PHRASE_NONE
    enum: FE_PHRASE_CONNECTOR, FE_PHRASE_STARTS, FE_PHRASE_ENDS
    ctypedef struct fe_map:
        int64_t n
    ctypedef struct fe_trie:
        fe_map map
        uint32_t *parent
        uint32_t *word
        int64_t n
    ctypedef struct fe_pair:
        uint64_t key
        int64_t count
    ctypedef struct fe_pairs:
        fe_pair *slots
        uint64_t size
        uint64_t n
    ctypedef struct fe_phrase_shard:
        int64_t n
        int64_t *start
    ctypedef struct fe_phrase_text:
        const int32_t *ids
        int64_t base
        int64_t lo
        int64_t hi
        const int64_t *offsets
        int64_t sentence
        const int32_t *map
        const uint8_t *flags
    ctypedef struct fe_score_job:
        int kind
        double min_count
        double len_vocab
        double corpus_word_count
    ctypedef struct fe_matcher:
        fe_map map
        const uint8_t *flags
        uint32_t nodes
        int32_t first_phrase
    void fe_phrase_seed(uint64_t)
    fe_status fe_map_init(fe_map *, int64_t)
    void fe_map_free(fe_map *)
    uint32_t fe_map_get(const fe_map *, uint64_t)
    fe_status fe_trie_init(fe_trie *)
    void fe_trie_free(fe_trie *)
    fe_status fe_trie_step(fe_trie *, uint32_t, uint32_t, uint32_t *)
    fe_status fe_phrase_shard_init(fe_phrase_shard *)
    void fe_phrase_shard_free(fe_phrase_shard *)
    fe_status fe_phrase_emit(fe_phrase_shard *, const fe_phrase_text *)
    fe_status fe_phrase_adopt(fe_trie *, fe_phrase_shard *)
    fe_status fe_phrase_expect(fe_pairs *, int64_t)
    fe_status fe_phrase_count(fe_pairs *, const fe_phrase_shard *, int)
    fe_status fe_phrase_add(fe_pairs *, const fe_trie *, uint64_t, int64_t)
    int64_t fe_phrase_find(const fe_pairs *, const fe_trie *, uint64_t)
    fe_status fe_phrase_prune(fe_pairs *, int64_t, int64_t *, int64_t *)
    void fe_pairs_free(fe_pairs *)
    uint32_t fe_phrase_first(const fe_trie *, uint32_t)
    double fe_phrase_score(const fe_score_job *, int64_t, int64_t, int64_t)
    fe_status fe_matcher_add(fe_matcher *, uint32_t, const int32_t *, int64_t, uint32_t, uint32_t)
    int64_t fe_matcher_join(const fe_matcher *, const int32_t *, int64_t, const int64_t *, int64_t, int32_t *,
                            uint32_t *, int64_t *)
    int64_t fe_matcher_text(const fe_matcher *, const fe_table *, const uint8_t *, const int64_t *, const uint8_t *,
                            int64_t, uint8_t *, int64_t *, int64_t *)
    int64_t fe_matcher_cut(const fe_matcher *, const int32_t *, int64_t, int64_t)

PARTS = FE_PHRASE_PARTS
NODE = FE_PHRASE_NODE
CONNECTOR, STARTS, ENDS = FE_PHRASE_CONNECTOR, FE_PHRASE_STARTS, FE_PHRASE_ENDS
SCORES = {"default": 0, "npmi": 1, "pmi": 2}

fe_phrase_seed(int.from_bytes(os.urandom(8), "little"))
fe_table_seed(int.from_bytes(os.urandom(8), "little"), int.from_bytes(os.urandom(8), "little"))


cdef int raise_status(fe_status status) except -1:
    if status == FE_NOMEM:
        raise MemoryError("the table of word pairs does not fit in memory; give max_vocab_size, or less text")
    if status == FE_OVERFLOW:
        raise OverflowError("more than 2**31 different beginnings of phrases with connector words")
    return 0


cdef class Shard:
    """The pairs of one stretch of text; made once, filled many times."""
    cdef fe_phrase_shard s

    def __cinit__(self):
        raise_status(fe_phrase_shard_init(&self.s))

    def __dealloc__(self):
        fe_phrase_shard_free(&self.s)

    def __len__(self):
        return self.s.n

    def emit(self, const int32_t[::1] ids, int64_t base, int64_t lo, int64_t hi, const int64_t[::1] offsets,
             int64_t sentence, const int32_t[::1] map=None, const uint8_t[::1] flags=None):
        """Finds the pairs that end in tokens lo..hi, of which ids[0] is token `base`.

        False when `base` is too late: the beginning of the first pair lies before it. The ids must lie inside `map`,
        what it gives (or they, without one) inside `flags`.
        """
        cdef int64_t n_sentences = offsets.shape[0] - 1
        if not (0 <= base <= lo < hi <= base + ids.shape[0] and 0 <= sentence < n_sentences
                and offsets[sentence] <= lo < offsets[sentence + 1] and hi <= offsets[n_sentences]):
            raise IndexError("a stretch of text outside the corpus")
        cdef fe_phrase_text t
        t.ids, t.base, t.lo, t.hi = &ids[0], base, lo, hi
        t.offsets, t.sentence = &offsets[0], sentence
        t.map = &map[0] if map is not None and map.shape[0] else NULL
        t.flags = &flags[0] if flags is not None and flags.shape[0] else NULL
        cdef fe_status status
        with nogil:
            status = fe_phrase_emit(&self.s, &t)
        raise_status(status)
        return status != FE_BADINPUT


cdef class Pairs:
    """All pairs and their counts. A pair's key is left << 32 | right; a left from NODE on is a node of the trie."""
    cdef fe_trie trie
    cdef fe_pairs[256] parts

    def __cinit__(self):
        memset(self.parts, 0, sizeof(self.parts))
        raise_status(fe_trie_init(&self.trie))

    def __dealloc__(self):
        cdef int p
        for p in range(FE_PHRASE_PARTS):
            fe_pairs_free(&self.parts[p])
        fe_trie_free(&self.trie)

    def __len__(self):
        cdef uint64_t n = 0
        cdef int p
        for p in range(FE_PHRASE_PARTS):
            n += self.parts[p].n
        return n

    @property
    def nbytes(self):
        """Bytes of the tables."""
        cdef uint64_t n = 0
        cdef int p
        for p in range(FE_PHRASE_PARTS):
            n += self.parts[p].size
        return 16 * n + 40 * self.trie.n

    def adopt(self, Shard shard not None):
        """Numbers the shard's new nodes. Before `count`, in the order of the shards."""
        cdef fe_status status
        with nogil:
            status = fe_phrase_adopt(&self.trie, &shard.s)
        raise_status(status)

    def count(self, int lo, int hi, list shards not None):
        """Adds the shards' pairs of the parts lo..hi."""
        if not 0 <= lo <= hi <= FE_PHRASE_PARTS:
            raise IndexError("part")
        cdef Shard shard
        cdef int p
        cdef int64_t expected
        cdef fe_status status = FE_OK
        for p in range(lo, hi):
            expected = 0
            for s in shards:
                shard = s
                expected += shard.s.start[p + 1] - shard.s.start[p]
            raise_status(fe_phrase_expect(&self.parts[p], expected))
        for s in shards:
            shard = s
            with nogil:
                for p in range(lo, hi):
                    status = fe_phrase_count(&self.parts[p], &shard.s, p)
                    if status != FE_OK:
                        break
            raise_status(status)

    def prune(self, int64_t limit):
        """Drops pairs of at most `limit` occurrences; returns (pairs dropped, occurrences lost)."""
        cdef int64_t dropped = 0, lost = 0
        cdef int p
        cdef fe_status status
        for p in range(FE_PHRASE_PARTS):
            with nogil:
                status = fe_phrase_prune(&self.parts[p], limit, &dropped, &lost)
            raise_status(status)
        return dropped, lost

    def nodes(self):
        """The trie: (parents, words), uint32 by node."""
        parent, word = np.empty(self.trie.n, np.uint32), np.empty(self.trie.n, np.uint32)
        cdef uint32_t[::1] p = parent, w = word
        if self.trie.n:
            memcpy(&p[0], self.trie.parent, self.trie.n * 4)
            memcpy(&w[0], self.trie.word, self.trie.n * 4)
        return parent, word

    def step(self, uint32_t left, uint32_t word):
        """The node after a left and a connector word, made if it is new."""
        cdef uint32_t node = 0
        raise_status(fe_trie_step(&self.trie, left, word, &node))
        return node

    def find_node(self, uint32_t left, uint32_t word):
        """That node, or None."""
        cdef uint32_t node = fe_map_get(&self.trie.map, (<uint64_t>left << 32) | word)
        return None if node == FE_PHRASE_NONE else node

    def entries(self, int64_t least=1):
        """(keys uint64, counts int64) of the pairs that occur `least` times or more, in no particular order."""
        cdef int64_t n = 0, i
        cdef int p
        cdef uint64_t j
        cdef fe_pair *s
        least = max(least, 1)
        with nogil:
            for p in range(FE_PHRASE_PARTS):
                for j in range(self.parts[p].size):
                    n += self.parts[p].slots[j].count >= least
        keys, counts = np.empty(n, np.uint64), np.empty(n, np.int64)
        cdef uint64_t[::1] k = keys
        cdef int64_t[::1] c = counts
        i = 0
        with nogil:
            for p in range(FE_PHRASE_PARTS):
                for j in range(self.parts[p].size):
                    s = &self.parts[p].slots[j]
                    if s.count >= least:
                        k[i] = s.key
                        c[i] = s.count
                        i += 1
        return keys, counts

    def add(self, const uint64_t[::1] keys, const int64_t[::1] counts):
        """Adds counts (above 0) of pairs whose nodes are in the trie."""
        cdef int64_t i, n = keys.shape[0]
        cdef fe_status status = FE_OK
        cdef uint32_t left
        if counts.shape[0] != n:
            raise ValueError("keys and counts differ in number")
        with nogil:
            for i in range(n):
                left = <uint32_t>(keys[i] >> 32)
                if counts[i] < 1 or (left >= FE_PHRASE_NODE and left - FE_PHRASE_NODE >= self.trie.n):
                    status = FE_BADINPUT
                    break
                status = fe_phrase_add(self.parts, &self.trie, keys[i], counts[i])
                if status != FE_OK:
                    break
        if status == FE_BADINPUT:
            raise ValueError("a count below 1, or a node outside the trie")
        raise_status(status)

    def find(self, const uint64_t[::1] keys):
        """int64 counts of pairs by key, 0 for those that are not here."""
        out = np.zeros(keys.shape[0], np.int64)
        cdef int64_t[::1] view = out
        cdef int64_t i
        cdef uint32_t left
        with nogil:
            for i in range(keys.shape[0]):
                left = <uint32_t>(keys[i] >> 32)
                if left < FE_PHRASE_NODE or left - FE_PHRASE_NODE < self.trie.n:
                    view[i] = fe_phrase_find(self.parts, &self.trie, keys[i])
        return out

    def find_one(self, uint64_t key):
        """The count of one pair."""
        cdef uint32_t left = <uint32_t>(key >> 32)
        if left >= FE_PHRASE_NODE and left - FE_PHRASE_NODE >= self.trie.n:
            return 0
        return fe_phrase_find(self.parts, &self.trie, key)

    def firsts(self, const uint64_t[::1] keys):
        """uint32: the word that each pair begins with."""
        out = np.empty(keys.shape[0], np.uint32)
        cdef uint32_t[::1] view = out
        cdef int64_t i
        cdef uint32_t left
        for i in range(keys.shape[0]):
            left = <uint32_t>(keys[i] >> 32)
            if left >= FE_PHRASE_NODE and left - FE_PHRASE_NODE >= self.trie.n:
                raise IndexError("node outside the trie")
            view[i] = fe_phrase_first(&self.trie, left)
        return out

    def spell(self, const uint64_t[::1] keys, const uint8_t[::1] blob, const int64_t[::1] offsets,
              bytes delimiter not None):
        """The pairs' words joined by the delimiter: (bytes uint8, offsets int64 (n + 1,)).

        blob, offsets: all words by id, which the keys must lie inside.
        """
        cdef int64_t n = keys.shape[0], i, at, d = len(delimiter), words = offsets.shape[0] - 1, size = 0
        cdef const uint8_t *glue = delimiter
        cdef uint32_t left, word
        cdef bint good = True
        ends = np.zeros(n + 1, np.int64)
        cdef int64_t[::1] e = ends
        with nogil:
            for i in range(n):
                word = <uint32_t>keys[i]
                left = <uint32_t>(keys[i] >> 32)
                while True:
                    if word >= words:
                        good = False
                        break
                    size += offsets[word + 1] - offsets[word]
                    if left == FE_PHRASE_NONE:
                        break
                    size += d
                    if left >= FE_PHRASE_NODE:
                        if left - FE_PHRASE_NODE >= self.trie.n:
                            good = False
                            break
                        word = self.trie.word[left - FE_PHRASE_NODE]
                        left = self.trie.parent[left - FE_PHRASE_NODE]
                    else:
                        word = left
                        left = FE_PHRASE_NONE
                if not good:
                    break
                e[i + 1] = size
        if not good:
            raise IndexError("a pair of words that are not here")
        out = np.empty(size, np.uint8)
        if not size:
            return out, ends
        cdef uint8_t[::1] o = out
        cdef uint8_t none = 0
        cdef const uint8_t *base = &blob[0] if blob.shape[0] else &none
        with nogil:
            for i in range(n):
                word = <uint32_t>keys[i]
                left = <uint32_t>(keys[i] >> 32)
                at = e[i + 1]
                while True:
                    at -= offsets[word + 1] - offsets[word]
                    memcpy(&o[0] + at, base + offsets[word], offsets[word + 1] - offsets[word])
                    if left == FE_PHRASE_NONE:
                        break
                    at -= d
                    memcpy(&o[0] + at, glue, d)
                    if left >= FE_PHRASE_NODE:
                        word = self.trie.word[left - FE_PHRASE_NODE]
                        left = self.trie.parent[left - FE_PHRASE_NODE]
                    else:
                        word = left
                        left = FE_PHRASE_NONE
        return out, ends


def scores(str kind not None, double min_count, double len_vocab, double corpus_word_count, const int64_t[::1] a,
           const int64_t[::1] b, const int64_t[::1] ab):
    """float64 scores of pairs that occur ab times, of words that occur a and b times; -inf where there is none."""
    cdef fe_score_job job
    cdef int64_t i, n = ab.shape[0]
    if a.shape[0] != n or b.shape[0] != n:
        raise ValueError("counts differ in number")
    job.kind, job.min_count, job.len_vocab, job.corpus_word_count = SCORES[kind], min_count, len_vocab, corpus_word_count
    out = np.empty(n, np.float64)
    cdef double[::1] view = out
    with nogil:
        for i in range(n):
            view[i] = fe_phrase_score(&job, a[i], b[i], ab[i])
    return out


cdef class Matcher:
    """Rules that join words: for id arrays (`join`) and, where the words are given, for lists of tokens (`tokens`)."""
    cdef fe_matcher m
    cdef object _flags  # keeps the array alive
    cdef readonly int64_t words
    cdef readonly int64_t phrases

    def __cinit__(self, flags, int64_t expected=0):
        """flags: uint8 by word, CONNECTOR set where it is one; the others are set here."""
        memset(&self.m, 0, sizeof(self.m))
        cdef uint8_t[::1] view = np.array(flags, np.uint8) if len(flags) else np.zeros(1, np.uint8)
        if len(flags) >= 2**31 - 1:
            raise OverflowError("more than 2**31 - 2 words")
        self._flags = view
        self.words = len(flags)
        self.m.flags = &view[0]
        self.m.first_phrase = <int32_t>self.words
        raise_status(fe_map_init(&self.m.map, expected))

    def __dealloc__(self):
        fe_map_free(&self.m.map)

    def add(self, const int32_t[::1] starts, const int32_t[::1] gaps, const int64_t[::1] gap_offsets,
            const int32_t[::1] ends, const int32_t[::1] phrases):
        """Rules: start, gaps[gap_offsets[i]:gap_offsets[i + 1]], end -> phrase."""
        cdef uint8_t[::1] flags = self._flags
        cdef int64_t i, j, n = starts.shape[0]
        cdef int32_t none = 0
        cdef const int32_t *g = &gaps[0] if gaps.shape[0] else &none
        cdef fe_status status
        if not (ends.shape[0] == phrases.shape[0] == n and gap_offsets.shape[0] == n + 1):
            raise ValueError("rules differ in number")
        for i in range(n):
            if not (0 <= starts[i] < self.words and 0 <= ends[i] < self.words
                    and 0 <= phrases[i] < 2**31 - 1 - self.words
                    and 0 <= gap_offsets[i] <= gap_offsets[i + 1] <= gaps.shape[0]):
                raise IndexError("a rule of words that are not here")
            for j in range(gap_offsets[i], gap_offsets[i + 1]):
                if not (0 <= gaps[j] < self.words and flags[gaps[j]] & FE_PHRASE_CONNECTOR):
                    raise ValueError("a gap holds what is no connector word")
            if (flags[starts[i]] | flags[ends[i]]) & FE_PHRASE_CONNECTOR:
                raise ValueError("a phrase neither begins nor ends with a connector word")
            status = fe_matcher_add(&self.m, <uint32_t>starts[i], g + gap_offsets[i],
                                    gap_offsets[i + 1] - gap_offsets[i], <uint32_t>ends[i], <uint32_t>phrases[i])
            raise_status(status)
            if status == FE_BADINPUT:
                raise ValueError("the same words with two phrases")
            flags[starts[i]] |= FE_PHRASE_STARTS
            flags[ends[i]] |= FE_PHRASE_ENDS
            self.phrases = max(self.phrases, <int64_t>phrases[i] + 1)

    def join(self, const int32_t[::1] ids, const int64_t[::1] ends, int64_t[::1] counts=None):
        """(ids int32, ends uint32) with phrases joined: phrase p is id words + p.

        ends: tokens before the end of each sentence, ascending; the tokens behind the last belong to one that goes on.
        counts (words + phrases,): what is written is added up there. Ids must lie below `words`.
        """
        cdef int64_t n = ids.shape[0], n_ends = ends.shape[0], k
        if n >= MAX_BLOCK or (n_ends and (ends[n_ends - 1] > n or ends[0] < 0)):
            raise ValueError("sentence ends outside the ids")
        if counts is not None and counts.shape[0] < self.words + self.phrases:
            raise ValueError("too few counters")
        out, out_ends = np.empty(n, np.int32), np.empty(n_ends, np.uint32)
        if not n:
            out_ends[:] = 0
            return out, out_ends
        cdef int32_t[::1] o = out
        cdef uint32_t[::1] oe = out_ends
        cdef int64_t none = 0
        with nogil:
            k = fe_matcher_join(&self.m, &ids[0], n, &ends[0] if n_ends else &none, n_ends, &o[0],
                                &oe[0] if n_ends else NULL, &counts[0] if counts is not None else NULL)
        return out[:k], out_ends

    def cut(self, const int32_t[::1] ids, int64_t lo, int64_t hi):
        """The first token in lo..hi before which a sentence may be cut without changing what is joined, or hi."""
        if not 0 <= lo <= hi <= ids.shape[0]:
            raise IndexError("range outside the ids")
        return fe_matcher_cut(&self.m, &ids[0], lo, hi) if lo < hi else hi

    def tokens(self, sentence, dict ids not None, list phrases not None):
        """A sentence, any iterable of tokens, as a list with phrases joined. ids: word -> id here; phrases: str."""
        cdef list out = []
        cdef uint32_t left = FE_PHRASE_NONE, phrase
        cdef int64_t at = 0, w
        cdef uint8_t f
        cdef const uint8_t *flags = self.m.flags
        for token in sentence:
            known = ids.get(token)
            if known is None:
                left = FE_PHRASE_NONE
                out.append(token)
                continue
            w = known
            f = flags[w]
            if f & FE_PHRASE_CONNECTOR:
                if left != FE_PHRASE_NONE:
                    left = fe_map_get(&self.m.map, (<uint64_t>left << 32) | <uint32_t>w)
                out.append(token)
                continue
            if f & FE_PHRASE_ENDS and left != FE_PHRASE_NONE:
                phrase = fe_map_get(&self.m.map, (<uint64_t>left << 32) | <uint32_t>w)
                if phrase != FE_PHRASE_NONE:
                    out[at] = phrases[phrase]
                    del out[at + 1:]
                    left = FE_PHRASE_NONE
                    continue
            at = len(out)
            out.append(token)
            left = <uint32_t>w if f & FE_PHRASE_STARTS else FE_PHRASE_NONE
        return out


cdef class TextMatcher:
    """Joins phrases in the bytes of lines."""
    cdef Matcher matcher
    cdef fe_table words
    cdef const uint8_t[::1] spelled
    cdef const int64_t[::1] spelled_at
    cdef int64_t growth

    def __cinit__(self, Matcher matcher not None, list words not None, list phrases not None, int64_t growth):
        """words, phrases: bytes, by the ids of the matcher; growth: the bytes by which the delimiter exceeds one."""
        if len(words) != matcher.words or len(phrases) < matcher.phrases or growth < 0:
            raise ValueError("words or phrases do not fit the matcher")
        raise_status(fe_table_init(&self.words, len(words), 0))
        cdef int32_t id = 0
        cdef bytes word
        cdef const uint8_t *p
        for item in words:
            word = item
            p = word
            if len(word) >= 2**31:
                raise ValueError("a word of 2 GiB or more")
            raise_status(fe_table_add(&self.words, p, <uint32_t>len(word), 1, 0, &id))
        if self.words.n != len(words):
            raise ValueError("a word is given twice")
        self.matcher = matcher
        self.growth = growth
        self.spelled = np.frombuffer(b"".join(phrases) + b"\0", np.uint8)
        self.spelled_at = np.concatenate([[0], np.cumsum([len(x) for x in phrases])]).astype(np.int64)

    def __dealloc__(self):
        fe_table_free(&self.words)

    def text(self, const uint8_t[::1] text):
        """(bytes, tokens read, phrases joined) of whole lines."""
        cdef int64_t n = text.shape[0], k, tokens = 0, joined = 0
        if not n:
            return b"", 0, 0
        out = np.empty(n + self.growth * (n // 2 + 1) + 1, np.uint8)
        cdef uint8_t[::1] o = out
        with nogil:
            k = fe_matcher_text(&self.matcher.m, &self.words, &self.spelled[0], &self.spelled_at[0], &text[0], n,
                                &o[0], &tokens, &joined)
        return out[:k], tokens, joined
