/* The training kernel: gather, block, scatter. Compiled once per instruction set (fe_kernels_*.c set FE_VW and FE_FN).
 *
 * A. Group. Up to FE_GROUP neighbouring centre words of a sentence are trained together. Their context words (skip-gram) or
 *    their hidden vectors (CBOW: the mean or sum of a centre's context) are the M input rows h_m; the centre words and
 *    `negative` noise words, drawn once for the group, are the N output rows o_n. In hierarchical softmax a group is one
 *    centre and its outputs are the inner nodes on its path. Every (input, output) cell has two weights: p_mn, how many of
 *    the group's pairs have this input and this output as their right answer, and q_mn, how many have it as a wrong one:
 *
 *        x_mn = h_m . o_n       g_mn = alpha (p_mn (1 - s_mn) - q_mn s_mn)       s_mn = 1 / (1 + exp(-x_mn))
 *        h_m += sum_n g_mn o_n  o_n += sum_m g_mn h_m      (right sides from before the step)
 *        loss += - sum_mn p_mn log(s_mn) + q_mn log(1 - s_mn)
 *
 *    With c_m the number of centres that have input m in their window: a centre word's column has p = 1 where the input is in
 *    that centre's window; a noise word's column has q = c_m. A noise word drawn twice is one column with twice the q; a noise
 *    word equal to a centre word counts for the pairs of the other centres only (word2vec.c and gensim drop it likewise);
 *    two equal centre words are one column whose p add. So the sum over the cells is exactly skip-gram's (CBOW's) objective
 *    with `negative` noise words for every pair; that neighbours share the draws changes its variance, not its mean
 *    (quality measured on real text: benchmarks/NOTES.md). A word that stands twice in the window is two inputs, updated
 *    one after the other.
 *
 * B. Block. fe_block.inc.h: logits, gradients and updates of the M x N cells, tiled over registers.
 *
 * C. Misses. The next group's output rows are drawn before a group is trained, and fetched while it computes, a few lines at a
 *    time, so that their misses overlap the arithmetic instead of stopping it (waiting costs 90-270 ns a row, overlapped
 *    3-20 ns). The group itself is the other half of this: 4 centres with 7 noise words touch 11 output rows, not 24.
 *
 * D. Batches. Tokens are subsampled into a buffer of whole sentences, or of a stretch of a long sentence with `window` kept
 *    tokens of context on either side, so no sentence is ever cut. Randomness is a function of (seed, epoch, position), see
 *    fe_random.h; a group draws with its first centre's position. */
#include "fe_random.h"
#include "fe_simd.h"
#include "fe_train.h"

#include <stdatomic.h>
#include <string.h>

#include "fe_block.inc.h"
#include "fe_batch.inc.h"
#include "fe_group.inc.h"

typedef struct {
    uint64_t epoch_key;
    float alpha0, slope;
    int64_t t0;
} fe_state;

FE_INLINE void train_skipgram(const fe_train_job *job, fe_worker *w, const fe_group *group, fe_block *b, float alpha,
                               const int loss_kind) {
    FE_ALIGN64 int32_t where[FE_LANES];
    const int32_t hi = group->hi;
    /* a lone centre is no context of its own; in a larger group every centre is a context of its neighbour */
    const int32_t skip = group->size == 1 ? w->at[group->first] : -1;
    for (int32_t k = group->lo; k <= hi;) {
        int m = 0;
        for (; k <= hi && m < FE_LANES; k++) {
            where[m] = k;
            int32_t word = w->token[k];
            b->inputs[m] = job->syn0 + (int64_t)word * job->stride;
            if (b->locked) b->factor[m] = job->lockf[word];
            m += k != skip;
        }
        if (m == 0) break;
        b->m = m;
        if (loss_kind == FE_NEGATIVE) {
            for (int i = m; i < FE_LANES; i++) where[i] = -1;
            weigh_shared(w, group, where, b);
        } else {
            weigh_path(group, b);
        }
        train_block(b, alpha, 0);
        b->ahead_count = 0;
    }
}

/* Sums `slices` slices of rows into hidden, from offset v on; the sums stay in registers. Fetches a row of the next group for each
 * row that it reads: CBOW's time is here, not in the block. */
