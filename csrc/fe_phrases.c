#include "fe_phrases.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#ifdef _MSC_VER
#include <intrin.h>
#endif

#if defined(__linux__)
#include <sys/mman.h>
#endif

enum { BATCH = 128, HUGE_FROM = 1 << 21 };

/* Memory of large arrays that are written at random: on huge pages where the system has them. free() frees it. */
static void *new_array(uint64_t n, size_t item) {
    if (n > (SIZE_MAX >> 1) / item)
        return NULL;
#if defined(__linux__) && defined(MADV_HUGEPAGE)
    size_t bytes = (size_t)n * item;
    if (bytes >= HUGE_FROM) {
        bytes = (bytes + HUGE_FROM - 1) & ~(size_t)(HUGE_FROM - 1);
        void *p = aligned_alloc(HUGE_FROM, bytes);
        if (p)
            madvise(p, bytes, MADV_HUGEPAGE);
        return p;
    }
#endif
    return malloc((size_t)n * item);
}

static uint64_t secret = 0x9e3779b97f4a7c15ULL;

void fe_phrase_seed(uint64_t seed) {
    secret = seed | 1;
}

FE_INLINE uint64_t multiply_high(uint64_t a, uint64_t b) {
#ifdef _MSC_VER
    return __umulh(a, b);
#else
    return (uint64_t)((__uint128_t)a * b >> 64);
#endif
}

FE_INLINE uint64_t hash_of(uint64_t key) {
    uint64_t x = key ^ secret;
    x = (x ^ x >> 32) * 0xd6e8feb86659fd93ULL;
    x = (x ^ x >> 32) * 0xd6e8feb86659fd93ULL;
    return x ^ x >> 32;
}

FE_INLINE uint64_t key_of(uint32_t left, uint32_t right) {
    return (uint64_t)left << 32 | right;
}

/* ---- u64 -> u32 ---- */

static fe_status map_resize(fe_map *m, int shift) {
    if (shift < 24)
        return FE_NOMEM;
    uint64_t n = (uint64_t)1 << (64 - shift), mask = n - 1;
    fe_map_slot *slots = calloc((size_t)n, sizeof *slots);
    if (!slots)
        return FE_NOMEM;
    if (m->slots) {
        uint64_t old = (uint64_t)1 << (64 - m->shift);
        for (uint64_t i = 0; i < old; i++) {
            if (!m->slots[i].used)
                continue;
            uint64_t at = hash_of(m->slots[i].key) >> shift;
            while (slots[at].used)
                at = (at + 1) & mask;
            slots[at] = m->slots[i];
        }
        free(m->slots);
    }
    m->slots = slots;
    m->shift = shift;
    m->room = (int64_t)(n / 2);
    return FE_OK;
}

fe_status fe_map_init(fe_map *m, int64_t expected) {
    memset(m, 0, sizeof *m);
    int shift = 64 - 8;
    while (shift > 24 && ((int64_t)1 << (63 - shift)) < expected)
        shift--;
    return map_resize(m, shift);
}

void fe_map_free(fe_map *m) {
    free(m->slots);
    memset(m, 0, sizeof *m);
}

FE_INLINE fe_map_slot *map_probe(const fe_map *m, uint64_t key) {
    uint64_t mask = ((uint64_t)1 << (64 - m->shift)) - 1, at = hash_of(key) >> m->shift;
    while (m->slots[at].used && m->slots[at].key != key)
        at = (at + 1) & mask;
    return m->slots + at;
}

uint32_t fe_map_get(const fe_map *m, uint64_t key) {
    const fe_map_slot *s = map_probe(m, key);
    return s->used ? s->value : FE_PHRASE_NONE;
}

fe_status fe_map_put(fe_map *m, uint64_t key, uint32_t value, uint32_t *found) {
    fe_map_slot *s = map_probe(m, key);
    if (!s->used) {
        if (m->n >= m->room) {
            fe_status st = map_resize(m, m->shift - 1);
            if (st != FE_OK)
                return st;
            s = map_probe(m, key);
        }
        *s = (fe_map_slot){key, value, 1};
        m->n++;
    }
    *found = s->value;
    return FE_OK;
}

/* ---- trie ---- */

fe_status fe_trie_init(fe_trie *t) {
    memset(t, 0, sizeof *t);
    return fe_map_init(&t->map, 0);
}

void fe_trie_free(fe_trie *t) {
    fe_map_free(&t->map);
    free(t->parent);
    free(t->word);
    memset(t, 0, sizeof *t);
}

