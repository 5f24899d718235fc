/* The word2vec trainer: what a job is, what a worker holds, and the one entry point that each instruction set provides.
 *
 * Shapes: V words, D = vector_size, S = stride in floats (D rounded up to 16, the padding is zero and stays zero).
 *   syn0 (V, S)  input rows         syn1 (V, S) output rows of negative sampling, or (V - 1, S) inner nodes of the Huffman tree
 */
#ifndef FE_TRAIN_H
#define FE_TRAIN_H

#include "fe_alias.h"
#include "fe_common.h"

enum { FE_SKIPGRAM = 0, FE_CBOW = 1 };
enum { FE_NEGATIVE = 0, FE_HIERARCHICAL = 1 };

enum {
    FE_ROW_ALIGN = 16, /* floats: rows start on cache lines                                               */
    FE_LANES = 16,     /* input rows of one block; a group with more contexts takes several blocks        */
    FE_GROUP = 8,      /* most neighbouring centres that share their noise words                          */
    FE_AHEAD = 32,     /* rows fetched while a group is trained                                           */
    FE_UNIT = 1024     /* centres per stretch of a long sentence, and kept tokens per batch of sentences  */
};

typedef struct fe_train_job {
    float *syn0, *syn1;
    int64_t stride;
    int64_t vocabulary;
    int32_t dim;
    int32_t algorithm, loss;
    int32_t window;   /* largest distance between centre and context, >= 1 */
    int64_t longest_window; /* the smaller of window and the longest sentence: what scratch memory is sized by */
    int32_t shrink;   /* draw the window uniformly from 1 .. window        */
    int32_t negative; /* noise words of a pair                              */
    int32_t group;    /* centres trained together, 1 .. FE_GROUP            */
    int32_t draws;    /* noise words drawn for a group; each weighs negative / draws */
    int32_t cbow_mean;
    uint64_t seed;
    const uint32_t *keep;      /* (V) subsampling thresholds, or NULL                  */
    const float *lockf;        /* (V) factors of the input rows' updates, or NULL      */
    const fe_alias *alias;     /* (V) noise distribution                               */
    const int64_t *hs_offsets; /* (V + 1) the words' Huffman paths                     */
    const int32_t *hs_points;
    const uint8_t *hs_codes;
    int32_t hs_longest;
} fe_train_job;

/* Centres t0 .. t1 (absolute token positions) of the ids that stand at absolute positions base .. base + length. Tokens of a
 * cut sentence outside t0 .. t1 serve as context only. */
typedef struct fe_piece {
    const int32_t *ids;
    int64_t base, length;
    const int64_t *offsets; /* absolute sentence offsets; sentence s is offsets[s] .. offsets[s + 1] */
    int64_t sentences;
    int64_t first_sentence; /* the sentence that holds t0 */
    int64_t t0, t1;
    int64_t epoch;
    float alpha0, alpha1;
} fe_piece;

/* Neighbouring centres and the output rows drawn for them. */
typedef struct fe_group {
    int64_t first; /* centres first .. first + size of the batch */
    int32_t size, columns;
    int32_t lo, hi;              /* all of their contexts: tokens of the batch, both ends included  */
    int32_t distinct;            /* whether the centres are different words, columns 0 .. size       */
    int32_t column_of[FE_GROUP]; /* the centres' own columns                                          */
    float **outputs;             /* (columns) rows of syn1, all different                             */
    float *wrong;                /* (columns) how often the row is a wrong answer; zeros up to a multiple of 4 */
    float *label;                /* (columns) hierarchical softmax: how often it is a right one; likewise      */
} fe_group;

/* One a worker. The counters are read by other threads while the worker runs, so they are atomic; they are added to once a
 * batch. Everything else belongs to the worker alone. */
typedef struct fe_worker {
    _Atomic int64_t words, kept, examples;
    _Atomic double loss;
    _Atomic int32_t stop, nonfinite;
    /* scratch, sized by fe_worker_prepare */
    void *memory;
    int64_t capacity;     /* tokens per batch including context */
    int64_t stride;
    int32_t outputs;      /* most output rows of a group        */
    int32_t *token;        /* (capacity) word ids that survived subsampling                   */
    int32_t *at, *lo, *hi; /* (capacity) a centre's index in token, and its context lo .. hi  */
    int32_t *unit;         /* (capacity) tells the centres of one sentence from the next's    */
    int64_t *position;     /* (capacity) a centre's absolute position                         */
    uint32_t *slot, *coin; /* (outputs + 8) hashes of the noise words of the group that starts at centre `hashed` */
    int64_t hashed;
    fe_group ring[2]; /* the group that is trained, and those whose rows are fetched meanwhile */
    float *right;          /* (FE_LANES / 4 panels) weights as right answers, see fe_block.inc.h        */
    float *wrong;          /* same: weights as wrong answers                                            */
    float *cells;          /* same: gradients                                                           */
    float *hidden;         /* (FE_GROUP, stride) CBOW's hidden vectors                                  */
    float *change;         /* (FE_LANES, stride) the inputs' change, where it is buffered               */
} fe_worker;

typedef fe_status fe_train_fn(const fe_train_job *job, const fe_piece *piece, fe_worker *worker);

fe_train_fn fe_train_scalar, fe_train_avx2, fe_train_avx512, fe_train_neon;

fe_status fe_worker_prepare(fe_worker *worker, const fe_train_job *job);
void fe_worker_release(fe_worker *worker);

/* In-place change of row stride, and a scan for NaN and Inf (returns the first bad row or -1). */
void fe_rows_pad(float *rows, int64_t n, int64_t dim, int64_t stride);
void fe_rows_unpad(float *rows, int64_t n, int64_t dim, int64_t stride);
int64_t fe_rows_first_nonfinite(const float *rows, int64_t n, int64_t dim, int64_t stride);

#endif