FE_INLINE void gather_slices(const fe_block *b, float *const *rows, int count, float *hidden, int64_t v, float scale,
                             const int slices) {
    vf sum[8];
#pragma GCC unroll 8
    for (int i = 0; i < slices; i++) sum[i] = vf_zero();
    for (int k = 0; k < count; k++) {
        const float *row = rows[k] + v;
        if (k < b->ahead_count) fetch_lines(b->ahead[k], v, slices);
#pragma GCC unroll 8
        for (int i = 0; i < slices; i++) sum[i] += vf_load(row + i * FE_VW);
    }
#pragma GCC unroll 8
    for (int i = 0; i < slices; i++) vf_store(hidden + v + i * FE_VW, sum[i] * scale);
}

FE_INLINE void scatter_slices(float *const *rows, const float *factor, int count, const float *change, int64_t v, float share,
                              const int slices) {
    vf add[8];
#pragma GCC unroll 8
    for (int i = 0; i < slices; i++) add[i] = vf_load(change + v + i * FE_VW) * share;
    for (int k = 0; k < count; k++) {
        float *row = rows[k] + v;
        const float f = factor == NULL ? 1.0f : factor[k];
#pragma GCC unroll 8
        for (int i = 0; i < slices; i++) vf_store(row + i * FE_VW, vf_load(row + i * FE_VW) + add[i] * f);
    }
}

#define FE_SLICED(call)                                        \
    for (int64_t v = 0, left = b->width / FE_VW; left > 0;) {  \
        int slices = left < 8 ? (int)left : 8;                 \
        switch (slices) {                                      \
            case 1: call(1); break;                            \
            case 2: call(2); break;                            \
            case 3: call(3); break;                            \
            case 4: call(4); break;                            \
            case 5: call(5); break;                            \
            case 6: call(6); break;                            \
            case 7: call(7); break;                            \
            default: call(8); break;                           \
        }                                                      \
        v += (int64_t)slices * FE_VW;                          \
        left -= slices;                                        \
    }

static FE_NOINLINE void gather(fe_block *b, float *const *rows, int count, float *hidden, float scale) {
#define FE_CALL(n) gather_slices(b, rows, count, hidden, v, scale, n)
    FE_SLICED(FE_CALL)
#undef FE_CALL
    const int fetched = count < b->ahead_count ? count : b->ahead_count;
    b->ahead += fetched;
    b->ahead_count -= fetched;
}

static FE_NOINLINE void scatter(const fe_block *b, float *const *rows, const float *factor, int count, const float *change,
                                float share) {
#define FE_CALL(n) scatter_slices(rows, factor, count, change, v, share, n)
    FE_SLICED(FE_CALL)
#undef FE_CALL
}

/* The contexts of centre c from its k-th on, at most FE_CONTEXTS: their rows and, if some are locked, their factors. */
enum { FE_CONTEXTS = 64 };

FE_INLINE int context_rows(const fe_train_job *job, const fe_worker *w, int64_t c, int32_t *k, float **rows, float *factor) {
    int count = 0;
    for (; *k <= w->hi[c] && count < FE_CONTEXTS; ++*k) {
        int32_t word = w->token[*k];
        rows[count] = job->syn0 + (int64_t)word * job->stride;
        if (job->lockf != NULL) factor[count] = job->lockf[word];
        count += *k != w->at[c];
    }
    return count;
}

