/* Collocations: counting the pairs of neighbouring words of an id array, and joining the pairs that are phrases.

   A *left* is what a pair begins with: a word (its id, below 2^31), or a word followed by connector words, a node of a
   trie (FE_PHRASE_NODE | index) whose steps are (left, connector word) -> node. A pair is the 64-bit key
   left << 32 | right. With no connector words every left is a word.

   Counting runs in rounds so that any number of threads gives the same counts without locks:
     emit    each shard of tokens writes its pairs, sorted into FE_PHRASE_PARTS parts by a hash of (first word, right),
             with nodes of a trie of its own;
     adopt   the shards' new nodes get their numbers in the common trie (in the calling thread);
     count   each part, by one thread, takes the pairs of all shards into its own table.
   A part's table stays small enough for the second-level cache up to about 20 million different pairs.

   Joining is one pass over ids with one look-up per candidate: greedy from the left, a phrase ends at its last word,
   and its words begin no other. What is written never overtakes what is read. */
#ifndef FE_PHRASES_H
#define FE_PHRASES_H

#include "fe_common.h"
#include "fe_vocab.h"

#define FE_PHRASE_PARTS 256
#define FE_PHRASE_NODE 0x80000000u
#define FE_PHRASE_NONE 0xffffffffu /* no left: the sentence has just begun, or what was begun is no phrase's beginning */

enum { FE_PHRASE_CONNECTOR = 1, FE_PHRASE_STARTS = 2, FE_PHRASE_ENDS = 4 }; /* flags of a word */

/* Secret of the hashes, once per process before the first table; results never depend on it. */
void fe_phrase_seed(uint64_t seed);

/* ---- u64 -> u32 ---- */

typedef struct fe_map_slot {
    uint64_t key;
    uint32_t value, used;
} fe_map_slot;

typedef struct fe_map {
    fe_map_slot *slots;
    int shift; /* 64 - log2(slots) */
    int64_t n, room;
} fe_map;

fe_status fe_map_init(fe_map *m, int64_t expected);
void fe_map_free(fe_map *m);
/* The value of key, or FE_PHRASE_NONE. */
uint32_t fe_map_get(const fe_map *m, uint64_t key);
/* Adds key -> value unless it is there; *found is the value that holds afterwards. */
fe_status fe_map_put(fe_map *m, uint64_t key, uint32_t value, uint32_t *found);

/* ---- the trie of words with the connector words behind them ---- */

typedef struct fe_trie {
    fe_map map;
    uint32_t *parent, *word; /* (n) by node: the left it continues, the connector word */
    int64_t n, size;
} fe_trie;

fe_status fe_trie_init(fe_trie *t);
void fe_trie_free(fe_trie *t);
/* The node after `left` and `word`, made if it is new. FE_OVERFLOW beyond 2^31 - 2 nodes. */
fe_status fe_trie_step(fe_trie *t, uint32_t left, uint32_t word, uint32_t *node);

/* ---- counting ---- */

typedef struct fe_pair {
    uint64_t key;
    int64_t count; /* 0: the slot is free */
} fe_pair;

typedef struct fe_pairs {
    fe_pair *slots;
    uint64_t size, n;
} fe_pairs;

typedef struct fe_phrase_shard {
    fe_trie trie;       /* of this shard alone; node numbers are its own */
    uint32_t *node_map; /* (trie.n) its nodes -> common ones, filled by fe_phrase_adopt */
    int64_t adopted, map_size;
    uint64_t *pairs, *raw; /* (n) sorted by part; in the order of the text (with connector words only) */
    uint8_t *part;         /* (n) of raw */
    int64_t n, size, raw_size, part_size;
    int64_t start[FE_PHRASE_PARTS + 1]; /* pairs[start[p] .. start[p + 1]) belong to part p */
} fe_phrase_shard;

fe_status fe_phrase_shard_init(fe_phrase_shard *s);
void fe_phrase_shard_free(fe_phrase_shard *s);

