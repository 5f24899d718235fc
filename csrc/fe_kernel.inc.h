/* The training kernel: gather, block, scatter. Compiled once per instruction set (fe_kernels_*.c set FE_VW and FE_FN).
 *
 * A. Block. For one centre word, M input rows h_m (skip-gram: its context words; CBOW: one hidden vector, the mean or sum of
 *    them) meet N output rows o_n (negative sampling: the centre word and its noise words, shared by all inputs of the block;
 *    hierarchical softmax: the inner nodes on the centre word's path) with labels l_n (1 for the centre word; 1 - code):
 *
 *        x_mn = h_m . o_n        g_mn = alpha w_n (l_n - sigmoid(x_mn))
 *        h_m += sum_n g_mn o_n   o_n += sum_m g_mn h_m   (right sides from before the step)
 *        loss += - sum_mn w_n log(l_n ? sigmoid(x_mn) : 1 - sigmoid(x_mn))
 *
 *    w_n is 1, but for a noise word drawn twice, which is one column of weight 2. A noise word equal to the centre word is
 *    dropped, as word2vec.c and gensim do. A context word that stands twice in the window is two inputs, updated one after
 *    the other.
 *
 * B. Tiles. Logits: 2 x 6 dot products at a time, FE_VW lanes each, 12 accumulators, then one transposed reduction. Update: for
 *    each FE_VW-wide slice, 6 output slices and their 6 changes stay in registers while the inputs pass by; each input slice
 *    is loaded and stored once. More than 6 columns take several passes and collect the inputs' change in a buffer.
 *
 * C. Misses. Output rows are drawn FE_MAX_AHEAD centres ahead and prefetched there, one line per slice of the update, so that
 *    their misses overlap the arithmetic instead of stopping it (waiting costs 90-270 ns a row, overlapped 3-20 ns).
 *
 * D. Batches. Tokens are subsampled into a buffer of whole sentences, or of a stretch of a long sentence with `window` kept
 *    tokens of context on either side, so no sentence is ever cut. Randomness is a function of (seed, epoch, position), see
 *    fe_random.h. */
#include "fe_random.h"
#include "fe_simd.h"
#include "fe_train.h"

#include <stdatomic.h>
#include <string.h>

#define FE_TILE_N 6

/* ---- A, B: the block -------------------------------------------------------------------------------------------------- */

/* Rows whose lines are fetched while the block computes. */
typedef struct {
    const float *row[FE_TILE_N + 2];
    int count;
} fe_ahead;

typedef struct {
    float *const *inputs; /* M rows */
    float *const *outputs; /* N rows */
    int m, n;
    int64_t width; /* floats a row that matter, a multiple of FE_VW */
    float *cells;  /* (M, N) logits, then gradients */
    const float *factor; /* (M) lockf of the inputs, or NULL */
} fe_block;

FE_INLINE void logits_tile(float *const *h, float *const *o, int64_t width, float *x, int64_t ldx, const int mt, const int nt) {
    vf acc[2 * FE_TILE_N];
#pragma GCC unroll 16
    for (int i = 0; i < mt * nt; i++) acc[i] = vf_zero();
    for (int64_t v = 0; v < width; v += FE_VW) {
        vf b[FE_TILE_N];
#pragma GCC unroll 8
        for (int n = 0; n < nt; n++) b[n] = vf_load(o[n] + v);
#pragma GCC unroll 2
        for (int m = 0; m < mt; m++) {
            vf a = vf_load(h[m] + v);
#pragma GCC unroll 8
            for (int n = 0; n < nt; n++) acc[m * nt + n] += a * b[n];
        }
    }
    if (ldx == nt) { /* rows of cells follow each other; what the last store writes beyond is overwritten or padding */
        vf_reduce(acc, mt * nt, x);
    } else {
        float sums[2 * FE_TILE_N + 16];
        vf_reduce(acc, mt * nt, sums);
        for (int m = 0; m < mt; m++)
            for (int n = 0; n < nt; n++) x[m * ldx + n] = sums[m * nt + n];
    }
}

