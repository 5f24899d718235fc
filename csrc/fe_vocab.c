#include "fe_vocab.h"

#include <stdlib.h>
#include <string.h>

#ifdef _MSC_VER
#include <intrin.h>
#endif
#if defined(__unix__) || defined(__APPLE__)
#include <sys/mman.h>
#if defined(MAP_ANONYMOUS)
#define HAVE_MMAP 1
#endif
#endif

enum { SHORT = 16, BATCH = 256, PIECE = 2048 };

static uint64_t seed_a = 0x2d358dccaa6c78a5ULL, seed_b = 0x8bb84b93962eacc9ULL;

void fe_table_seed(uint64_t a, uint64_t b) {
    seed_a = a;
    seed_b = b | 1;
}

/* ---- keys and hashes ---- */

FE_INLINE uint64_t fold_multiply(uint64_t a, uint64_t b) {
#ifdef _MSC_VER
    uint64_t high, low = _umul128(a, b, &high);
    return low ^ high;
#else
    __uint128_t r = (__uint128_t)a * b;
    return (uint64_t)r ^ (uint64_t)(r >> 64);
#endif
}

FE_INLINE uint64_t load64(const uint8_t *p) {
    uint64_t v;
    memcpy(&v, p, 8);
    return v;
}

typedef struct key {
    uint64_t k0, k1; /* as in fe_slot; k1 of a long word is not known before it is found */
    uint64_t hash;
    const uint8_t *word;
    uint32_t len;
} key;

FE_INLINE uint64_t hash_short(uint64_t k0, uint64_t k1, uint32_t len) {
    return fold_multiply(k0 ^ seed_a, k1 ^ (seed_b + 2 * (uint64_t)len));
}

static FE_NOINLINE uint64_t hash_long(const uint8_t *p, uint32_t len) {
    uint64_t h = seed_a ^ len;
    uint32_t i = 0;
    for (; i + 16 < len; i += 16)
        h = fold_multiply(load64(p + i) ^ seed_b ^ h, load64(p + i + 8) ^ seed_a);
    p += len - 16; /* the last 16 bytes, which may overlap the ones before */
    h = fold_multiply(load64(p) ^ seed_b ^ h, load64(p + 8) ^ seed_a);
    return fold_multiply(h ^ seed_a, seed_b);
}

/* The first n bytes of two 8-byte words, in memory order: MASKS[16 - n .. 32 - n) */
static const uint8_t MASKS[32] = {255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255};

/* reads 16 bytes from p */
FE_INLINE void make_key(key *k, const uint8_t *p, uint32_t len) {
    k->word = p;
    k->len = len;
    if (FE_LIKELY(len <= SHORT)) {
        k->k0 = load64(p) & load64(MASKS + SHORT - len);
        k->k1 = load64(p + 8) & load64(MASKS + SHORT - len + 8);
        k->hash = hash_short(k->k0, k->k1, len);
    } else {
        k->k0 = k->hash = hash_long(p, len);
        k->k1 = 0;
    }
}

FE_INLINE void make_int_key(key *k, const int64_t *v) {
    memcpy(&k->k0, v, 8);
    k->k1 = 0;
    k->len = 8;
    k->word = (const uint8_t *)v;
    k->hash = hash_short(k->k0, 0, 8);
}

/* a key from a word without slack behind it */
static void make_key_exact(key *k, const uint8_t *p, uint32_t len) {
    uint8_t padded[SHORT] = {0};
    if (len > SHORT) {
        make_key(k, p, len);
        return;
    }
    if (len)
        memcpy(padded, p, len);
    make_key(k, padded, len);
    k->word = p;
}

FE_INLINE uint64_t slot_hash(const fe_slot *s) {
    return s->len <= SHORT ? hash_short(s->k0, s->k1, s->len) : s->k0;
}

FE_INLINE const uint8_t *slot_word(const fe_table *t, const fe_slot *s) {
    return s->len <= SHORT ? (const uint8_t *)&s->k0 : t->arena + s->k1;
}