fe_status fe_trie_step(fe_trie *t, uint32_t left, uint32_t word, uint32_t *node) {
    uint32_t next = FE_PHRASE_NODE | (uint32_t)t->n;
    if (t->n >= t->size) { /* room before the map changes, so that a failure leaves both as they were */
        if (t->n >= (int64_t)(FE_PHRASE_NODE - 2))
            return FE_OVERFLOW;
        int64_t size = t->size * 2 + 1024;
        uint32_t *parent = realloc(t->parent, (size_t)size * sizeof *parent);
        if (parent)
            t->parent = parent;
        uint32_t *words = realloc(t->word, (size_t)size * sizeof *words);
        if (words)
            t->word = words;
        if (!parent || !words)
            return FE_NOMEM;
        t->size = size;
    }
    fe_status st = fe_map_put(&t->map, key_of(left, word), next, node);
    if (st == FE_OK && *node == next) {
        t->parent[t->n] = left;
        t->word[t->n] = word;
        t->n++;
    }
    return st;
}

uint32_t fe_phrase_first(const fe_trie *t, uint32_t left) {
    while (left & FE_PHRASE_NODE)
        left = t->parent[left & ~FE_PHRASE_NODE];
    return left;
}

/* ---- a stretch of text to pairs ---- */

fe_status fe_phrase_shard_init(fe_phrase_shard *s) {
    memset(s, 0, sizeof *s);
    return fe_trie_init(&s->trie);
}

void fe_phrase_shard_free(fe_phrase_shard *s) {
    fe_trie_free(&s->trie);
    free(s->node_map);
    free(s->raw);
    free(s->pairs);
    free(s->part);
    memset(s, 0, sizeof *s);
}

static fe_status array_room(void **array, int64_t *size, int64_t n, size_t item) {
    if (n <= *size)
        return FE_OK;
    free(*array);
    *array = new_array((uint64_t)n, item);
    *size = *array ? n : 0;
    return *array ? FE_OK : FE_NOMEM;
}

FE_INLINE uint32_t word_at(const fe_phrase_text *t, int64_t i) {
    int32_t id = t->ids[i - t->base];
    return (uint32_t)(t->map ? t->map[id] : id);
}

FE_INLINE int is_connector(const fe_phrase_text *t, uint32_t word) {
    return t->flags && t->flags[word] & FE_PHRASE_CONNECTOR;
}

/* From counts per part to where each begins. */
static void set_starts(fe_phrase_shard *s, const int64_t *histogram, int64_t *at) {
    int64_t sum = 0;
    for (int p = 0; p < FE_PHRASE_PARTS; p++) {
        s->start[p] = at[p] = sum;
        sum += histogram[p];
    }
    s->start[FE_PHRASE_PARTS] = s->n = sum;
}

/* Without connector words a pair is two neighbours: hashed twice, first to count the parts, then to fill them, which is
   cheaper than memory to keep the pairs in between. */
static void emit_plain(fe_phrase_shard *s, const fe_phrase_text *t, uint32_t before) {
    int64_t at[FE_PHRASE_PARTS], histogram[FE_PHRASE_PARTS] = {0};
    for (int fill = 0; fill < 2; fill++) {
        uint32_t left = before;
        int64_t i = t->lo;
        for (int64_t sentence = t->sentence; i < t->hi; sentence++) {
            int64_t end = t->offsets[sentence + 1] < t->hi ? t->offsets[sentence + 1] : t->hi;
            if (left == FE_PHRASE_NONE && i < end)
                left = word_at(t, i++);
            for (; i < end; i++) {
                uint32_t w = word_at(t, i);
                uint64_t key = key_of(left, w);
                uint64_t p = hash_of(key) >> 56;
                if (fill)
                    s->pairs[at[p]++] = key;
                else
                    histogram[p]++;
                left = w;
            }
            left = FE_PHRASE_NONE;
        }
        if (!fill)
            set_starts(s, histogram, at);
    }
}

