/* The block: M input rows against N output rows. Part of the training kernel, see fe_kernel.inc.h for the mathematics (A).
 *
 * Layout. The cells (m, n) are held in panels of four inputs: panel k has the inputs 4k .. 4k + 3, output after output, four
 * floats each, rounded up to whole vectors: a 4 x 4 tile of cells is one vector of 16 floats, two of 8, four of 4. Weights, logits and gradients then stay in registers from the dot products' reduction to the store of
 * the gradients. Cells that pad M or N weigh nothing, so whatever their logit is, their gradient and loss are zero.
 *
 * Logits. 4 inputs (the last panel: 2) x FE_TILE_LOGITS outputs at a time, then one transposed reduction.
 * Update. The changes of FE_STEP slices of up to FE_TILE outputs stay in registers while the inputs pass by; each input slice
 * is loaded and stored once. With FE_STEP = 2 the outputs themselves are read from a small copy, as operands of the multiply-adds,
 * so that they need no registers and a gradient is broadcast once for two slices: where another thread has half of the core,
 * the number of instructions counts. More outputs take several passes and keep the inputs' change in a buffer. */

#if FE_VW == 8 /* 16 registers: 6 rows, 6 changes, an input, its change, a gradient */
#define FE_TILE 6
#define FE_STEP 1
#define FE_CHAINS 2
#define FE_TILE_LOGITS 3
#elif FE_VW == 1
#define FE_TILE 4
#define FE_STEP 1
#define FE_CHAINS 2
#define FE_TILE_LOGITS 4
#else /* 32 registers */
#define FE_TILE 12
#define FE_STEP 2
#define FE_CHAINS 2
#define FE_TILE_LOGITS 6
#endif

typedef struct {
    vf loss; /* sums of the losses, lane by lane */
    float *inputs[FE_LANES + 4]; /* M rows; padded to a multiple of 4 with repeats whose cells weigh nothing */
    float factor[FE_LANES];      /* lockf of the inputs, read if `locked` */
    int m, n, locked;
    float *const *outputs;   /* N rows */
    int64_t width, stride;   /* floats a row that matter, a multiple of FE_VW; floats from row to row */
    int panel;               /* floats a panel: four times N, rounded up to whole vectors */
    float *right, *wrong;    /* panels of weights: p, q */
    float *cells;            /* panels of gradients */
    const float *column[FE_LANES]; /* where an input's are, four apart */
    float *copy;             /* (FE_TILE, FE_STEP * FE_VW) slices of the outputs */
    float *change;           /* (FE_LANES, stride) the inputs' change, where it is buffered */
    const float **ahead;     /* rows of the next group, to fetch meanwhile; one more if their number is odd */
    int ahead_count;
} fe_block;

/* Logits of one tile: mt inputs (4 or 2) of panel k x nt outputs from n0 on. Whole vectors are stored; what is past the tile
 * is overwritten by the next one, or is padding. */
FE_INLINE void tile(const fe_block *b, int k, int n0, const int mt, const int nt) {
    float *const *o = b->outputs + n0;
    const float *h[4];
    vf acc[4 * FE_TILE_LOGITS], sums[4 * FE_TILE_LOGITS / FE_VW + 1];
#pragma GCC unroll 4
    for (int m = 0; m < mt; m++) h[m] = b->inputs[4 * k + m];
#pragma GCC unroll 24
    for (int i = 0; i < 4 * nt; i++) acc[i] = vf_zero();
    for (int64_t v = 0; v < b->width; v += FE_VW) {
        vf a[4];
#pragma GCC unroll 4
        for (int m = 0; m < mt; m++) a[m] = vf_load(h[m] + v);
#pragma GCC unroll 6
        for (int n = 0; n < nt; n++) {
            vf y = vf_load(o[n] + v);
#pragma GCC unroll 4
            for (int m = 0; m < mt; m++) acc[4 * n + m] += a[m] * y;
        }
    }
    vf_reduce(acc, mt, nt, sums);
    float *to = b->cells + k * b->panel + 4 * n0;
#pragma GCC unroll 24
    for (int i = 0; i < 4 * nt; i += FE_VW) vf_store(to + i, sums[i / FE_VW]);
}