uint64_t fe_hash(const uint8_t *word, uint32_t len) {
    key k;
    make_key_exact(&k, word, len);
    return k.hash;
}

/* ---- the table ---- */

FE_INLINE uint64_t slots_of(const fe_table *t) {
    return (uint64_t)1 << (64 - t->shift);
}

/* Zeroed slots. Large ones are mapped: malloc would keep them after free (its mmap threshold rises to 32 MB), and huge
   pages save the TLB misses of the random access. */
enum { MAP_FROM = 1 << 20, HUGE_FROM = 8 << 20 };

static fe_slot *new_slots(uint64_t n) {
    if (n > SIZE_MAX / sizeof(fe_slot))
        return NULL;
#ifdef HAVE_MMAP
    size_t bytes = (size_t)n * sizeof(fe_slot);
    if (bytes >= MAP_FROM) {
        void *p = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
        if (p == MAP_FAILED)
            return NULL;
#ifdef MADV_HUGEPAGE
        if (bytes >= HUGE_FROM)
            madvise(p, bytes, MADV_HUGEPAGE);
#endif
        return p;
    }
#endif
    return calloc((size_t)n, sizeof(fe_slot));
}

static void free_slots(fe_slot *slots, uint64_t n) {
#ifdef HAVE_MMAP
    if (slots && (size_t)n * sizeof *slots >= MAP_FROM) {
        munmap(slots, (size_t)n * sizeof *slots);
        return;
    }
#endif
    (void)n;
    free(slots);
}

static fe_status resize(fe_table *t, int shift) {
    uint64_t n = (uint64_t)1 << (64 - shift), mask = n - 1;
    fe_slot *slots = new_slots(n);
    if (!slots)
        return FE_NOMEM;
    if (t->slots) {
        uint64_t old = slots_of(t);
        for (uint64_t i = 0; i < old; i++) {
            const fe_slot *s = t->slots + i;
            if (!s->id1)
                continue;
            uint64_t at = slot_hash(s) >> shift;
            while (slots[at].id1)
                at = (at + 1) & mask;
            slots[at] = *s;
        }
        free_slots(t->slots, old);
    }
    t->slots = slots;
    t->shift = shift;
    t->room = (int64_t)(n / 8 * 5);
    return FE_OK;
}

fe_status fe_table_reserve(fe_table *t, int64_t words) {
    int shift = t->slots ? t->shift : 64 - 10;
    while ((int64_t)(((uint64_t)1 << (64 - shift)) / 8 * 5) < words)
        if (--shift < 20)
            return FE_NOMEM;
    return t->slots && shift == t->shift ? FE_OK : resize(t, shift);
}

fe_status fe_table_init(fe_table *t, int64_t expected, int track_first) {
    memset(t, 0, sizeof *t);
    if (track_first) {
        t->first_size = 1024;
        t->first = malloc(sizeof *t->first * (size_t)t->first_size);
        if (!t->first)
            return FE_NOMEM;
    }
    fe_status st = fe_table_reserve(t, expected);
    if (st != FE_OK)
        fe_table_free(t);
    return st;
}

void fe_table_free(fe_table *t) {
    if (t->slots)
        free_slots(t->slots, slots_of(t));
    free(t->arena);
    free(t->first);
    memset(t, 0, sizeof *t);
}

FE_INLINE int same(const fe_table *t, const fe_slot *s, const key *k) {
    if (FE_LIKELY(k->len <= SHORT))
        return ((s->k0 ^ k->k0) | (s->k1 ^ k->k1) | (uint64_t)(s->len ^ k->len)) == 0;
    return s->k0 == k->k0 && s->len == k->len && memcmp(t->arena + s->k1, k->word, k->len) == 0;
}

/* The slot of k, or the free one where it belongs. An empty word is all zeros, as a free slot is: hence the look at
   id1. */
FE_INLINE fe_slot *probe(const fe_table *t, const key *k) {
    uint64_t mask = slots_of(t) - 1, at = k->hash >> t->shift;
    fe_slot *s = t->slots + at;
    while (s->id1 && !same(t, s, k)) {
        at = (at + 1) & mask;
        s = t->slots + at;
    }
    return s;
}