/* With connector words each pair is made once, because the steps of the trie cost more. */
static fe_status emit_connected(fe_phrase_shard *s, const fe_phrase_text *t, uint32_t first, uint32_t left) {
    int64_t at[FE_PHRASE_PARTS], histogram[FE_PHRASE_PARTS] = {0};
    int64_t n = 0, i = t->lo;
    for (int64_t sentence = t->sentence; i < t->hi; sentence++) {
        int64_t end = t->offsets[sentence + 1] < t->hi ? t->offsets[sentence + 1] : t->hi;
        for (; i < end; i++) {
            uint32_t w = word_at(t, i);
            if (t->flags[w] & FE_PHRASE_CONNECTOR) {
                if (left != FE_PHRASE_NONE) {
                    fe_status st = fe_trie_step(&s->trie, left, w, &left);
                    if (st != FE_OK)
                        return st;
                }
                continue;
            }
            if (left != FE_PHRASE_NONE) {
                uint8_t p = (uint8_t)(hash_of(key_of(first, w)) >> 56);
                s->raw[n] = key_of(left, w);
                s->part[n++] = p;
                histogram[p]++;
            }
            first = left = w;
        }
        first = left = FE_PHRASE_NONE;
    }
    set_starts(s, histogram, at);
    for (int64_t j = 0; j < n; j++)
        s->pairs[at[s->part[j]]++] = s->raw[j];
    return FE_OK;
}

fe_status fe_phrase_emit(fe_phrase_shard *s, const fe_phrase_text *t) {
    int64_t n = t->hi - t->lo;
    fe_status st = array_room((void **)&s->pairs, &s->size, n, sizeof *s->pairs);
    if (st == FE_OK && t->flags)
        st = array_room((void **)&s->raw, &s->raw_size, n, sizeof *s->raw);
    if (st == FE_OK && t->flags)
        st = array_room((void **)&s->part, &s->part_size, n, 1);
    if (st != FE_OK)
        return st;
    /* what stands before the first token of the stretch, in its sentence */
    uint32_t first = FE_PHRASE_NONE, left = FE_PHRASE_NONE;
    int64_t back = t->lo;
    while (back > t->offsets[t->sentence]) {
        if (--back < t->base)
            return FE_BADINPUT;
        uint32_t w = word_at(t, back);
        if (!is_connector(t, w)) {
            first = left = w;
            break;
        }
    }
    if (!t->flags) {
        emit_plain(s, t, left);
        return FE_OK;
    }
    if (first != FE_PHRASE_NONE)
        for (back++; back < t->lo; back++)
            if ((st = fe_trie_step(&s->trie, left, word_at(t, back), &left)) != FE_OK)
                return st;
    return emit_connected(s, t, first, left);
}

fe_status fe_phrase_adopt(fe_trie *common, fe_phrase_shard *s) {
    if (s->trie.n > s->map_size) {
        int64_t size = s->trie.n + s->trie.n / 2;
        uint32_t *map = realloc(s->node_map, (size_t)size * sizeof *map);
        if (!map)
            return FE_NOMEM;
        s->node_map = map;
        s->map_size = size;
    }
    for (; s->adopted < s->trie.n; s->adopted++) { /* a parent is always older than its children */
        uint32_t left = s->trie.parent[s->adopted];
        if (left & FE_PHRASE_NODE)
            left = s->node_map[left & ~FE_PHRASE_NODE];
        fe_status st = fe_trie_step(common, left, s->trie.word[s->adopted], s->node_map + s->adopted);
        if (st != FE_OK)
            return st;
    }
    return FE_OK;
}

/* ---- tables of pairs ---- */

/* The parts took the first eight bits of the hash of plain pairs; the place comes from those behind them. Places keep
   the order of the hashes, so growing walks both tables in memory order. */
FE_INLINE uint64_t place_of(uint64_t key, uint64_t size) {
    return multiply_high(hash_of(key) << 8, size);
}

FE_INLINE fe_pair *pair_probe(const fe_pairs *t, uint64_t key, uint64_t at) {
    while (t->slots[at].count && t->slots[at].key != key)
        at = at + 1 == t->size ? 0 : at + 1;
    return t->slots + at;
}

static fe_status pairs_resize(fe_pairs *t, uint64_t size) {
    if (size > SIZE_MAX / sizeof(fe_pair))
        return FE_NOMEM;
    fe_pairs grown = {calloc((size_t)size, sizeof(fe_pair)), size, t->n};
    if (!grown.slots)
        return FE_NOMEM;
    for (uint64_t i = 0; i < t->size; i++)
        if (t->slots[i].count)
            *pair_probe(&grown, t->slots[i].key, place_of(t->slots[i].key, size)) = t->slots[i];
    free(t->slots);
    *t = grown;
    return FE_OK;
}

FE_INLINE fe_status pairs_room(fe_pairs *t, uint64_t more) { /* at most seven tenths full */
    uint64_t need = (t->n + more) / 7 * 10 + 16;
    return need <= t->size ? FE_OK : pairs_resize(t, need + need / 4 * 3);
}

void fe_pairs_free(fe_pairs *t) {
    free(t->slots);
    memset(t, 0, sizeof *t);
}