typedef struct fe_phrase_text {
    const int32_t *ids;     /* token `base` is ids[0] */
    int64_t base;           /* first token that can be read */
    int64_t lo, hi;         /* the pairs whose last word is one of the tokens lo .. hi are wanted */
    const int64_t *offsets; /* (sentences + 1) of the whole corpus; sentence `sentence` holds token lo */
    int64_t sentence;
    const int32_t *map;   /* ids of the corpus -> words here, or NULL for the same */
    const uint8_t *flags; /* by word, or NULL when there are no connector words */
} fe_phrase_text;

/* Fills the shard with the pairs of a stretch of text. FE_BADINPUT: the word that the first pair begins with lies
   before `base`; read from further back. */
fe_status fe_phrase_emit(fe_phrase_shard *s, const fe_phrase_text *t);
fe_status fe_phrase_adopt(fe_trie *common, fe_phrase_shard *s);
/* Makes room in a table that is still empty, of which so many pairs are to be counted; about a fourth of the first pairs
   of a text are different ones, and growing step by step costs more than counting. */
fe_status fe_phrase_expect(fe_pairs *table, int64_t pairs);
/* Adds the pairs of one part. */
fe_status fe_phrase_count(fe_pairs *table, const fe_phrase_shard *s, int part);
/* Adds `count` to a pair that is known by its key in the common trie; the part it belongs to is told. */
fe_status fe_phrase_add(fe_pairs *parts, const fe_trie *common, uint64_t key, int64_t count);
int64_t fe_phrase_find(const fe_pairs *parts, const fe_trie *common, uint64_t key);
/* Drops pairs that occur at most `limit` times; *dropped pairs and *lost occurrences are added up. */
fe_status fe_phrase_prune(fe_pairs *table, int64_t limit, int64_t *dropped, int64_t *lost);
void fe_pairs_free(fe_pairs *t);

/* The word that a left begins with. */
uint32_t fe_phrase_first(const fe_trie *t, uint32_t left);

/* ---- scores ---- */

enum { FE_SCORE_DEFAULT = 0, FE_SCORE_NPMI = 1, FE_SCORE_PMI = 2 };

typedef struct fe_score_job {
    int kind;
    double min_count, len_vocab, corpus_word_count;
} fe_score_job;

/* Score of a pair that occurs ab times, its words a and b times; counts below 2^53. -inf where it is none. */
double fe_phrase_score(const fe_score_job *job, int64_t a, int64_t b, int64_t ab);

/* ---- joining ---- */

/* Rules: (left, connector) -> node and (left, last word) -> phrase number, in one map; flags by word. */
typedef struct fe_matcher {
    fe_map map;
    const uint8_t *flags; /* (words) */
    uint32_t nodes;
    int32_t first_phrase; /* id of phrase 0 in the output */
} fe_matcher;

/* Adds the rule start, gap[0 .. n_gap), end -> phrase. FE_BADINPUT when there is one with another phrase. */
fe_status fe_matcher_add(fe_matcher *m, uint32_t start, const int32_t *gap, int64_t n_gap, uint32_t end,
                         uint32_t phrase);
/* ids[0, n) joined into out (room for n; out == ids is fine); ends[0, n_ends): tokens before the end of each sentence,
   n where it goes on; *sentence ends* become those of the output in out_ends. Where counts is given, each id written is
   counted there. An id below 0 is a word of no rule. Returns the number written. */
int64_t fe_matcher_join(const fe_matcher *m, const int32_t *ids, int64_t n, const int64_t *ends, int64_t n_ends,
                        int32_t *out, uint32_t *out_ends, int64_t *counts);
/* Text of whole lines, joined: words separated by one space, a line feed where text has one. words: id by word, as in the
   rules. spelled, spelled_at (phrases + 1): the phrases' bytes. out has room for n + growth * (n / 2 + 1) bytes, growth
   being the most by which a phrase is longer than its words with a byte between them (0 for delimiters of one byte).
   *joined phrases are added up. Returns the bytes written. */
int64_t fe_matcher_text(const fe_matcher *m, const fe_table *words, const uint8_t *spelled, const int64_t *spelled_at,
                        const uint8_t *text, int64_t n, uint8_t *out, int64_t *tokens, int64_t *joined);
/* The first token in ids[lo, hi) before which text can be cut without changing what is joined, or hi. */
int64_t fe_matcher_cut(const fe_matcher *m, const int32_t *ids, int64_t lo, int64_t hi);

#endif