FE_INLINE void panel(const fe_block *b, int k, const int mt) {
    for (int n0 = 0; n0 < b->n;) {
        const int left = b->n - n0, tiles = (left + FE_TILE_LOGITS - 1) / FE_TILE_LOGITS, nt = (left + tiles - 1) / tiles;
        switch (nt) {
            case 1: tile(b, k, n0, mt, 1); break;
            case 2: tile(b, k, n0, mt, 2); break;
#if FE_TILE_LOGITS > 2
            case 3: tile(b, k, n0, mt, 3); break;
#endif
#if FE_TILE_LOGITS > 3
            case 4: tile(b, k, n0, mt, 4); break;
#endif
#if FE_TILE_LOGITS > 4
            case 5: tile(b, k, n0, mt, 5); break;
            default: tile(b, k, n0, mt, 6); break;
#endif
        }
        n0 += nt;
    }
}

FE_INLINE void logits(const fe_block *b) {
    const int whole = (b->m + 1) / 4; /* three left: a padded panel of four beats a panel of two and a panel of one */
    for (int k = 0; k < whole; k++) panel(b, k, 4);
    if (4 * whole < b->m) panel(b, whole, 2);
}

/* Logits to gradients, in place; adds to the loss. */
FE_INLINE void gradients(fe_block *b, float alpha) {
    vf loss = b->loss;
    const int count = (b->m + 3) / 4 * b->panel;
    for (int i = 0; i < count; i += FE_VW) {
        vf p = vf_load(b->right + i), q = vf_load(b->wrong + i), both = p + q;
        vf x = vf_clamp(vf_load(b->cells + i), 30.0f); /* beyond it the gradient is below 1e-13 */
        vf e = vf_exp(vf_zero() - x) + 1.0f;
        vf_store(b->cells + i, (p - both * vf_reciprocal(e)) * alpha);
        loss += both * vf_log(e) + q * x; /* -log s = log(1 + exp(-x));  -log(1 - s) = x + log(1 + exp(-x)) */
    }
    b->loss = loss;
}

enum { FE_ONLY, FE_ONLY_LOCKED, FE_FIRST, FE_MIDDLE, FE_LAST };

/* Fetches the lines that hold `slices` slices from v on of one row, and of the next group's rows 2m and 2m + 1. A few at a time,
 * between inputs: the CPU has 12 to 16 buffers for lines on their way, and a burst of more stops it. */
FE_INLINE void fetch_lines(const float *row, int64_t v, const int slices) {
#pragma GCC unroll 8
    for (int i = 0; i < slices; i++)
        if (FE_VW >= 16 || (v + i * FE_VW) % 16 == 0) FE_PREFETCH(row + v + i * FE_VW);
}

FE_INLINE void fetch_two(const fe_block *b, int m, int64_t v, const int slices) {
    if (2 * m >= b->ahead_count || (FE_VW < 16 && v % 16 >= slices * FE_VW)) return;
    fetch_lines(b->ahead[2 * m], v, slices);
    fetch_lines(b->ahead[2 * m + 1], v, slices);
}

/* Updates `steps` slices from v on of outputs n0 .. n0 + nt. The inputs' change goes to the inputs when this is the only or the
 * last pass, else into the buffer; CBOW has no last pass, its change stays there (the inputs are hidden vectors that nobody
 * keeps). */