static FE_NOINLINE fe_status insert(fe_table *t, fe_slot *s, const key *k, int64_t count, int64_t position) {
    if (t->n >= INT32_MAX)
        return FE_OVERFLOW;
    if (t->n >= t->room) {
        fe_status st = resize(t, t->shift - 1);
        if (st != FE_OK)
            return st;
        s = probe(t, k);
    }
    if (t->first) {
        if (t->n >= t->first_size) {
            int64_t *first = realloc(t->first, sizeof *first * (size_t)t->first_size * 2);
            if (!first)
                return FE_NOMEM;
            t->first = first;
            t->first_size *= 2;
        }
        t->first[t->n] = position;
    }
    uint64_t k1 = k->k1;
    if (k->len > SHORT) {
        uint64_t need = t->arena_used + k->len + FE_TEXT_SLACK;
        if (need > t->arena_size) {
            uint64_t size = need + t->arena_size / 2 + 4096;
            uint8_t *arena = realloc(t->arena, size);
            if (!arena)
                return FE_NOMEM;
            t->arena = arena;
            t->arena_size = size;
        }
        k1 = t->arena_used;
        memcpy(t->arena + k1, k->word, k->len);
        t->arena_used += k->len;
    }
    t->n++;
    *s = (fe_slot){.k0 = k->k0, .k1 = k1, .count = count, .len = k->len, .id1 = (int32_t)t->n};
    return FE_OK;
}

FE_INLINE fe_status count_key(fe_table *t, const key *k, int64_t count, int64_t position, int32_t *id) {
    fe_slot *s = probe(t, k);
    if (FE_LIKELY(s->id1)) {
        s->count += count;
        *id = s->id1 - 1;
        return FE_OK;
    }
    *id = (int32_t)t->n;
    return insert(t, s, k, count, position);
}

static fe_status count_batch(fe_table *t, const key *keys, int64_t n, int64_t position, int32_t *ids) {
    for (int64_t i = 0; i < n; i++) {
        fe_status st = count_key(t, keys + i, 1, position + i, ids + i);
        if (FE_UNLIKELY(st != FE_OK))
            return st;
    }
    return FE_OK;
}

fe_status fe_table_text(fe_table *t, fe_scan_fn scan, fe_scanner *scanner, const uint8_t *text, int64_t begin,
                        int64_t end, int64_t position, int32_t *ids) {
    uint32_t edges[PIECE + 128];
    key keys[PIECE / 2 + 2];
    int64_t open = 0; /* 1: edges[0] is the start of a token that ends in a later piece */
    for (int64_t at = begin; at < end; at += PIECE) {
        int64_t upto = end - at > PIECE ? at + PIECE : end;
        int64_t n = open + scan(scanner, text, at, upto, edges + open);
        if (upto == end && n % 2) { /* the end of the text closes its last token */
            edges[n++] = (uint32_t)end;
            scanner->n_tokens++;
            scanner->before = 1;
        }
        int64_t tokens = n / 2;
        for (int64_t i = 0; i < tokens; i++) {
            make_key(keys + i, text + edges[2 * i], edges[2 * i + 1] - edges[2 * i]);
            FE_PREFETCH(t->slots + (keys[i].hash >> t->shift));
        }
        fe_status st = count_batch(t, keys, tokens, position, ids);
        if (st != FE_OK)
            return st;
        ids += tokens;
        position += tokens;
        open = n % 2;
        if (open)
            edges[0] = edges[n - 1];
    }
    return FE_OK;
}

fe_status fe_table_tokens(fe_table *t, const uint8_t *bytes, const uint32_t *lengths, int64_t n, int64_t position,
                          int32_t *ids) {
    key keys[BATCH];
    for (int64_t at = 0; at < n; at += BATCH) {
        int64_t m = n - at < BATCH ? n - at : BATCH;
        for (int64_t i = 0; i < m; i++) {
            make_key(keys + i, bytes, lengths[at + i]);
            FE_PREFETCH(t->slots + (keys[i].hash >> t->shift));
            bytes += lengths[at + i];
        }
        fe_status st = count_batch(t, keys, m, position + at, ids + at);
        if (st != FE_OK)
            return st;
    }
    return FE_OK;
}