FE_INLINE void logits_columns(const fe_block *b, int first, const int nt) {
    int m = 0;
    for (; m + 2 <= b->m; m += 2)
        logits_tile(b->inputs + m, b->outputs + first, b->width, b->cells + m * b->n + first, b->n, 2, nt);
    if (m < b->m) logits_tile(b->inputs + m, b->outputs + first, b->width, b->cells + m * b->n + first, b->n, 1, nt);
}

/* Updates the outputs of one column tile and, into = 0, the inputs; into = 1: adds the inputs' change to `change` instead. */
FE_INLINE void update_columns(const fe_block *b, int first, float *change, int64_t stride, const fe_ahead *ahead, const int nt,
                              const int into, const int locked) {
    float *const *o = b->outputs + first;
    const float *g0 = b->cells + first;
    for (int64_t v = 0; v < b->width; v += FE_VW) {
        vf row[FE_TILE_N], delta[FE_TILE_N];
#pragma GCC unroll 8
        for (int n = 0; n < nt; n++) {
            row[n] = vf_load(o[n] + v);
            delta[n] = vf_zero();
        }
        if (FE_VW >= 16 || v % 16 == 0)
            for (int n = 0; n < ahead->count; n++) FE_PREFETCH(ahead->row[n] + v);
        const float *g = g0;
        for (int m = 0; m < b->m; m++, g += b->n) {
            vf h = vf_load(b->inputs[m] + v);
            vf dh = row[0] * g[0];
            delta[0] += h * g[0];
#pragma GCC unroll 8
            for (int n = 1; n < nt; n++) {
                dh += row[n] * g[n];
                delta[n] += h * g[n];
            }
            if (into)
                vf_store(change + m * stride + v, vf_load(change + m * stride + v) + dh);
            else if (locked)
                vf_store(b->inputs[m] + v, h + dh * b->factor[m]);
            else
                vf_store(b->inputs[m] + v, h + dh);
        }
#pragma GCC unroll 8
        for (int n = 0; n < nt; n++) vf_store(o[n] + v, row[n] + delta[n]);
    }
}

#define FE_COLUMNS(call)           \
    switch (nt) {                  \
        case 1: call(1); break;    \
        case 2: call(2); break;    \
        case 3: call(3); break;    \
        case 4: call(4); break;    \
        case 5: call(5); break;    \
        default: call(6); break;   \
    }

/* cells: logits in, alpha * (label - sigmoid) out; returns the loss of `count` cells. Cells past count are written too. */
FE_INLINE float sigmoid_cells(float *cells, const float *labels, int count, float alpha) {
    vf total = vf_zero(), nan = vf_zero();
    for (int i = 0; i < count; i += 2 * FE_VW) {
        vf right[2];
#pragma GCC unroll 2
        for (int k = 0; k < 2; k++) {
            int at = i + k * FE_VW;
            if (at >= count) { /* whole vector past the end */
                right[k] = vf_zero() + 1.0f;
                continue;
            }
            vf label = vf_load(labels + at);
            vf e = vf_exp(vf_clamp(vf_zero() - vf_load(cells + at), 30.0f));
            vf s = 1.0f / (e + 1.0f);
            vf_store(cells + at, (label - s) * alpha);
            vf p = s * (label + (1.0f - label) * e); /* the probability given to the true label, >= 9e-14; exact for 0 and 1 */
#if FE_VW > 1
            if (at + FE_VW > count) {
                vi lane;
                for (int l = 0; l < FE_VW; l++) lane[l] = l;
                vi past = lane >= count - at;
                p = vf_from_bits((vf_bits(p) & ~past) | (vf_bits(vf_zero() + 1.0f) & past));
            }
#endif
            right[k] = p;
        }
        vf both = right[0] * right[1];
        nan += both * 0.0f; /* the logarithm below works on bits and would hide a NaN */
        total += vf_log(both);
    }
    return vf_sum(nan) - vf_sum(total);
}