FE_INLINE void update_slices(const fe_block *b, int64_t v, int n0, const int pass, const int nt, const int steps) {
    float *const *o = b->outputs + n0;
    float *copy = b->copy;
    const int load_change = pass == FE_MIDDLE || pass == FE_LAST;
    const int store_change = pass == FE_FIRST || pass == FE_MIDDLE;
    const int copied = steps > 1;
    vf row[FE_TILE * FE_STEP], delta[FE_TILE * FE_STEP];
#pragma GCC unroll 24
    for (int i = 0; i < nt * steps; i++) {
        row[i] = vf_load(o[i / steps] + v + i % steps * FE_VW);
        if (copied) vf_store(copy + i * FE_VW, row[i]);
        delta[i] = vf_zero();
    }
    for (int m = 0; m < b->m; m++) {
        if (pass <= FE_FIRST && FE_VW >= 16) fetch_two(b, m, v, steps);
#if FE_STEP > 1
        if (copied)
            __asm__("" : "+r"(copy)); /* else the compiler loads the copies before the loop, and runs out of registers */
#endif
        const float *g = b->column[m] + 4 * n0;
        float *input = b->inputs[m] + v, *buffer = b->change + m * b->stride + v;
        vf h[FE_STEP], part[FE_STEP * FE_CHAINS]; /* several sums for an input's change: a fraction of the latency */
#pragma GCC unroll 2
        for (int s = 0; s < steps; s++) {
            h[s] = vf_load(input + s * FE_VW);
#pragma GCC unroll 4
            for (int k = 0; k < FE_CHAINS; k++) part[s * FE_CHAINS + k] = pass == FE_ONLY && k == 0 ? h[s] : vf_zero();
        }
#pragma GCC unroll 12
        for (int n = 0; n < nt; n++) {
            const vf c = g[4 * n] - vf_zero();
#pragma GCC unroll 2
            for (int s = 0; s < steps; s++) {
                const int i = n * steps + s;
                part[s * FE_CHAINS + n % FE_CHAINS] += (copied ? vf_load(copy + i * FE_VW) : row[i]) * c;
                delta[i] += h[s] * c;
            }
        }
#pragma GCC unroll 2
        for (int s = 0; s < steps; s++) {
            const int64_t at = s * FE_VW;
            vf dh = part[s * FE_CHAINS];
#pragma GCC unroll 4
            for (int k = 1; k < FE_CHAINS && k < nt; k++) dh += part[s * FE_CHAINS + k];
            if (load_change) dh += vf_load(buffer + at);
            if (pass == FE_ONLY)
                vf_store(input + at, dh); /* h is in it */
            else if (store_change)
                vf_store(buffer + at, dh);
            else if (b->locked)
                vf_store(input + at, h[s] + dh * b->factor[m]);
            else
                vf_store(input + at, h[s] + dh);
        }
    }
    if (pass <= FE_FIRST)
        for (int m = FE_VW >= 16 ? b->m : 0; 2 * m < b->ahead_count; m++) fetch_two(b, m, v, steps);
#pragma GCC unroll 24
    for (int i = 0; i < nt * steps; i++)
        vf_store(o[i / steps] + v + i % steps * FE_VW, (copied ? vf_load(copy + i * FE_VW) : row[i]) + delta[i]);
}

FE_INLINE void update_tile(const fe_block *b, int n0, const int pass, const int nt) {
    const int steps = pass == FE_ONLY || pass == FE_ONLY_LOCKED ? FE_STEP : 1; /* CBOW's three inputs are not worth the copies */
    int64_t v = 0;
    for (; v + steps * FE_VW <= b->width; v += steps * FE_VW) update_slices(b, v, n0, pass, nt, steps);
    if (steps > 1 && v < b->width) update_slices(b, v, n0, pass, nt, 1);
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

/* One block: gradients, updates. Not inlined: four callers would be four copies of every tile. */
static FE_NOINLINE void train_block(fe_block *b, float alpha, int keep_change) {
    for (int m = b->m; m % 4 != 0; m++) b->inputs[m] = b->inputs[0];
    for (int m = 0; m < b->m; m++) b->column[m] = b->cells + (m >> 2) * b->panel + (m & 3);
    logits(b);
    gradients(b, alpha);
    update(b, keep_change);
}
