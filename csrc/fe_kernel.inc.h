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
 * B. Tiles. Logits: 4 (the last: 2) inputs x 3 outputs (x 4 with 32 registers) at a time, then one transposed reduction. Update: for each
 *    FE_VW-wide slice, up to FE_TILE output slices and their changes stay in registers while the inputs pass by; each input
 *    slice is loaded and stored once. More outputs take several passes and keep the inputs' change in a buffer meanwhile.
 *    Cells are stored output by output, FE_LANES inputs each, so that weights and sigmoids are plain vector arithmetic.
 *
 * C. Misses. Output rows are drawn FE_RING - 1 groups ahead and fetched while a group computes, one line per slice of the
 *    update, so that their misses overlap the arithmetic instead of stopping it (waiting costs 90-270 ns a row, overlapped
 *    3-20 ns). The group itself is the other half of this: 4 centres with 5 noise words touch 9 output rows, not 24.
 *
 * D. Batches. Tokens are subsampled into a buffer of whole sentences, or of a stretch of a long sentence with `window` kept
 *    tokens of context on either side, so no sentence is ever cut. Randomness is a function of (seed, epoch, position), see
 *    fe_random.h; a group draws with its first centre's position. */
#include "fe_random.h"
#include "fe_simd.h"
#include "fe_train.h"

#include <stdatomic.h>
#include <string.h>

#if FE_VW == 8 /* 16 registers: 6 rows, 6 changes, an input, its change, a gradient */
#define FE_TILE 6
#define FE_TILE_LOGITS 3
#elif FE_VW == 1
#define FE_TILE 4
#define FE_TILE_LOGITS 4
#else /* 32 registers */
#define FE_TILE 12
#define FE_TILE_LOGITS 4
#endif

/* ---- A, B: the block -------------------------------------------------------------------------------------------------- */

typedef struct {
    float *inputs[FE_LANES + 4]; /* M rows; padded to a multiple of 4 with repeats whose cells weigh nothing */
    float factor[FE_LANES];      /* lockf of the inputs, read if `locked` */
    int m, n, locked;
    float *const *outputs;       /* N rows */
    int64_t width, stride;       /* floats a row that matter, a multiple of FE_VW; floats from row to row */
    int lanes;                   /* 4, 8 or FE_LANES, at least M: how wide a column of logits and weights is */
    float *logits, *right, *wrong; /* (N, lanes), closely packed: x, p, q; what pads the last vector weighs nothing */
    float *cells;                /* (N, FE_LANES) gradients */
    float *change;               /* (FE_LANES, stride) the inputs' change, where it is buffered */
    const float *ahead[FE_AHEAD]; /* rows to fetch meanwhile */
    int ahead_count;
} fe_block;

/* mt inputs x nt outputs; sums[n * mt + m]. */
FE_INLINE void logits_tile(const fe_block *b, int m0, int n0, const int mt, const int nt) {
    float *const *o = b->outputs + n0;
    const float *h[4];
    vf acc[4 * FE_TILE_LOGITS];
#pragma GCC unroll 4
    for (int m = 0; m < mt; m++) h[m] = b->inputs[m0 + m];
#pragma GCC unroll 16
    for (int i = 0; i < mt * nt; i++) acc[i] = vf_zero();
    for (int64_t v = 0; v < b->width; v += FE_VW) {
        vf a[4];
#pragma GCC unroll 4
        for (int m = 0; m < mt; m++) a[m] = vf_load(h[m] + v);
#pragma GCC unroll 4
        for (int n = 0; n < nt; n++) {
            vf y = vf_load(o[n] + v);
#pragma GCC unroll 4
            for (int m = 0; m < mt; m++) acc[n * mt + m] += a[m] * y;
        }
    }
    if (mt == 4 && b->lanes == 4) { /* already in place; what is written past the tile is overwritten or padding */
        vf_reduce(acc, mt * nt, b->logits + n0 * 4);
        return;
    }
    float sums[16 + FE_VW];
    vf_reduce(acc, mt * nt, sums);
#pragma GCC unroll 4
    for (int n = 0; n < nt; n++)
        memcpy(b->logits + (n0 + n) * b->lanes + m0, sums + n * mt, (size_t)mt * sizeof(float));
}