FE_INLINE void train_cbow(const fe_train_job *job, fe_worker *w, const fe_group *group, fe_block *b, float alpha,
                           const int loss_kind) {
    float *rows[FE_GROUP][FE_CONTEXTS], factor[FE_GROUP][FE_CONTEXTS];
    int count[FE_GROUP];
    int64_t centre[FE_GROUP];
    int column_of[FE_GROUP], m = 0;
    for (int t = 0; t < group->size; t++) {
        const int64_t c = group->first + t;
        const int64_t contexts = w->hi[c] - w->lo[c];
        if (contexts == 0) continue;
        const float scale = job->cbow_mean ? 1.0f / (float)contexts : 1.0f;
        float *hidden = w->hidden + m * job->stride;
        int32_t k = w->lo[c];
        count[m] = context_rows(job, w, c, &k, rows[m], factor[m]);
        if (FE_LIKELY(k > w->hi[c])) {
            gather(b, rows[m], count[m], hidden, scale);
        } else { /* more than FE_CONTEXTS: in portions, by way of the change buffer, which is free until the block */
            float *part = w->change;
            gather(b, rows[m], count[m], hidden, 1.0f);
            while (k <= w->hi[c]) {
                int n = context_rows(job, w, c, &k, rows[m], factor[m]);
                if (n == 0) break;
                gather(b, rows[m], n, part, 1.0f);
                scatter(b, &hidden, NULL, 1, part, 1.0f);
            }
            for (int64_t v = 0; v < b->width; v += FE_VW) vf_store(hidden + v, vf_load(hidden + v) * scale);
            count[m] = -1;
        }
        if (loss_kind == FE_NEGATIVE) column_of[m] = group->column_of[t];
        b->inputs[m] = hidden;
        centre[m++] = c;
    }
    if (m == 0) return;
    b->m = m;
    if (loss_kind == FE_NEGATIVE) {
        for (int first = 0; first < m; first += 4) {
            FE_ALIGN64 float live[4];
            for (int i = 0; i < 4; i++) live[i] = first + i < m ? 1.0f : 0.0f;
            for (int i = 0; i < 4; i += FE_SPAN) {
                float *p = b->right + first / 4 * b->panel + i, *q = b->wrong + first / 4 * b->panel + i;
                const vf one = vf_by_input(live + i);
                for (int n = 0; n < group->columns; n += FE_COLUMNS) {
                    vf_store(p + 4 * n, vf_zero());
                    vf_store(q + 4 * n, one * vf_by_output(group->wrong + n));
                }
            }
        }
        for (int i = 0; i < m; i++) { /* a centre's own column: right for itself, and never wrong */
            const int cell = i / 4 * b->panel + 4 * column_of[i] + i % 4;
            b->right[cell] = 1.0f;
            b->wrong[cell] = 0.0f;
        }
    } else {
        weigh_path(group, b);
    }
    train_block(b, alpha, 1);
    for (int i = 0; i < m; i++) {
        const int64_t c = centre[i];
        const float *change = w->change + i * job->stride;
        /* word2vec.c's rule: the rows of a mean each take the whole change; the rows of a sum share it (as in gensim) */
        const float share = job->cbow_mean ? 1.0f : 1.0f / (float)(w->hi[c] - w->lo[c]);
        if (FE_LIKELY(count[i] >= 0)) {
            scatter(b, rows[i], job->lockf == NULL ? NULL : factor[i], count[i], change, share);
        } else {
            for (int32_t k = w->lo[c]; k <= w->hi[c];) {
                int n = context_rows(job, w, c, &k, rows[i], factor[i]);
                scatter(b, rows[i], job->lockf == NULL ? NULL : factor[i], n, change, share);
            }
        }
    }
}

FE_INLINE void train_batch(const fe_train_job *job, fe_worker *w, const fe_state *s, const fe_batch *batch, double *loss,
                           int64_t *examples, const int algorithm, const int loss_kind) {
    const int most = loss_kind == FE_NEGATIVE ? job->group : 1;
    const int64_t centres = batch->centres;
    FE_ALIGN64 float copy[FE_TILE * FE_STEP * FE_VW];
    const float *ahead[FE_AHEAD + 1];
    fe_block block;
    block.loss = vf_zero();
    block.copy = copy;
    block.ahead = ahead;
    block.locked = job->lockf != NULL;
    block.width = (job->dim + FE_VW - 1) / FE_VW * FE_VW;
    block.stride = job->stride;
    block.right = w->right;
    block.wrong = w->wrong;
    block.cells = w->cells;
    block.change = w->change;
    w->hashed = -1;

    int64_t next = 0, count = 0; /* first centre that no group holds yet; contexts, or centres that have any */
    for (int64_t i = 0; i == 0 || w->ring[i & 1].size > 0; i++) {
        for (int64_t k = i == 0 ? 0 : i + 1; k <= i + 1; k++) { /* the next group, and at first this one */
            fe_group *group = &w->ring[k & 1];
            int size = next < centres; /* a group stays inside its sentence: the context of one sentence is none of the next */
            while (size > 0 && size < most && next + size < centres && w->unit[next + size] == w->unit[next]) size++;
            group->size = size;
            if (size == 0) continue;
            draw_group(job, w, s->epoch_key, next, group, loss_kind);
            next += size;
            if (loss_kind == FE_NEGATIVE) {
                if (next < centres) hash_draws(job, w, s->epoch_key, next);
            } else if (next + 3 < centres) { /* a path is two loads, one after the other: further ahead */
                fetch_path(job, w, next + 3);
            }
        }
        const fe_group *group = &w->ring[i & 1], *later = &w->ring[(i + 1) & 1];
        block.ahead = ahead;
        block.ahead_count = group->size > 0 && later->size > 0 ? rows_ahead(job, w, group, later, ahead) : 0;
        if (group->size == 0 || group->columns == 0) continue;
        block.outputs = group->outputs;
        block.n = group->columns;
        block.panel = (group->columns + FE_COLUMNS - 1) / FE_COLUMNS * FE_COLUMNS * 4;
        for (int t = 0; t < group->size; t++) {
            int64_t contexts = w->hi[group->first + t] - w->lo[group->first + t];
            count += algorithm == FE_SKIPGRAM ? contexts : contexts > 0;
        }
        const float alpha = s->alpha0 + s->slope * (float)(w->position[group->first] - s->t0);
        if (algorithm == FE_SKIPGRAM)
            train_skipgram(job, w, group, &block, alpha, loss_kind);
        else
            train_cbow(job, w, group, &block, alpha, loss_kind);
        if (i % FE_VW == FE_VW - 1) { /* in float64 before a lane has seen too many */
            *loss += (double)vf_sum(block.loss);
            block.loss = vf_zero();
        }
    }
    *loss += (double)vf_sum(block.loss);
    *examples += count;
}