/* One block. change: (M, stride) zeroed here when it is needed; when `into` the inputs' change is left there and the inputs
 * stay as they were. Returns the loss. */
FE_INLINE float train_block(const fe_block *b, const float *labels, const float *weights, float alpha, float *change,
                            int64_t stride, const fe_ahead *ahead, int into) {
    static const fe_ahead nothing = {{0}, 0};
    for (int first = 0; first < b->n; first += FE_TILE_N) {
        int nt = b->n - first < FE_TILE_N ? b->n - first : FE_TILE_N;
#define FE_CALL(k) logits_columns(b, first, k)
        FE_COLUMNS(FE_CALL)
#undef FE_CALL
    }
    int count = b->m * b->n;
    float extra = 0.0f;
    if (weights != NULL) /* rare: some noise word was drawn more than once */
        for (int n = 0; n < b->n; n++)
            if (weights[n] != 1.0f)
                for (int m = 0; m < b->m; m++) {
                    float x = b->cells[m * b->n + n]; /* such a column is noise: its loss is log(1 + e^x) */
                    x = x > 30.0f ? 30.0f : (x < -30.0f ? -30.0f : x);
                    extra += (weights[n] - 1.0f) * __builtin_log1pf(__builtin_expf(x));
                }
    float loss = sigmoid_cells(b->cells, labels, count, alpha) + extra;
    if (weights != NULL)
        for (int n = 0; n < b->n; n++)
            if (weights[n] != 1.0f)
                for (int m = 0; m < b->m; m++) b->cells[m * b->n + n] *= weights[n];

    if (b->n <= FE_TILE_N && !into) {
        int nt = b->n;
        if (b->factor == NULL) {
#define FE_CALL(k) update_columns(b, 0, NULL, 0, ahead, k, 0, 0)
            FE_COLUMNS(FE_CALL)
#undef FE_CALL
        } else {
#define FE_CALL(k) update_columns(b, 0, NULL, 0, ahead, k, 0, 1)
            FE_COLUMNS(FE_CALL)
#undef FE_CALL
        }
        return loss;
    }
    memset(change, 0, (size_t)(b->m * stride) * sizeof(float));
    for (int first = 0; first < b->n; first += FE_TILE_N) {
        int nt = b->n - first < FE_TILE_N ? b->n - first : FE_TILE_N;
#define FE_CALL(k) update_columns(b, first, change, stride, first == 0 ? ahead : &nothing, k, 1, 0)
        FE_COLUMNS(FE_CALL)
#undef FE_CALL
    }
    if (!into)
        for (int m = 0; m < b->m; m++) {
            float factor = b->factor == NULL ? 1.0f : b->factor[m];
            for (int64_t v = 0; v < b->width; v += FE_VW)
                vf_store(b->inputs[m] + v, vf_load(b->inputs[m] + v) + vf_load(change + m * stride + v) * factor);
        }
    return loss;
}

/* ---- C: output rows of a centre ---------------------------------------------------------------------------------------- */

typedef struct {
    int count;
    int weighted; /* some weight is not 1 */
} fe_drawn;

FE_INLINE fe_drawn draw_negatives(const fe_train_job *job, int32_t centre, uint64_t key, int32_t *rows, float *weights) {
    fe_drawn drawn = {1, 0};
    rows[0] = centre;
    weights[0] = 1.0f;
    for (int32_t j = 0; j < job->negative; j++) {
        uint64_t bits = fe_mix64(key + (uint64_t)(j + 1) * FE_SILVER);
        int32_t word = fe_alias_draw(job->alias, (uint32_t)job->vocabulary, bits);
        int seen = -1;
        for (int i = 0; i < drawn.count; i++)
            if (rows[i] == word) seen = i;
        if (FE_LIKELY(seen < 0)) {
            rows[drawn.count] = word;
            weights[drawn.count++] = 1.0f;
        } else if (seen > 0) {
            weights[seen] += 1.0f;
            drawn.weighted = 1;
        }
    }
    return drawn;
}