FE_INLINE void logits_rows(const fe_block *b, int n0, const int nt) {
    int m0 = 0;
    for (; m0 + 2 < b->m; m0 += 4) logits_tile(b, m0, n0, 4, nt); /* three left: a padded tile of four beats two of two */
    if (m0 < b->m) logits_tile(b, m0, n0, 2, nt);
}

FE_INLINE void logits(const fe_block *b) {
    for (int n0 = 0; n0 < b->n;) {
        int left = b->n - n0, tiles = (left + FE_TILE_LOGITS - 1) / FE_TILE_LOGITS, nt = (left + tiles - 1) / tiles;
        switch (nt) {
            case 1: logits_rows(b, n0, 1); break;
            case 2: logits_rows(b, n0, 2); break;
            case 3: logits_rows(b, n0, 3); break;
#if FE_TILE_LOGITS > 3
            default: logits_rows(b, n0, 4); break;
#endif
        }
        n0 += nt;
    }
}

/* Logits to gradients, from packed columns to columns of FE_LANES. Returns the loss. */
FE_INLINE float gradients(const fe_block *b, float alpha) {
    vf loss = vf_zero();
    const int count = b->n * b->lanes;
    for (int at = 0; at < count; at += FE_VW) {
        vf p = vf_load(b->right + at), q = vf_load(b->wrong + at), both = p + q;
        vf x = vf_clamp(vf_load(b->logits + at), 30.0f); /* beyond it the gradient is below 1e-13 */
        vf e = vf_exp(vf_zero() - x) + 1.0f;
        vf g = (p - both * vf_reciprocal(e)) * alpha;
        loss += both * vf_log(e) + q * x; /* -log s = log(1 + exp(-x));  -log(1 - s) = x + log(1 + exp(-x)) */
#if FE_VW > 4
        if (b->lanes == FE_LANES) {
            vf_store(b->cells + at, g);
        } else if (b->lanes == 8 || FE_VW == 8) {
            float out[FE_VW];
            vf_store(out, g);
            const int lanes = b->lanes, columns = FE_VW / lanes;
            for (int i = 0; i < columns; i++)
                for (int k = 0; k < lanes; k += 4)
                    memcpy(b->cells + (at / lanes + i) * FE_LANES + k, out + i * lanes + k, 4 * sizeof(float));
        } else {
            float out[FE_VW];
            vf_store(out, g);
#pragma GCC unroll 4
            for (int i = 0; i < FE_VW / 4; i++)
                memcpy(b->cells + (at / 4 + i) * FE_LANES, out + 4 * i, 4 * sizeof(float));
        }
#else
        vf_store(b->cells + at / b->lanes * FE_LANES + at % b->lanes, g);
#endif
    }
    return vf_sum(loss);
}

enum { FE_ONLY, FE_ONLY_LOCKED, FE_FIRST, FE_MIDDLE, FE_LAST };

/* Updates outputs n0 .. n0 + nt. The inputs' change goes to the inputs when this is the only or the last pass, else into the
 * buffer; CBOW has no last pass, its change stays there (the inputs are hidden vectors that nobody keeps). */
