/* The body of the GloVe trainer, compiled once per instruction set. Before it is included FE_VW is the number of floats a
 * vector and FE_GLOVE_FN(x) makes the names.
 *
 * a. A call trains one tile, its bins in random order. The cells of a bin stand in the order of their words; they are cut into
 *    groups of 128, and the groups are visited in random order. So the rows of a group's few words stay in the first cache,
 *    and each step fetches the row of one context only. A random order is a bijection of the numbers below a power of two
 *    (multiplications, additions and shifts), those that are too large passed over, and a function of seed, epoch and bin:
 *    nothing is shuffled in memory, and a run can go on anywhere.
 * b. Up to 8 cells of one word that follow each other are a batch. First their products: m independent sums, reduced together,
 *    so that no sum waits for the step before it. Then their steps, with the word's row as it was before the batch:
 *        t_j = eta f diff c_j                         u_j = eta f diff w
 *        squares_w += t_1^2 + .. + t_m^2              c_j -= u_j / sqrt(squares_j)
 *        w -= (t_1 + .. + t_m) / sqrt(squares_w)      squares_j += u_j^2
 *    The word's row takes one step of m gradients, with the sums of squares that include them: a step that long would
 *    overshoot with those before it. (Of a batch of one, that is AdaGrad as published; a context's step divides by the sums before
 *    it, as Stanford's program does.) A context that occurs once only in a row cannot occur twice in a batch.
 * c. The reciprocal square root is the CPU's estimate (AVX-512: relative error 2^-14; AVX2: with a Newton step): the length of a
 *    step is off by no more than that.
 * d. The rows of the cell GLOVE_AHEAD cells later are fetched while a product is taken. */
#include "fe_glove.h"
#include "fe_random.h"
#include "fe_simd.h"

enum { GLOVE_AHEAD = 10 };

/* A bijection of the numbers of `bits` bits. */
FE_INLINE uint32_t glove_permuted(uint32_t i, int bits, uint64_t key) {
    const uint32_t mask = (uint32_t)(((uint64_t)1 << bits) - 1), key0 = (uint32_t)key, key1 = (uint32_t)(key >> 32);
    const int shift = (bits + 1) / 2;
    uint32_t x = (i * 0x9E3779B1u + key0) & mask;
    x ^= x >> shift;
    x = (x * 0x85EBCA6Bu + key1) & mask;
    x ^= x >> shift;
    x = (x * 0xC2B2AE35u + (key0 ^ key1)) & mask;
    return x ^ (x >> shift);
}

FE_INLINE void glove_fetch(const float *row, int64_t floats) {
    for (int64_t k = 0; k < floats; k += 16) FE_PREFETCH(row + k);
}

/* The steps of numbers k .. k + FE_VW of a word's row and of its m contexts; rate = f diff, multiplied by the two factors where the
 * numbers have rates of their own, or by eta already. */
FE_INLINE void glove_steps(float *w, float *const *c, int m, const float *rate, int64_t n, int64_t k,
                           const float *word_factor, const float *context_factor) {
    const vf wv = vf_load(w + k), gw = vf_load(w + n + k);
    vf sum = vf_zero(), squares = gw;
    for (int i = 0; i < m; i++) {
        vf cv = vf_load(c[i] + k), gc = vf_load(c[i] + n + k);
        vf t = cv * rate[i], u = wv * rate[i];
        if (word_factor != NULL) {
            t *= vf_load(word_factor);
            u *= vf_load(context_factor);
        }
        sum += t;
        squares += t * t;
        vf_store(c[i] + k, cv - u * vf_rsqrt(gc));
        vf_store(c[i] + n + k, gc + u * u);
    }
    vf_store(w + k, wv - sum * vf_rsqrt(squares));
    vf_store(w + n + k, squares);
}

FE_INLINE vf glove_product(const float *w, const float *c, int64_t n) {
    vf s0 = vf_load(w) * vf_load(c), s1 = vf_zero();
    int64_t k = FE_VW;
    for (; k + FE_VW < n; k += 2 * FE_VW) {
        s1 += vf_load(w + k) * vf_load(c + k);
        s0 += vf_load(w + k + FE_VW) * vf_load(c + k + FE_VW);
    }
    for (; k < n; k += FE_VW) s1 += vf_load(w + k) * vf_load(c + k);
    return s0 + s1;
}

typedef struct fe_glove_bin {
    const fe_glove_cell *cells;
    int64_t n;
    float *words, *contexts; /* first row of each block       */
    int64_t step;            /* floats from one row to the next of a block */
    uint64_t key;
} fe_glove_bin;

FE_INLINE void glove_fetch_cell(const fe_glove_bin *bin, const fe_glove_cell *cells, int k, int64_t row) {
    glove_fetch(bin->contexts + (cells[k].place & 0xFFFF) * bin->step, 2 * row);
    if (k == 0 || cells[k].place >> 16 != cells[k - 1].place >> 16)
        glove_fetch(bin->words + (cells[k].place >> 16) * bin->step, 2 * row);
}

FE_INLINE int glove_bits(uint64_t n) {
    int bits = 1;
    while (((uint64_t)1 << bits) < n) bits++;
    return bits;
}