fe_status fe_table_ints(fe_table *t, const int64_t *ints, int64_t n, int64_t position, int32_t *ids) {
    key keys[BATCH];
    for (int64_t at = 0; at < n; at += BATCH) {
        int64_t m = n - at < BATCH ? n - at : BATCH;
        for (int64_t i = 0; i < m; i++) {
            make_int_key(keys + i, ints + at + i);
            FE_PREFETCH(t->slots + (keys[i].hash >> t->shift));
        }
        fe_status st = count_batch(t, keys, m, position + at, ids + at);
        if (st != FE_OK)
            return st;
    }
    return FE_OK;
}

int64_t fe_table_find(const fe_table *t, const uint8_t *word, uint32_t len) {
    key k;
    make_key_exact(&k, word, len);
    return (int64_t)probe(t, &k)->id1 - 1;
}

void fe_table_find_many(const fe_table *t, const uint8_t *bytes, const uint32_t *lengths, int64_t n, int32_t *ids) {
    key keys[BATCH];
    for (int64_t at = 0; at < n; at += BATCH) {
        int64_t m = n - at < BATCH ? n - at : BATCH;
        for (int64_t i = 0; i < m; i++) {
            make_key(keys + i, bytes, lengths[at + i]);
            FE_PREFETCH(t->slots + (keys[i].hash >> t->shift));
            bytes += lengths[at + i];
        }
        for (int64_t i = 0; i < m; i++)
            ids[at + i] = probe(t, keys + i)->id1 - 1;
    }
}

void fe_table_find_ints(const fe_table *t, const int64_t *ints, int64_t n, int32_t *ids) {
    key k;
    for (int64_t i = 0; i < n; i++) {
        make_int_key(&k, ints + i);
        ids[i] = probe(t, &k)->id1 - 1;
    }
}

fe_status fe_table_add(fe_table *t, const uint8_t *word, uint32_t len, int64_t count, int64_t position, int32_t *id) {
    key k;
    make_key_exact(&k, word, len);
    return count_key(t, &k, count, position, id);
}

FE_INLINE key key_of_slot(const fe_table *t, const fe_slot *s) {
    return (key){.k0 = s->k0, .k1 = s->k1, .hash = slot_hash(s), .word = slot_word(t, s), .len = s->len};
}

fe_status fe_table_merge(fe_table *into, const fe_table *from, int32_t *map) {
    /* Room first, exactly: growing while walking `from` in hash order would pile its words up in one end of a smaller
       table, and room for the sum of both would often be twice what is needed. */
    uint64_t slots = slots_of(from);
    int64_t missing = 0;
    for (uint64_t i = 0; i < slots; i++) {
        const fe_slot *s = from->slots + i;
        if (s->id1) {
            key k = key_of_slot(from, s);
            missing += probe(into, &k)->id1 == 0;
        }
    }
    fe_status st = fe_table_reserve(into, into->n + missing);
    for (uint64_t i = 0; st == FE_OK && i < slots; i++) {
        const fe_slot *s = from->slots + i;
        if (!s->id1)
            continue;
        key k = key_of_slot(from, s);
        int64_t first = from->first ? from->first[s->id1 - 1] : 0;
        int32_t id;
        st = count_key(into, &k, s->count, first, &id);
        if (st == FE_OK) {
            map[s->id1 - 1] = id;
            if (into->first && first < into->first[id])
                into->first[id] = first;
        }
    }
    return st;
}