FE_INLINE void update_tile(const fe_block *b, int n0, const int pass, const int nt) {
    float *const *o = b->outputs + n0;
    const float *cells = b->cells + n0 * FE_LANES;
    const int fetch = pass <= FE_FIRST ? b->ahead_count : 0;
    const int load_change = pass == FE_MIDDLE || pass == FE_LAST;
    const int store_change = pass == FE_FIRST || pass == FE_MIDDLE;
    for (int64_t v = 0; v < b->width; v += FE_VW) {
        vf row[FE_TILE], delta[FE_TILE];
#pragma GCC unroll 12
        for (int n = 0; n < nt; n++) {
            row[n] = vf_load(o[n] + v);
            delta[n] = vf_zero();
        }
        if (FE_VW >= 16 || v % 16 == 0)
            for (int n = 0; n < fetch; n++) FE_PREFETCH(b->ahead[n] + v);
        for (int m = 0; m < b->m; m++) {
            const float *g = cells + m;
            vf h = vf_load(b->inputs[m] + v);
            vf half[2] = {pass == FE_ONLY ? h : vf_zero(), vf_zero()}; /* two sums: half the latency */
#pragma GCC unroll 12
            for (int n = 0; n < nt; n++) {
                half[n & 1] += row[n] * g[n * FE_LANES];
                delta[n] += h * g[n * FE_LANES];
            }
            vf dh = half[0] + half[1];
            float *buffer = b->change + m * b->stride + v;
            if (load_change) dh += vf_load(buffer);
            if (pass == FE_ONLY)
                vf_store(b->inputs[m] + v, dh); /* h is in it */
            else if (store_change)
                vf_store(buffer, dh);
            else if (b->locked)
                vf_store(b->inputs[m] + v, h + dh * b->factor[m]);
            else
                vf_store(b->inputs[m] + v, h + dh);
        }
#pragma GCC unroll 12
        for (int n = 0; n < nt; n++) vf_store(o[n] + v, row[n] + delta[n]);
    }
}

FE_INLINE void update_pass(const fe_block *b, int n0, int nt, const int pass) {
    switch (nt) {
        case 1: update_tile(b, n0, pass, 1); break;
        case 2: update_tile(b, n0, pass, 2); break;
        case 3: update_tile(b, n0, pass, 3); break;
        case 4: update_tile(b, n0, pass, 4); break;
#if FE_TILE > 4
        case 5: update_tile(b, n0, pass, 5); break;
        case 6: update_tile(b, n0, pass, 6); break;
#endif
#if FE_TILE > 6
        case 7: update_tile(b, n0, pass, 7); break;
        case 8: update_tile(b, n0, pass, 8); break;
        case 9: update_tile(b, n0, pass, 9); break;
        case 10: update_tile(b, n0, pass, 10); break;
        case 11: update_tile(b, n0, pass, 11); break;
        default: update_tile(b, n0, pass, 12); break;
#endif
    }
}

FE_INLINE void update(const fe_block *b, int keep_change) {
    if (b->n <= FE_TILE && !keep_change) { /* nearly every block */
        if (b->locked)
            update_pass(b, 0, b->n, FE_ONLY_LOCKED);
        else
            update_pass(b, 0, b->n, FE_ONLY);
        return;
    }
    for (int n0 = 0; n0 < b->n;) {
        int left = b->n - n0, tiles = (left + FE_TILE - 1) / FE_TILE, nt = (left + tiles - 1) / tiles;
        if (n0 == 0)
            update_pass(b, n0, nt, FE_FIRST);
        else if (n0 + nt == b->n && !keep_change)
            update_pass(b, n0, nt, FE_LAST);
        else
            update_pass(b, n0, nt, FE_MIDDLE);
        n0 += nt;
    }
}

/* One block: logits, gradients, updates. Not inlined: four callers would be four copies of every tile. */
static FE_NOINLINE float train_block(fe_block *b, float alpha, int keep_change) {
    for (int m = b->m; m % 4 != 0; m++) b->inputs[m] = b->inputs[0];
    logits(b);
    float loss = gradients(b, alpha);
    update(b, keep_change);
    return loss;
}

/* Zeroes what pads the last vector of the packed weights. */
FE_INLINE void pad_weights(const fe_block *b) {
    for (int i = b->n * b->lanes; i % FE_VW != 0; i += 4)
        for (int k = 0; k < 4; k++) b->right[i + k] = b->wrong[i + k] = 0.0f;
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
        w->unit[i] = (int32_t)first;
        w->lo[i] = (int32_t)(a < first ? first : a);
        w->hi[i] = (int32_t)(z > n - 1 ? n - 1 : z);
    }
    batch->tokens = n;
    batch->centres = c;
}

