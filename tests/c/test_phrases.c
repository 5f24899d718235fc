/* The C core of phrases alone, against counts by brute force, for the sanitizers:
 *
 *     gcc -g -O1 -std=gnu11 -fsanitize=address,undefined -fno-sanitize-recover=all -Icsrc tests/c/test_phrases.c \
 *         csrc/fe_phrases.c csrc/fe_vocab.c csrc/fe_tokens.c -lm -o test_phrases && ./test_phrases
 */
#include "fe_phrases.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define CHECK(x) \
    do { \
        if (!(x)) { \
            fprintf(stderr, "%s:%d: %s does not hold\n", __FILE__, __LINE__, #x); \
            abort(); \
        } \
    } while (0)

static uint64_t state = 88172645463325252ULL;

static uint32_t below(uint32_t n) {
    state ^= state << 13;
    state ^= state >> 7;
    state ^= state << 17;
    return (uint32_t)((state >> 33) % n);
}

enum { WORDS = 40, CONNECTORS = 4 }; /* words 0 .. 3 are connector words */

/* The pair that ends in token i of a sentence beginning at `begin`, as words start, gap ..., end; 0: there is none. */
static int64_t beginning(const int32_t *ids, int64_t begin, int64_t i, int connected) {
    for (int64_t j = i - 1; j >= begin; j--)
        if (!connected || ids[j] >= CONNECTORS)
            return j;
    return -1;
}

static void counts(int connected) {
    int64_t n = 1 + below(3000), sentences = 0, total = 0;
    int32_t *ids = malloc((size_t)n * sizeof *ids);
    int64_t *offsets = malloc((size_t)(n + 1) * sizeof *offsets);
    uint8_t flags[WORDS] = {0};
    memset(flags, connected ? FE_PHRASE_CONNECTOR : 0, CONNECTORS);
    for (int64_t i = 0; i < n; i++)
        ids[i] = (int32_t)below(WORDS);
    offsets[0] = 0;
    while (offsets[sentences] < n) {
        int64_t end = offsets[sentences] + 1 + below(30);
        offsets[++sentences] = end < n ? end : n;
    }
    fe_phrase_shard shards[2];
    fe_trie trie;
    static fe_pairs parts[FE_PHRASE_PARTS];
    memset(parts, 0, sizeof parts);
    CHECK(fe_trie_init(&trie) == FE_OK && fe_phrase_shard_init(shards) == FE_OK && fe_phrase_shard_init(shards + 1) == FE_OK);
    int64_t sentence = 0;
    for (int64_t lo = 0, k = 0; lo < n; k++) {
        int64_t hi = lo + 1 + below(400);
        if (hi > n)
            hi = n;
        while (offsets[sentence + 1] <= lo)
            sentence++;
        int64_t base = lo - (int64_t)below(3);
        if (base < 0)
            base = 0;
        fe_phrase_shard *s = shards + k % 2;
        fe_phrase_text t = {ids + base, base, lo, hi, offsets, sentence, NULL, connected ? flags : NULL};
        fe_status st = fe_phrase_emit(s, &t);
        if (st == FE_BADINPUT) {
            t.base = offsets[sentence];
            t.ids = ids + t.base;
            st = fe_phrase_emit(s, &t);
        }
        CHECK(st == FE_OK && fe_phrase_adopt(&trie, s) == FE_OK);
        for (int p = 0; p < FE_PHRASE_PARTS; p++) {
            CHECK(fe_phrase_expect(parts + p, s->start[p + 1] - s->start[p]) == FE_OK);
            CHECK(fe_phrase_count(parts + p, s, p) == FE_OK);
        }
        total += s->n;
        lo = hi;
    }
    int64_t expected = 0, found = 0;
    for (int64_t s = 0; s < sentences; s++)
        for (int64_t i = offsets[s]; i < offsets[s + 1]; i++) {
            if (connected && ids[i] < CONNECTORS)
                continue;
            int64_t j = beginning(ids, offsets[s], i, connected);
            if (j < 0)
                continue;
            expected++;
            uint32_t left = (uint32_t)ids[j];
            for (int64_t g = j + 1; g < i; g++)
                CHECK(fe_trie_step(&trie, left, (uint32_t)ids[g], &left) == FE_OK);
            CHECK(fe_phrase_first(&trie, left) == (uint32_t)ids[j]);
            CHECK(fe_phrase_find(parts, &trie, (uint64_t)left << 32 | (uint32_t)ids[i]) > 0);
        }
    CHECK(total == expected);
    for (int p = 0; p < FE_PHRASE_PARTS; p++) {
        int64_t dropped = 0, lost = 0, before = (int64_t)parts[p].n, left = 0;
        for (uint64_t i = 0; i < parts[p].size; i++)
            found += parts[p].slots[i].count;
        CHECK(fe_phrase_prune(parts + p, 1, &dropped, &lost) == FE_OK && dropped == lost);
        for (uint64_t i = 0; i < parts[p].size; i++) {
            left += parts[p].slots[i].count != 0;
            CHECK(parts[p].slots[i].count != 1);
        }
        CHECK(left == before - dropped && (int64_t)parts[p].n == left);
        fe_pairs_free(parts + p);
    }
    CHECK(found == expected);
    fe_phrase_shard_free(shards);
    fe_phrase_shard_free(shards + 1);
    fe_trie_free(&trie);
    free(ids);
    free(offsets);
}

static void joins(void) {
    uint8_t flags[WORDS] = {0};
    memset(flags, FE_PHRASE_CONNECTOR, CONNECTORS);
    fe_matcher m = {.flags = flags, .first_phrase = WORDS};
    CHECK(fe_map_init(&m.map, 0) == FE_OK);
    int32_t phrases = 0;
    for (int i = 0; i < 100; i++) {
        uint32_t start = CONNECTORS + below(WORDS - CONNECTORS), end = CONNECTORS + below(WORDS - CONNECTORS);
        int32_t gap[3];
        int64_t n = below(4);
        for (int64_t g = 0; g < n; g++)
            gap[g] = (int32_t)below(CONNECTORS);
        fe_status st = fe_matcher_add(&m, start, gap, n, end, (uint32_t)phrases);
        CHECK(st == FE_OK || st == FE_BADINPUT);
        flags[start] |= FE_PHRASE_STARTS;
        flags[end] |= FE_PHRASE_ENDS;
        phrases += st == FE_OK;
    }
    int64_t n = 1 + below(500), cut = below((uint32_t)n);
    int32_t *ids = malloc((size_t)n * sizeof *ids), *whole = malloc((size_t)n * sizeof *ids);
    int32_t *pieces = malloc((size_t)n * sizeof *ids);
    int64_t *counts_of = calloc((size_t)(WORDS + phrases), sizeof *counts_of);
    for (int64_t i = 0; i < n; i++)
        ids[i] = (int32_t)below(WORDS);
    uint32_t end_out;
    int64_t end = n, k = fe_matcher_join(&m, ids, n, &end, 1, whole, &end_out, counts_of), sum = 0;
    CHECK(end_out == k && k <= n);
    for (int32_t w = 0; w < WORDS + phrases; w++)
        sum += counts_of[w];
    CHECK(sum == k);
    cut = fe_matcher_cut(&m, ids, cut, n); /* joined in two, the text is the same */
    int64_t a = fe_matcher_join(&m, ids, cut, NULL, 0, pieces, NULL, NULL);
    a += fe_matcher_join(&m, ids + cut, n - cut, NULL, 0, pieces + a, NULL, NULL);
    CHECK(a == k && memcmp(pieces, whole, (size_t)k * sizeof *whole) == 0);
    CHECK(fe_matcher_join(&m, ids, n, &end, 1, ids, &end_out, NULL) == k); /* in place */
    CHECK(memcmp(ids, whole, (size_t)k * sizeof *whole) == 0);
    fe_map_free(&m.map);
    free(ids);
    free(whole);
    free(pieces);
    free(counts_of);
}

int main(int argc, char **argv) {
    int rounds = argc > 1 ? atoi(argv[1]) : 300;
    for (int i = 0; i < rounds; i++) {
        counts(i % 2);
        joins();
    }
    puts("ok");
    return 0;
}