/* Functions of their own, so that each has the registers to itself. */
#define FE_BATCH(name, algorithm, loss_kind)                                                                       \
    static FE_NOINLINE void name(const fe_train_job *job, fe_worker *w, const fe_state *s, const fe_batch *batch, \
                                 double *loss, int64_t *examples) {                                               \
        train_batch(job, w, s, batch, loss, examples, algorithm, loss_kind);                                      \
    }
FE_BATCH(skipgram_negative, FE_SKIPGRAM, FE_NEGATIVE)
FE_BATCH(skipgram_hierarchical, FE_SKIPGRAM, FE_HIERARCHICAL)
FE_BATCH(cbow_negative, FE_CBOW, FE_NEGATIVE)
FE_BATCH(cbow_hierarchical, FE_CBOW, FE_HIERARCHICAL)
#undef FE_BATCH

fe_status FE_FN(const fe_train_job *job, const fe_piece *piece, fe_worker *w) {
    fe_state s = {0};
    s.epoch_key = fe_epoch_key(job->seed, (uint64_t)piece->epoch);
    s.alpha0 = piece->alpha0;
    s.t0 = piece->t0;
    s.slope = piece->t1 > piece->t0 ? (piece->alpha1 - piece->alpha0) / (float)(piece->t1 - piece->t0) : 0.0f;
    const int64_t stretch = job->longest_window > FE_UNIT ? job->longest_window : FE_UNIT; /* else mostly context is read */
    const int64_t end = piece->base + piece->length;

    int64_t sentence = piece->first_sentence;
    int64_t position = piece->t0;
    while (position < piece->t1) {
        if (atomic_load_explicit(&w->stop, memory_order_relaxed)) return FE_STOPPED;
        fe_batch batch = {0, 0};
        int64_t before = position;
        while (position < piece->t1 && batch.tokens < FE_UNIT) {
            while (piece->offsets[sentence + 1] <= position) sentence++;
            int64_t lo = piece->offsets[sentence] > piece->base ? piece->offsets[sentence] : piece->base;
            int64_t hi = piece->offsets[sentence + 1] < end ? piece->offsets[sentence + 1] : end;
            int64_t to = hi < piece->t1 ? hi : piece->t1;
            if (to > position + stretch) to = position + stretch;
            fill(job, piece, w, &batch, s.epoch_key, lo, position, to, hi);
            position = to;
        }
        double loss = 0.0;
        int64_t examples = 0;
        if (job->algorithm == FE_SKIPGRAM)
            (job->loss == FE_NEGATIVE ? skipgram_negative : skipgram_hierarchical)(job, w, &s, &batch, &loss, &examples);
        else
            (job->loss == FE_NEGATIVE ? cbow_negative : cbow_hierarchical)(job, w, &s, &batch, &loss, &examples);
        /* one writer: plain additions through relaxed loads and stores */
#define FE_ADD(field, value) \
    atomic_store_explicit(&w->field, atomic_load_explicit(&w->field, memory_order_relaxed) + (value), memory_order_relaxed)
        FE_ADD(words, position - before);
        FE_ADD(kept, batch.centres);
        FE_ADD(examples, examples);
        FE_ADD(loss, loss);
#undef FE_ADD
        if (FE_UNLIKELY(!(loss - loss == 0.0))) {
            atomic_store_explicit(&w->nonfinite, 1, memory_order_relaxed);
            memset(w->cells, 0, (size_t)w->outputs * FE_LANES * sizeof(float)); /* no NaN stays behind for another run */
            return FE_NONFINITE;
        }
    }
    return FE_OK;
}