/* ---- A, C: groups ------------------------------------------------------------------------------------------------------ */

typedef struct {
    uint64_t epoch_key;
    float alpha0, slope;
    int64_t t0;
} fe_state;

/* Draws the output rows of the group's centres c .. c + size: their columns, and how often each is a wrong answer. */
FE_INLINE void draw_group(const fe_train_job *job, const fe_worker *w, uint64_t epoch_key, int64_t c, int size, fe_group *group,
                          const int loss) {
    int n = 0;
    group->first = c;
    group->size = size;
    if (loss == FE_HIERARCHICAL) {
        int32_t word = w->token[w->at[c]];
        int64_t from = job->hs_offsets[word];
        n = (int)(job->hs_offsets[word + 1] - from);
        for (int i = 0; i < n; i++) {
            group->rows[i] = job->hs_points[from + i];
            group->labels[i] = 1.0f - (float)job->hs_codes[from + i];
            group->wrong[i] = 1.0f;
        }
        group->columns = n;
        return;
    }
    uint64_t seen = 0; /* one bit a word: a clear bit proves that the word is new, without a search */
    for (int t = 0; t < size; t++) {
        int32_t word = w->token[w->at[c + t]];
        int column = n;
        if (seen >> (word & 63) & 1)
            for (column = 0; column < n && group->rows[column] != word;) column++;
        seen |= 1ull << (word & 63);
        if (column == n) {
            group->rows[n] = word;
            group->wrong[n++] = 0.0f;
        }
        group->column_of[t] = column;
    }
    const float weight = (float)job->negative / (float)job->draws;
    const uint64_t key = fe_centre_key(epoch_key, (uint64_t)w->position[c]);
    for (int32_t j = 0; j < job->draws; j++) {
        uint64_t bits = fe_mix64(key + (uint64_t)(j + 1) * FE_SILVER);
        int32_t word = fe_alias_draw(job->alias, (uint32_t)job->vocabulary, bits);
        int column = n;
        if (seen >> (word & 63) & 1)
            for (column = 0; column < n && group->rows[column] != word;) column++;
        seen |= 1ull << (word & 63);
        if (FE_LIKELY(column == n)) {
            group->rows[n] = word;
            group->wrong[n++] = weight;
        } else {
            group->wrong[column] += weight;
        }
    }
    group->columns = n;
}

/* Fetches what draw_group will read for the group that starts at centre c, the alias table's entries or the path: the tables
 * outgrow the L2 cache together with the rows, and exposed misses here cost a tenth of the run. */
FE_INLINE void fetch_draws(const fe_train_job *job, const fe_worker *w, uint64_t epoch_key, int64_t c, const int loss) {
    if (loss == FE_HIERARCHICAL) {
        if (job->hs_points == NULL) return; /* a single word has no path */
        int64_t from = job->hs_offsets[w->token[w->at[c]]];
        FE_PREFETCH(job->hs_points + from);
        FE_PREFETCH(job->hs_points + from + 15);
        FE_PREFETCH(job->hs_codes + from);
        return;
    }
    const uint64_t key = fe_centre_key(epoch_key, (uint64_t)w->position[c]);
    for (int32_t j = 0; j < job->draws; j++) {
        uint64_t bits = fe_mix64(key + (uint64_t)(j + 1) * FE_SILVER);
        FE_PREFETCH(job->alias + fe_scale32((uint32_t)(bits >> 32), (uint32_t)job->vocabulary));
    }
}

/* Rows to fetch for a group that comes later: its outputs, and the context words that enter the window by then. */
FE_INLINE void fetch_group(const fe_train_job *job, const fe_worker *w, const fe_batch *batch, const fe_group *group,
                           fe_block *b) {
    int n = 0;
    for (int i = group->columns - 1; i >= 0 && n < FE_AHEAD - FE_GROUP; i--) /* the last nodes of a path are the cold ones */
        b->ahead[n++] = job->syn1 + (int64_t)group->rows[i] * job->stride;
    for (int t = 0; t < group->size; t++) {
        int64_t entering = w->hi[group->first + t] + 1;
        if (entering < batch->tokens) b->ahead[n++] = job->syn0 + (int64_t)w->token[entering] * job->stride;
    }
    b->ahead_count = n;
}