FE_INLINE fe_drawn draw_path(const fe_train_job *job, int32_t centre, int32_t *rows, float *labels) {
    int64_t from = job->hs_offsets[centre];
    fe_drawn drawn = {(int)(job->hs_offsets[centre + 1] - from), 0};
    for (int n = 0; n < drawn.count; n++) {
        rows[n] = job->hs_points[from + n];
        labels[n] = 1.0f - (float)job->hs_codes[from + n];
    }
    return drawn;
}

/* ---- D: batches -------------------------------------------------------------------------------------------------------- */

typedef struct {
    int64_t tokens, centres;
} fe_batch;

FE_INLINE int is_kept(const fe_train_job *job, const fe_piece *piece, uint64_t epoch_key, int64_t position) {
    if (job->keep == NULL) return 1;
    uint32_t hash = fe_hash32((uint32_t)position, fe_sub_key(epoch_key, (uint64_t)position));
    return hash <= job->keep[piece->ids[position - piece->base]];
}

/* Appends the centres from .. to of one sentence that spans lo .. hi (absolute, clipped to the piece's ids). */
FE_INLINE void fill(const fe_train_job *job, const fe_piece *piece, fe_worker *w, fe_batch *batch, uint64_t epoch_key,
                    int64_t lo, int64_t from, int64_t to, int64_t hi) {
    const int32_t *ids = piece->ids;
    const int64_t base = piece->base, first = batch->tokens, first_centre = batch->centres;
    int32_t *token = w->token;
    int64_t n = first, c = first_centre;

    int64_t left = 0;
    for (int64_t p = from - 1; p >= lo && left < job->window; p--)
        if (is_kept(job, piece, epoch_key, p)) token[n + left++] = ids[p - base];
    for (int64_t i = 0, j = left - 1; i < j; i++, j--) {
        int32_t swap = token[n + i];
        token[n + i] = token[n + j];
        token[n + j] = swap;
    }
    n += left;

    if (job->keep == NULL) {
        for (int64_t p = from; p < to; p++) {
            w->at[c] = (int32_t)n;
            w->position[c++] = p;
            token[n++] = ids[p - base];
        }
    } else {
        for (int64_t p = from; p < to;) {
            int64_t stop = p + 64 < to ? p + 64 : to;
            if (((uint64_t)p >> 32) != ((uint64_t)(stop - 1) >> 32)) stop = (int64_t)(((uint64_t)p >> 32) + 1) << 32;
            uint32_t hash[64], key = fe_sub_key(epoch_key, (uint64_t)p);
            for (int i = 0; i < 64; i++) hash[i] = fe_hash32((uint32_t)p + (uint32_t)i, key);
            for (int i = 0; p < stop; i++, p++) { /* no branch: the next token overwrites a dropped one */
                int32_t id = ids[p - base];
                int kept = hash[i] <= job->keep[id];
                w->at[c] = (int32_t)n;
                w->position[c] = p;
                token[n] = id;
                c += kept;
                n += kept;
            }
        }
    }

    int64_t right = 0;
    for (int64_t p = to; p < hi && right < job->window; p++)
        if (is_kept(job, piece, epoch_key, p)) token[n + right++] = ids[p - base];
    n += right;

    for (int64_t i = first_centre; i < c; i++) {
        int64_t reach = job->window;
        if (job->shrink)
            reach -= fe_scale32((uint32_t)(fe_centre_key(epoch_key, (uint64_t)w->position[i]) >> 32), (uint32_t)job->window);
        int64_t a = w->at[i] - reach, z = w->at[i] + reach;
        w->lo[i] = (int32_t)(a < first ? first : a);
        w->hi[i] = (int32_t)(z > n - 1 ? n - 1 : z);
    }
    batch->tokens = n;
    batch->centres = c;
}