void fe_table_columns(const fe_table *t, int64_t *counts, uint32_t *lengths, uint8_t *invalid, uint64_t *hashes) {
    uint64_t slots = slots_of(t);
    for (uint64_t i = 0; i < slots; i++) {
        const fe_slot *s = t->slots + i;
        int64_t id = (int64_t)s->id1 - 1;
        if (id < 0)
            continue;
        if (counts)
            counts[id] = s->count;
        if (lengths)
            lengths[id] = s->len;
        if (invalid)
            invalid[id] = !fe_utf8_valid(slot_word(t, s), s->len);
        if (hashes)
            hashes[id] = slot_hash(s);
    }
}

/* ---- order ---- */

typedef struct ranked {
    int64_t count;
    uint64_t prefix; /* first 8 bytes as a big-endian number: decides nearly every tie without following the pointer */
    const uint8_t *word;
    uint32_t len;
    int32_t id;
} ranked;

static int by_count_then_bytes(const void *x, const void *y) {
    const ranked *a = x, *b = y;
    if (a->count != b->count)
        return a->count > b->count ? -1 : 1;
    if (a->prefix != b->prefix)
        return a->prefix < b->prefix ? -1 : 1;
    uint32_t shared = a->len < b->len ? a->len : b->len;
    int c = memcmp(a->word, b->word, shared);
    return c ? c : (a->len > b->len) - (a->len < b->len);
}

static const fe_slot **slots_by_id(const fe_table *t) {
    const fe_slot **by_id = malloc(sizeof *by_id * (size_t)(t->n + 1));
    uint64_t slots = slots_of(t);
    for (uint64_t i = 0; by_id && i < slots; i++)
        if (t->slots[i].id1)
            by_id[t->slots[i].id1 - 1] = t->slots + i;
    return by_id;
}

fe_status fe_table_sort(const fe_table *t, int32_t *ids, int64_t n, int ints) {
    const fe_slot **by_id = slots_by_id(t);
    ranked *rows = malloc(sizeof *rows * (size_t)(n + 1));
    if (!by_id || !rows) {
        free(by_id);
        free(rows);
        return FE_NOMEM;
    }
    for (int64_t i = 0; i < n; i++) {
        const fe_slot *s = by_id[ids[i]];
        const uint8_t *w = slot_word(t, s);
        uint64_t prefix = 0;
        if (ints) {
            memcpy(&prefix, w, 8);
            prefix ^= (uint64_t)1 << 63; /* signed order as unsigned order */
        } else {
            for (uint32_t j = 0; j < 8; j++)
                prefix = prefix << 8 | (j < s->len ? w[j] : 0);
        }
        rows[i] = (ranked){s->count, prefix, w, s->len, ids[i]};
    }
    qsort(rows, (size_t)n, sizeof *rows, by_count_then_bytes);
    for (int64_t i = 0; i < n; i++)
        ids[i] = rows[i].id;
    free(by_id);
    free(rows);
    return FE_OK;
}

fe_status fe_table_export(const fe_table *t, const int32_t *ids, int64_t n, const int64_t *offsets, uint8_t *blob) {
    const fe_slot **by_id = slots_by_id(t);
    if (!by_id)
        return FE_NOMEM;
    for (int64_t i = 0; i < n; i++)
        memcpy(blob + offsets[i], slot_word(t, by_id[ids[i]]), by_id[ids[i]]->len);
    free(by_id);
    return FE_OK;
}

/* ---- ids ---- */

int64_t fe_remap(int32_t *ids, int64_t n, const int32_t *map, uint32_t *ends, int64_t n_ends) {
    int64_t kept = 0, i = 0;
    for (int64_t s = 0; s <= n_ends; s++) {
        int64_t end = s < n_ends ? (int64_t)ends[s] : n;
        for (; i < end; i++) {
            int32_t id = map[ids[i]];
            ids[kept] = id;
            kept += id >= 0;
        }
        if (s < n_ends)
            ends[s] = (uint32_t)kept;
    }
    return kept;
}

int fe_ids_in_range(const int32_t *ids, int64_t n, int32_t limit) {
    uint32_t bad = 0;
    for (int64_t i = 0; i < n; i++)
        bad |= (uint32_t)ids[i] >= (uint32_t)limit;
    return !bad;
}