/* Weights of a skip-gram block with negative sampling; input m's token stands at where[m], -1 past the last. */
FE_INLINE void weigh_shared(const fe_worker *w, const fe_group *group, const int32_t *where, fe_block *b) {
    b->lanes = FE_LANES;
    for (int k = 0; k < FE_LANES; k += FE_VW) {
        vi token = vi_load(where + k);
        vf cover = vf_zero();
        for (int n = 0; n < group->columns; n++) vf_store(b->right + n * FE_LANES + k, vf_zero());
        for (int t = 0; t < group->size; t++) {
            const int64_t c = group->first + t;
            vi in = (token >= w->lo[c]) & (token <= w->hi[c]) & (token != w->at[c]);
#if FE_VW == 1
            in = -in;
#endif
            vf one = vf_from_bits(in & vf_bits(vf_zero() + 1.0f));
            float *column = b->right + group->column_of[t] * FE_LANES + k;
            cover += one;
            vf_store(column, vf_load(column) + one);
        }
        for (int n = 0; n < group->columns; n++)
            vf_store(b->wrong + n * FE_LANES + k, (cover - vf_load(b->right + n * FE_LANES + k)) * group->wrong[n]);
    }
}

/* Weights where every input takes part in every column with the column's label: hierarchical softmax. */
FE_INLINE void weigh_path(const fe_group *group, fe_block *b) {
    const int lanes = b->lanes = b->m <= 4 ? 4 : b->m <= 8 ? 8 : FE_LANES;
    FE_ALIGN64 float live[FE_LANES];
    for (int m = 0; m < FE_LANES; m++) live[m] = m < b->m ? 1.0f : 0.0f;
    for (int n = 0; n < group->columns; n++) {
        const float label = group->labels[n];
        for (int k = 0; k < lanes; k += 4) {
            float *p = b->right + n * lanes + k, *q = b->wrong + n * lanes + k;
            for (int i = 0; i < 4; i++) p[i] = live[k + i] * label;
            for (int i = 0; i < 4; i++) q[i] = live[k + i] * (1.0f - label);
        }
    }
    pad_weights(b);
}

FE_INLINE float train_skipgram(const fe_train_job *job, fe_worker *w, const fe_group *group, fe_block *b, float alpha,
                               const int loss_kind) {
    FE_ALIGN64 int32_t where[FE_LANES];
    int32_t lo = w->lo[group->first], hi = w->hi[group->first];
    for (int t = 1; t < group->size; t++) {
        if (w->lo[group->first + t] < lo) lo = w->lo[group->first + t];
        if (w->hi[group->first + t] > hi) hi = w->hi[group->first + t];
    }
    /* a lone centre is no context of its own; in a larger group every centre is a context of its neighbour */
    const int32_t skip = group->size == 1 ? w->at[group->first] : -1;
    float loss = 0.0f;
    for (int32_t k = lo; k <= hi;) {
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
        loss += train_block(b, alpha, 0);
        b->ahead_count = 0;
    }
    return loss;
}