typedef struct {
    uint64_t epoch_key;
    float alpha0, slope;
    int64_t t0;
    fe_drawn drawn[FE_MAX_AHEAD];
    int label_columns; /* number of columns for which w->labels is filled with the pattern 1, 0, 0, ... */
} fe_state;

FE_INLINE void draw(const fe_train_job *job, fe_worker *w, fe_state *s, int64_t c, const int loss) {
    int slot = (int)(c % FE_MAX_AHEAD);
    int32_t centre = w->token[w->at[c]];
    int32_t *rows = w->rows + slot * w->outputs;
    if (loss == FE_NEGATIVE)
        s->drawn[slot] = draw_negatives(job, centre, fe_centre_key(s->epoch_key, (uint64_t)w->position[c]), rows,
                                        w->weights + slot * w->outputs);
    else
        s->drawn[slot] = draw_path(job, centre, rows, w->column_labels + slot * w->outputs);
}

/* Trains one centre; `ahead` rows are fetched meanwhile. Returns the loss and counts the examples. */
FE_INLINE float train_centre(const fe_train_job *job, fe_worker *w, fe_state *s, int64_t c, const fe_ahead *ahead,
                             int64_t *examples, const int algorithm, const int loss_kind) {
    const int slot = (int)(c % FE_MAX_AHEAD);
    const fe_drawn drawn = s->drawn[slot];
    const int32_t at = w->at[c], lo = w->lo[c], hi = w->hi[c];
    const int64_t contexts = hi - lo;
    if (contexts == 0 || drawn.count == 0) return 0.0f;
    const float alpha = s->alpha0 + s->slope * (float)(w->position[c] - s->t0);
    const float *weights = drawn.weighted ? w->weights + slot * w->outputs : NULL;
    float *stack_outputs[64], *inputs[FE_MAX_INPUTS], factor[FE_MAX_INPUTS];
    float **outputs = stack_outputs;
    if (FE_UNLIKELY(drawn.count > 64)) outputs = (float **)(void *)w->pointers;
    for (int n = 0; n < drawn.count; n++) outputs[n] = job->syn1 + (int64_t)w->rows[slot * w->outputs + n] * job->stride;

    const int most = algorithm == FE_SKIPGRAM ? FE_MAX_INPUTS : 1;
    float *labels = w->labels;
    if (loss_kind == FE_NEGATIVE) {
        if (s->label_columns != drawn.count) {
            for (int i = 0; i < most * drawn.count + FE_VW; i++) labels[i] = i % drawn.count == 0 ? 1.0f : 0.0f;
            s->label_columns = drawn.count;
        }
    } else {
        int rows = contexts < most ? (int)contexts : most;
        for (int m = 0; m < rows; m++)
            memcpy(labels + m * drawn.count, w->column_labels + slot * w->outputs, (size_t)drawn.count * sizeof(float));
    }

    fe_block block = {inputs, outputs, 0, drawn.count, (job->dim + FE_VW - 1) / FE_VW * FE_VW, w->logits, NULL};
    float loss = 0.0f;
    if (algorithm == FE_SKIPGRAM) {
        *examples += contexts;
        for (int32_t k = lo; k <= hi;) {
            block.m = 0;
            for (; k <= hi && block.m < FE_MAX_INPUTS; k++) {
                if (k == at) continue;
                int32_t word = w->token[k];
                if (job->lockf != NULL) factor[block.m] = job->lockf[word];
                inputs[block.m++] = job->syn0 + (int64_t)word * job->stride;
            }
            if (block.m == 0) break;
            if (job->lockf != NULL) block.factor = factor;
            loss += train_block(&block, labels, weights, alpha, w->change, job->stride, ahead, 0);
        }
    } else {
        *examples += 1;
        float *hidden = w->hidden, *change = w->hidden + job->stride;
        const float inverse = 1.0f / (float)contexts;
        const float scale = job->cbow_mean ? inverse : 1.0f;
        for (int64_t v = 0; v < block.width; v += FE_VW) {
            vf sum = vf_zero();
            for (int32_t k = lo; k <= hi; k++)
                if (k != at) sum += vf_load(job->syn0 + (int64_t)w->token[k] * job->stride + v);
            vf_store(hidden + v, sum * scale);
        }
        inputs[0] = hidden;
        block.m = 1;
        loss = train_block(&block, labels, weights, alpha, change, job->stride, ahead, 1);
        /* word2vec.c's rule: the mean's rows each take the whole change; a sum's rows share it (gensim does the same) */
        const float share = job->cbow_mean ? 1.0f : inverse;
        for (int32_t k = lo; k <= hi; k++) {
            if (k == at) continue;
            int32_t word = w->token[k];
            float *row = job->syn0 + (int64_t)word * job->stride;
            float f = job->lockf == NULL ? share : share * job->lockf[word];
            for (int64_t v = 0; v < block.width; v += FE_VW) vf_store(row + v, vf_load(row + v) + vf_load(change + v) * f);
        }
    }
    return loss;
}

