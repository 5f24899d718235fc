/* The counting table: bytes of a word -> provisional id and count, growing without limit.

   Open addressing with linear probing over slots of 32 bytes, so that a token touches one cache line (its slot),
   counted there. Words of up to 16 bytes are their own key; a longer word's slot holds its 64-bit hash and where its
   bytes lie in the arena. The home of a hash is its *high* bits: tables of any size then keep the same order, which
   makes growing and merging a walk through both in memory order.

   A batch of tokens is hashed and its slots prefetched before the first of them is looked up: a miss costs 3-20 ns
   overlapped, 90-270 waited for.

   Integer keys (id corpora) are words of 8 bytes. No locks: one table a worker, merged at the end. */
#ifndef FE_VOCAB_H
#define FE_VOCAB_H

#include "fe_common.h"
#include "fe_tokens.h"

typedef struct fe_slot {
    uint64_t k0, k1; /* len <= 16: the bytes, zero-padded; else k0 the hash, k1 the offset in the arena */
    int64_t count;
    uint32_t len;
    int32_t id1; /* provisional id + 1; 0: the slot is free */
} fe_slot;

typedef struct fe_table {
    fe_slot *slots;
    int shift;        /* 64 - log2(number of slots) */
    int64_t n;        /* words */
    int64_t room;     /* words that fit before it must grow */
    uint8_t *arena;   /* bytes of the words longer than 16, followed by FE_TEXT_SLACK */
    uint64_t arena_used, arena_size;
    int64_t *first;   /* (n) position at which each word was first met, or NULL when not asked for */
    int64_t first_size;
} fe_table;

/* Secret of the hash, once per process before the first table: hostile text cannot aim at one chain. Results never
   depend on it. */
void fe_table_seed(uint64_t a, uint64_t b);

fe_status fe_table_init(fe_table *t, int64_t expected, int track_first);
void fe_table_free(fe_table *t);
fe_status fe_table_reserve(fe_table *t, int64_t words);

/* Tokenises text[begin, end), counts every token and writes its provisional id to ids (room for (end - begin + 1) / 2).
   scanner->ends has room for as many + 1. position: of the first token, for `first`. Text must be followed by
   FE_TEXT_SLACK readable bytes; end - begin < 2^31. FE_NOMEM, FE_OVERFLOW (2^31 - 1 words). */
fe_status fe_table_text(fe_table *t, fe_scan_fn scan, fe_scanner *scanner, const uint8_t *text, int64_t begin,
                        int64_t end, int64_t position, int32_t *ids);
/* The same for n tokens that lie end to end in bytes. */
fe_status fe_table_tokens(fe_table *t, const uint8_t *bytes, const uint32_t *lengths, int64_t n, int64_t position,
                          int32_t *ids);
fe_status fe_table_ints(fe_table *t, const int64_t *keys, int64_t n, int64_t position, int32_t *ids);

/* id of a word or -1 */
int64_t fe_table_find(const fe_table *t, const uint8_t *word, uint32_t len);
void fe_table_find_many(const fe_table *t, const uint8_t *bytes, const uint32_t *lengths, int64_t n, int32_t *ids);
void fe_table_find_ints(const fe_table *t, const int64_t *keys, int64_t n, int32_t *ids);
/* Adds a word n times; its id in *id. */
fe_status fe_table_add(fe_table *t, const uint8_t *word, uint32_t len, int64_t count, int64_t position, int32_t *id);

/* Adds the words and counts of `from` to `into`; map[id in from] = id in into. */
fe_status fe_table_merge(fe_table *into, const fe_table *from, int32_t *map);

/* By id, (n) each; any may be NULL. invalid: 1 for words that are not well-formed UTF-8; hashes: of the bytes, the same
   for every table of the process. */
void fe_table_columns(const fe_table *t, int64_t *counts, uint32_t *lengths, uint8_t *invalid, uint64_t *hashes);
uint64_t fe_hash(const uint8_t *word, uint32_t len);

/* Sorts ids[0, n) by count (highest first), then by bytes, or by value where keys are integers. */
fe_status fe_table_sort(const fe_table *t, int32_t *ids, int64_t n, int ints);
/* Bytes of the words ids[0, n) end to end; offsets (n + 1) given. */
fe_status fe_table_export(const fe_table *t, const int32_t *ids, int64_t n, const int64_t *offsets, uint8_t *blob);

/* ids[0, n) in place through map, dropping those that become negative; ends become counts of kept tokens. Returns the
   number kept. */
int64_t fe_remap(int32_t *ids, int64_t n, const int32_t *map, uint32_t *ends, int64_t n_ends);
/* 1 when every id is in [0, limit) */
int fe_ids_in_range(const int32_t *ids, int64_t n, int32_t limit);

#endif