/* Sums rows into hidden, FE_VW * W floats at offset v: the accumulators stay in registers. */
FE_INLINE void gather_slices(float *const *rows, int count, float *hidden, int64_t v, float scale, const int slices) {
    vf sum[8];
#pragma GCC unroll 8
    for (int i = 0; i < slices; i++) sum[i] = vf_load(rows[0] + v + i * FE_VW);
    for (int k = 1; k < count; k++) {
        const float *row = rows[k] + v;
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

static FE_NOINLINE void gather(const fe_block *b, float *const *rows, int count, float *hidden, float scale) {
#define FE_CALL(n) gather_slices(rows, count, hidden, v, scale, n)
    FE_SLICED(FE_CALL)
#undef FE_CALL
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

FE_INLINE float train_cbow(const fe_train_job *job, fe_worker *w, const fe_group *group, fe_block *b, float alpha,
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
    if (m == 0) return 0.0f;
    b->m = m;
    if (loss_kind == FE_NEGATIVE) {
        const int lanes = m <= 4 ? 4 : 8;
        b->lanes = lanes;
        FE_ALIGN64 float live[8];
        for (int i = 0; i < 8; i++) live[i] = i < m ? 1.0f : 0.0f;
        memset(b->right, 0, (size_t)(group->columns * lanes) * sizeof(float));
        for (int n = 0; n < group->columns; n++)
            for (int k = 0; k < lanes; k += 4)
                for (int i = 0; i < 4; i++) b->wrong[n * lanes + k + i] = group->wrong[n] * live[k + i];
        for (int i = 0; i < m; i++) { /* a centre's own column: right for itself, and never wrong */
            b->right[column_of[i] * lanes + i] = 1.0f;
            b->wrong[column_of[i] * lanes + i] = 0.0f;
        }
        pad_weights(b);
    } else {
        weigh_path(group, b);
    }
    float loss = train_block(b, alpha, 1);
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
    return loss;
}

FE_INLINE void train_batch(const fe_train_job *job, fe_worker *w, const fe_state *s, const fe_batch *batch, double *loss,
                           int64_t *examples, const int algorithm, const int loss_kind) {
    const int most = loss_kind == FE_NEGATIVE ? job->group : 1;
    float *stack_outputs[64];
    fe_block block;
    block.outputs = stack_outputs;
    block.locked = job->lockf != NULL;
    block.width = (job->dim + FE_VW - 1) / FE_VW * FE_VW;
    block.stride = job->stride;
    block.logits = w->logits;
    block.right = w->right;
    block.wrong = w->wrong;
    block.cells = w->cells;
    block.change = w->change;

    const int64_t ahead = loss_kind == FE_NEGATIVE ? 0 : 3; /* a path is two loads, one after the other */
    int64_t drawn = 0, next = 0; /* groups drawn so far, first centre that no group holds yet */
    for (int64_t i = 0;; i++) {
        while (drawn < i + FE_RING && next < batch->centres) {
            int size = 1; /* a group stays inside its sentence: the context of one sentence is none of the next */
            while (size < most && next + size < batch->centres && w->unit[next + size] == w->unit[next]) size++;
            draw_group(job, w, s->epoch_key, next, size, &w->ring[drawn % FE_RING], loss_kind);
            next += size;
            drawn++;
            if (next + ahead < batch->centres) fetch_draws(job, w, s->epoch_key, next + ahead, loss_kind);
        }
        if (i == drawn) break;
        const fe_group *group = &w->ring[i % FE_RING];
        block.ahead_count = 0;
        if (i + FE_RING - 1 < drawn) fetch_group(job, w, batch, &w->ring[(i + FE_RING - 1) % FE_RING], &block);
        if (group->columns == 0) continue;
        float **outputs = group->columns <= 64 ? stack_outputs : w->pointers;
        for (int n = 0; n < group->columns; n++) outputs[n] = job->syn1 + (int64_t)group->rows[n] * job->stride;
        block.outputs = outputs;
        block.n = group->columns;
        for (int t = 0; t < group->size; t++) {
            int64_t contexts = w->hi[group->first + t] - w->lo[group->first + t];
            *examples += algorithm == FE_SKIPGRAM ? contexts : contexts > 0;
        }
        const float alpha = s->alpha0 + s->slope * (float)(w->position[group->first] - s->t0);
        if (algorithm == FE_SKIPGRAM)
            *loss += (double)train_skipgram(job, w, group, &block, alpha, loss_kind);
        else
            *loss += (double)train_cbow(job, w, group, &block, alpha, loss_kind);
    }
}

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