FE_INLINE void train_batch(const fe_train_job *job, fe_worker *w, fe_state *s, const fe_batch *batch, double *loss,
                           int64_t *examples, const int algorithm, const int loss_kind) {
    const int64_t centres = batch->centres;
    for (int64_t c = 0; c < centres && c < FE_MAX_AHEAD - 1; c++) draw(job, w, s, c, loss_kind);
    for (int64_t c = 0; c < centres; c++) {
        fe_ahead ahead;
        ahead.count = 0;
        int64_t next = c + FE_MAX_AHEAD - 1;
        if (next < centres) {
            draw(job, w, s, next, loss_kind);
            int slot = (int)(next % FE_MAX_AHEAD);
            int rows = s->drawn[slot].count < FE_TILE_N ? s->drawn[slot].count : FE_TILE_N;
            for (int n = 0; n < rows; n++) /* the last of a path are the rare, cold nodes */
                ahead.row[n] = job->syn1 + (int64_t)w->rows[slot * w->outputs + s->drawn[slot].count - 1 - n] * job->stride;
            ahead.count = rows;
        }
        int64_t entering = w->hi[c] + FE_MAX_AHEAD;
        if (entering < batch->tokens) ahead.row[ahead.count++] = job->syn0 + (int64_t)w->token[entering] * job->stride;
        *loss += (double)train_centre(job, w, s, c, &ahead, examples, algorithm, loss_kind);
    }
}

fe_status FE_FN(const fe_train_job *job, const fe_piece *piece, fe_worker *w) {
    fe_state s = {0};
    s.epoch_key = fe_epoch_key(job->seed, (uint64_t)piece->epoch);
    s.alpha0 = piece->alpha0;
    s.t0 = piece->t0;
    s.slope = piece->t1 > piece->t0 ? (piece->alpha1 - piece->alpha0) / (float)(piece->t1 - piece->t0) : 0.0f;
    const int64_t stretch = job->window > FE_UNIT && w->capacity > 8 * FE_UNIT ? (w->capacity - 2 * FE_UNIT) / 4 : FE_UNIT;
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
        if (job->algorithm == FE_SKIPGRAM) {
            if (job->loss == FE_NEGATIVE)
                train_batch(job, w, &s, &batch, &loss, &examples, FE_SKIPGRAM, FE_NEGATIVE);
            else
                train_batch(job, w, &s, &batch, &loss, &examples, FE_SKIPGRAM, FE_HIERARCHICAL);
        } else {
            if (job->loss == FE_NEGATIVE)
                train_batch(job, w, &s, &batch, &loss, &examples, FE_CBOW, FE_NEGATIVE);
            else
                train_batch(job, w, &s, &batch, &loss, &examples, FE_CBOW, FE_HIERARCHICAL);
        }
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
            return FE_NONFINITE;
        }
    }
    return FE_OK;
}