FE_INLINE double glove_train_bin(const fe_glove_job *job, const fe_glove_bin *bin, const float *word_rate,
                                 const float *context_rate, int nv) {
    FE_ALIGN64 float weight[FE_GLOVE_GROUP + FE_VW], log[FE_GLOVE_GROUP + FE_VW] = {0};
    const int64_t row = nv ? (int64_t)nv * FE_VW : job->stride, plain = job->dim / FE_VW * FE_VW;
    const uint32_t groups = (uint32_t)((bin->n + FE_GLOVE_GROUP - 1) / FE_GLOVE_GROUP);
    const int bits = glove_bits(groups);
    double total = 0.0;
    for (uint32_t i = 0; i >> bits == 0; i++) {
        const uint32_t group = glove_permuted(i, bits, bin->key);
        if (group >= groups) continue;
        const fe_glove_cell *cells = bin->cells + (int64_t)group * FE_GLOVE_GROUP;
        const int64_t left = bin->n - (int64_t)group * FE_GLOVE_GROUP;
        const int n = left < FE_GLOVE_GROUP ? (int)left : FE_GLOVE_GROUP;
        for (int k = 0; k < n; k++) log[k] = cells[k].log;
        for (int k = 0; k < n; k += FE_VW) {
            vf f = vf_clamp((vf_load(log + k) - job->log_x_max) * job->exponent, 80.0f);
            vf_store(weight + k, vf_least(vf_exp(f), 1.0f));
        }
        for (int k = 0; k < GLOVE_AHEAD && k < n; k++) glove_fetch_cell(bin, cells, k, row);
        for (int k = 0; k < n;) {
            const uint32_t word = cells[k].place >> 16;
            float *const w = bin->words + word * bin->step;
            float *c[FE_GLOVE_BATCH];
            vf sums[FE_GLOVE_BATCH];
            FE_ALIGN64 float fd[FE_GLOVE_BATCH + FE_VW], rate[FE_GLOVE_BATCH + FE_VW];
            int m = 0;
            do {
                c[m] = bin->contexts + (cells[k + m].place & 0xFFFF) * bin->step;
                sums[m] = glove_product(w, c[m], row);
                if (k + m + GLOVE_AHEAD < n) glove_fetch_cell(bin, cells, k + m + GLOVE_AHEAD, row);
                m++;
            } while (m < FE_GLOVE_BATCH && k + m < n && cells[k + m].place >> 16 == word);
            vf_sums(sums, m, fd);
            for (int j = 0; j < m; j += FE_VW) {
                vf diff = vf_load(fd + j) - vf_load(log + k + j), f = vf_load(weight + k + j) * diff;
                vf_store(rate + j, f * diff);
                vf_store(fd + j, vf_clamp(f, job->clip));
            }
            for (int j = 0; j < m; j++) {
                total += rate[j];
                rate[j] = fd[j] * job->eta;
            }
            int64_t at = 0;
            for (; at < plain; at += FE_VW) glove_steps(w, c, m, rate, row, at, NULL, NULL);
            for (; at < row; at += FE_VW) /* biases, ones and padding have rates of their own */
                glove_steps(w, c, m, fd, row, at, word_rate + (at - plain), context_rate + (at - plain));
            k += m;
        }
    }
    return total;
}

fe_status FE_GLOVE_FN(fe_glove)(const fe_glove_job *job, int64_t tile, int64_t epoch, double *loss) {
    const int64_t side = job->per_tile, bins = side * side, tiles = job->blocks / side;
    const int64_t dim = job->dim, plain = dim / FE_VW * FE_VW, row = job->stride;
    FE_ALIGN64 float word_rate[32] = {0}, context_rate[32] = {0}; /* of the numbers from `plain` on: at most two vectors and padding */
    for (int64_t k = plain; k < dim; k++) word_rate[k - plain] = context_rate[k - plain] = job->eta;
    word_rate[dim - plain] = 1.0f;
    context_rate[dim + 1 - plain] = 1.0f;

    const uint64_t key = fe_mix64(fe_epoch_key(job->seed, (uint64_t)epoch) + (uint64_t)tile * FE_GOLDEN);
    const int bits = glove_bits((uint64_t)bins);
    double total = 0.0;
    for (uint32_t i = 0; i >> bits == 0; i++) {
        const int64_t b = glove_permuted(i, bits, key);
        if (b >= bins) continue;
        const int64_t first = job->bins[tile * bins + b], n = job->bins[tile * bins + b + 1] - first;
        if (n == 0) continue;
        const fe_glove_bin bin = {
            .cells = job->cells + first,
            .n = n,
            .words = job->words + (tile / tiles * side + b / side) * 2 * row,
            .contexts = job->contexts + (tile % tiles * side + b % side) * 2 * row,
            .step = job->blocks * 2 * row,
            .key = fe_mix64(key + (uint64_t)(b + 1) * FE_SILVER),
        };
        total += row == 112 && FE_VW == 16 ? glove_train_bin(job, &bin, word_rate, context_rate, 112 / FE_VW)
                                           : glove_train_bin(job, &bin, word_rate, context_rate, 0);
    }
    *loss += 0.5 * total;
    return total - total == 0.0 ? FE_OK : FE_NONFINITE;
}

void FE_GLOVE_FN(fe_glove_logs)(const int64_t *counts, int64_t n, float inverse, float *logs) {
    for (int64_t i = 0; i < n; i += FE_VW) {
        FE_ALIGN64 float x[FE_VW], y[FE_VW];
        for (int64_t k = 0; k < FE_VW; k++) x[k] = (float)counts[i + k < n ? i + k : n - 1] * inverse;
        vf_store(y, vf_log(vf_load(x)));
        for (int64_t k = 0; k < FE_VW && i + k < n; k++) logs[i + k] = y[k];
    }
}