FE_INLINE void pairs_add(fe_pairs *t, uint64_t key, uint64_t at, int64_t count) {
    fe_pair *slot = pair_probe(t, key, at);
    t->n += slot->count == 0;
    slot->key = key;
    slot->count += count;
}

fe_status fe_phrase_expect(fe_pairs *table, int64_t pairs) {
    return table->size ? FE_OK : pairs_resize(table, (uint64_t)pairs / 3 + 16);
}

fe_status fe_phrase_count(fe_pairs *table, const fe_phrase_shard *s, int part) {
    const uint64_t *pairs = s->pairs + s->start[part];
    int64_t n = s->start[part + 1] - s->start[part];
    uint64_t keys[BATCH], places[BATCH];
    for (int64_t at = 0; at < n; at += BATCH) {
        int64_t m = n - at < BATCH ? n - at : BATCH;
        fe_status st = pairs_room(table, (uint64_t)m);
        if (st != FE_OK)
            return st;
        for (int64_t i = 0; i < m; i++) {
            uint64_t key = pairs[at + i];
            uint32_t left = (uint32_t)(key >> 32);
            if (left & FE_PHRASE_NODE)
                key = key_of(s->node_map[left & ~FE_PHRASE_NODE], (uint32_t)key);
            keys[i] = key;
            places[i] = place_of(key, table->size);
            FE_PREFETCH(table->slots + places[i]);
        }
        for (int64_t i = 0; i < m; i++)
            pairs_add(table, keys[i], places[i], 1);
    }
    return FE_OK;
}

FE_INLINE int part_of(const fe_trie *common, uint64_t key) {
    uint32_t first = fe_phrase_first(common, (uint32_t)(key >> 32));
    return (int)(hash_of(key_of(first, (uint32_t)key)) >> 56);
}

fe_status fe_phrase_add(fe_pairs *parts, const fe_trie *common, uint64_t key, int64_t count) {
    fe_pairs *table = parts + part_of(common, key);
    fe_status st = pairs_room(table, 1);
    if (st == FE_OK)
        pairs_add(table, key, place_of(key, table->size), count);
    return st;
}

int64_t fe_phrase_find(const fe_pairs *parts, const fe_trie *common, uint64_t key) {
    const fe_pairs *table = parts + part_of(common, key);
    return table->size ? pair_probe(table, key, place_of(key, table->size))->count : 0;
}

fe_status fe_phrase_prune(fe_pairs *table, int64_t limit, int64_t *dropped, int64_t *lost) {
    uint64_t left = 0;
    for (uint64_t i = 0; i < table->size; i++)
        left += table->slots[i].count > limit;
    if (left == table->n)
        return FE_OK;
    fe_pairs kept = {NULL, 0, 0};
    fe_status st = pairs_room(&kept, left);
    if (st != FE_OK)
        return st;
    for (uint64_t i = 0; i < table->size; i++) {
        const fe_pair *p = table->slots + i;
        if (p->count > limit) {
            pairs_add(&kept, p->key, place_of(p->key, kept.size), p->count);
        } else if (p->count) {
            *dropped += 1;
            *lost += p->count;
        }
    }
    fe_pairs_free(table);
    *table = kept;
    return FE_OK;
}

/* ---- scores ---- */

double fe_phrase_score(const fe_score_job *job, int64_t a, int64_t b, int64_t ab) {
    if (a <= 0 || b <= 0 || ab <= 0)
        return -INFINITY;
    if (job->kind == FE_SCORE_DEFAULT) /* a product of two numbers below 2^53 is rounded once, as the exact one is */
        return ((double)ab - job->min_count) / ((double)a * (double)b) * job->len_vocab;
    if ((double)ab < job->min_count)
        return -INFINITY;
    double pa = (double)a / job->corpus_word_count, pb = (double)b / job->corpus_word_count;
    double pab = (double)ab / job->corpus_word_count, ratio = pab / (pa * pb);
    if (!(ratio > 0) || isinf(ratio))
        return -INFINITY;
    if (job->kind == FE_SCORE_PMI)
        return log(ratio);
    double self = -log(pab);
    return self == 0 ? -INFINITY : log(ratio) / self;
}

/* ---- joining ---- */

fe_status fe_matcher_add(fe_matcher *m, uint32_t start, const int32_t *gap, int64_t n_gap, uint32_t end,
                         uint32_t phrase) {
    uint32_t left = start, found;
    for (int64_t i = 0; i < n_gap; i++) {
        uint32_t next = FE_PHRASE_NODE | m->nodes;
        fe_status st = fe_map_put(&m->map, key_of(left, (uint32_t)gap[i]), next, &left);
        if (st != FE_OK)
            return st;
        m->nodes += left == next;
    }
    fe_status st = fe_map_put(&m->map, key_of(left, end), phrase, &found);
    return st == FE_OK && found != phrase ? FE_BADINPUT : st;
}

_Static_assert(FE_PHRASE_STARTS << 1 == FE_PHRASE_ENDS, "a word that starts opens the way for one that ends");

int64_t fe_matcher_join(const fe_matcher *m, const int32_t *ids, int64_t n, const int64_t *ends, int64_t n_ends,
                        int32_t *out, uint32_t *out_ends, int64_t *counts) {
    int64_t k = 0, i = 0;
    for (int64_t s = 0; s <= n_ends; s++) {
        int64_t end = s < n_ends ? ends[s] : n, at = 0;
        uint32_t left = 0;
        uint8_t open = 0; /* FE_PHRASE_ENDS when `left` may begin a phrase: one branch a word that is hard to foresee */
        for (; i < end; i++) {
            int32_t w = ids[i];
            uint8_t f = w < 0 ? 0 : m->flags[w];
            out[k] = w;
            if (FE_UNLIKELY(f & FE_PHRASE_CONNECTOR)) {
                if (open) {
                    left = fe_map_get(&m->map, key_of(left, (uint32_t)w));
                    open = left != FE_PHRASE_NONE ? FE_PHRASE_ENDS : 0;
                }
                k++;
                continue;
            }
            if (f & open) {
                uint32_t phrase = fe_map_get(&m->map, key_of(left, (uint32_t)w));
                if (phrase != FE_PHRASE_NONE) {
                    out[at] = m->first_phrase + (int32_t)phrase;
                    k = at + 1;
                    open = 0;
                    continue;
                }
            }
            at = k++;
            left = (uint32_t)w;
            open = (uint8_t)((f & FE_PHRASE_STARTS) << 1);
        }
        if (s < n_ends)
            out_ends[s] = (uint32_t)k;
    }
    if (counts)
        for (int64_t j = 0; j < k; j++)
            counts[out[j]]++;
    return k;
}

FE_INLINE int is_blank(uint8_t c) {
    return c == ' ' || (uint8_t)(c - 9) <= 4;
}

int64_t fe_matcher_text(const fe_matcher *m, const fe_table *words, const uint8_t *spelled, const int64_t *spelled_at,
                        const uint8_t *text, int64_t n, uint8_t *out, int64_t *tokens, int64_t *joined) {
    int64_t i = 0, k = 0, at = 0; /* at: where in the output the phrase under way begins */
    uint32_t left = FE_PHRASE_NONE;
    int begun = 0; /* the line has a word already */
    while (i < n) {
        uint8_t c = text[i];
        if (is_blank(c)) {
            if (c == '\n') {
                out[k++] = '\n';
                begun = 0;
                left = FE_PHRASE_NONE;
            }
            i++;
            continue;
        }
        int64_t from = i;
        while (i < n && !is_blank(text[i]))
            i++;
        int64_t len = i - from, w = len <= INT32_MAX ? fe_table_find(words, text + from, (uint32_t)len) : -1;
        uint8_t f = w < 0 ? 0 : m->flags[w];
        ++*tokens;
        if (f & FE_PHRASE_ENDS && left != FE_PHRASE_NONE) {
            uint32_t phrase = fe_map_get(&m->map, key_of(left, (uint32_t)w));
            if (phrase != FE_PHRASE_NONE) {
                int64_t size = spelled_at[phrase + 1] - spelled_at[phrase];
                memcpy(out + at, spelled + spelled_at[phrase], (size_t)size);
                k = at + size;
                left = FE_PHRASE_NONE;
                ++*joined;
                continue;
            }
        }
        if (begun)
            out[k++] = ' ';
        begun = 1;
        if (f & FE_PHRASE_CONNECTOR) {
            if (left != FE_PHRASE_NONE)
                left = fe_map_get(&m->map, key_of(left, (uint32_t)w));
        } else {
            at = k;
            left = f & FE_PHRASE_STARTS ? (uint32_t)w : FE_PHRASE_NONE;
        }
        memcpy(out + k, text + from, (size_t)len);
        k += len;
    }
    return k;
}

int64_t fe_matcher_cut(const fe_matcher *m, const int32_t *ids, int64_t lo, int64_t hi) {
    while (lo < hi && ids[lo] >= 0 && m->flags[ids[lo]] & (FE_PHRASE_CONNECTOR | FE_PHRASE_ENDS))
        lo++;
    return lo;
}
