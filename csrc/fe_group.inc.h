/* Groups: the output rows of neighbouring centre words, and the weights of the cells. Part of the training kernel, see
 * fe_kernel.inc.h (A, C). */

/* The centre's noise words, as hashes: which slot of the alias table, and the coin that decides between its two words. They
 * depend on nothing but (seed, epoch, position), so they are made a group early and the slots fetched: the table outgrows
 * the L2 cache together with the rows, and exposed misses here cost a tenth of the run. */
static FE_NOINLINE void hash_draws(const fe_train_job *job, fe_worker *w, uint64_t epoch_key, int64_t c) {
    const uint64_t key = fe_centre_key(epoch_key, (uint64_t)w->position[c]);
    const uint32_t slot_key = (uint32_t)key, coin_key = (uint32_t)(key >> 32), size = (uint32_t)job->vocabulary;
    for (int32_t from = 0; from < job->draws; from += 8) /* whole vectors: the arrays have room */
        for (uint32_t j = (uint32_t)from; j < (uint32_t)from + 8; j++) {
            w->slot[j] = fe_scale32(fe_hash32(j + 1, slot_key), size);
            w->coin[j] = fe_hash32(j + 1, coin_key);
        }
    for (int32_t j = 0; j < job->draws; j++) FE_PREFETCH(job->alias + w->slot[j]);
    w->hashed = c;
}

FE_INLINE void fetch_path(const fe_train_job *job, const fe_worker *w, int64_t c) {
    if (job->hs_points == NULL) return; /* a single word has no path */
    const int64_t from = job->hs_offsets[w->token[w->at[c]]];
    FE_PREFETCH(job->hs_points + from);
    FE_PREFETCH(job->hs_points + from + 15);
    FE_PREFETCH(job->hs_codes + from);
}

/* Draws the output rows of the group's centres, from c on: their columns, and how often each is a wrong answer. A word is
 * searched for among the columns only if its bit in `seen`, one of 128, is set; a clear bit proves that it is new. */
static FE_NOINLINE void draw_group(const fe_train_job *job, fe_worker *w, uint64_t epoch_key, int64_t c, fe_group *group,
                                    const int loss) {
    const int64_t stride = job->stride;
    float *const rows = job->syn1, **outputs = group->outputs;
    const int size = group->size;
    int n = 0;
    group->first = c;
    int32_t lo = w->lo[c], hi = w->hi[c];
    for (int t = 1; t < size; t++) {
        lo = w->lo[c + t] < lo ? w->lo[c + t] : lo;
        hi = w->hi[c + t] > hi ? w->hi[c + t] : hi;
    }
    group->lo = lo;
    group->hi = hi;
    if (loss == FE_HIERARCHICAL) {
        const int32_t word = w->token[w->at[c]];
        const int64_t from = job->hs_offsets[word];
        n = (int)(job->hs_offsets[word + 1] - from);
        for (int i = 0; i < n; i++) {
            outputs[i] = rows + (int64_t)job->hs_points[from + i] * stride;
            group->wrong[i] = (float)job->hs_codes[from + i];
            group->label[i] = 1.0f - group->wrong[i];
        }
        group->columns = n;
        for (; n % 4 != 0; n++) group->wrong[n] = group->label[n] = 0.0f;
        return;
    }
    if (w->hashed != c) hash_draws(job, w, epoch_key, c);
    uint64_t seen[2] = {0, 0};
    float *const wrong = group->wrong;
#define FE_COLUMN(row, word)                                                            \
    const uint64_t bit = 1ull << ((word) & 63), high = (word) & 64 ? bit : 0;            \
    const uint64_t old = (seen[0] & (bit ^ high)) | (seen[1] & high);                    \
    seen[0] |= bit ^ high;                                                              \
    seen[1] |= high;                                                                    \
    int column = n;                                                                     \
    if (FE_UNLIKELY(old != 0))                                                          \
        for (column = 0; column < n && outputs[column] != (row);) column++;
    for (int t = 0; t < size; t++) {
        const int32_t word = w->token[w->at[c + t]];
        float *const row = rows + word * stride;
        FE_COLUMN(row, word)
        outputs[column] = row;
        wrong[column] = 0.0f;
        n += column == n;
        group->column_of[t] = column;
    }
    group->distinct = n == size;
    const float weight = (float)job->negative / (float)job->draws;
    const fe_alias *const alias = job->alias;
    const int32_t draws = job->draws;
    for (int32_t j = 0; j < draws; j++) {
        const int32_t word = fe_alias_pick(alias, w->slot[j], w->coin[j]);
        float *const row = rows + word * stride;
        FE_COLUMN(row, word)
        if (FE_LIKELY(column == n)) {
            outputs[n] = row;
            wrong[n++] = weight;
        } else {
            wrong[column] += weight;
        }
    }
#undef FE_COLUMN
    group->columns = n;
    for (; n % 4 != 0; n++) wrong[n] = 0.0f;
}

/* Rows to fetch for the group that comes next: its outputs, and the context words that are not in the window yet. */
FE_INLINE int rows_ahead(const fe_train_job *job, const fe_worker *w, const fe_group *now, const fe_group *next,
                         const float **ahead) {
    int n = 0;
    for (int i = next->columns - 1; i >= 0 && n < FE_AHEAD - FE_LANES; i--) /* the last nodes of a path are the cold ones */
        ahead[n++] = next->outputs[i];
    for (int32_t k = now->hi + 1 > next->lo ? now->hi + 1 : next->lo; k <= next->hi && n < FE_AHEAD; k++)
        ahead[n++] = job->syn0 + (int64_t)w->token[k] * job->stride;
    ahead[n] = ahead[0];
    return n;
}

/* 1 where a token is in the context of a centre that stands at `at`, else 0. */
FE_INLINE vf in_context(vi token, vi lo, vi hi, vi at) {
    vi in = (token >= lo) & (token <= hi) & (token != at);
#if FE_VW == 1
    in = -in;
#endif
    return vf_from_bits(in & vf_bits(vf_zero() + 1.0f));
}

/* Weights of a skip-gram block with negative sampling; input m's token stands at where[m], -1 past the last. */
static FE_NOINLINE void weigh_shared(const fe_worker *w, const fe_group *group, const int32_t *where, fe_block *b) {
    FE_ALIGN64 int32_t lo[FE_GROUP], hi[FE_GROUP], at[FE_GROUP]; /* the centres', by column; then contexts that nothing is in */
    FE_ALIGN64 float cover[FE_LANES];                            /* how many of the centres have the input in their context */
    const vi zero = vf_bits(vf_zero());
    const int size = group->size, columns = group->columns, distinct = group->distinct;
    for (int t = 0; t < FE_GROUP; t++) {
        lo[t] = 0;
        hi[t] = at[t] = -1;
    }
    for (int t = 0; t < size; t++) {
        lo[t] = w->lo[group->first + t];
        hi[t] = w->hi[group->first + t];
        at[t] = w->at[group->first + t];
    }
    for (int m = 0; m < FE_LANES; m += FE_VW) {
        const vi token = vi_load(where + m);
        vf sum = vf_zero();
        for (int t = 0; t < size; t++) sum += in_context(token, zero + lo[t], zero + hi[t], zero + at[t]);
        vf_store(cover + m, sum);
    }
    for (int m = 0; m < b->m; m += 4) {
        for (int i = 0; i < 4; i += FE_SPAN) {
            const vi token = vi_by_input(where + m + i);
            const vf covered = vf_by_input(cover + m + i);
            float *p = b->right + m / 4 * b->panel + i, *q = b->wrong + m / 4 * b->panel + i;
            int n = 0;
            for (; n < size; n += FE_COLUMNS) {
                vf right = vf_zero();
                if (FE_LIKELY(distinct)) right = in_context(token, vi_by_output(lo + n), vi_by_output(hi + n), vi_by_output(at + n));
                vf_store(p + 4 * n, right);
                vf_store(q + 4 * n, (covered - right) * vf_by_output(group->wrong + n));
            }
            for (; n < columns; n += FE_COLUMNS) {
                vf_store(p + 4 * n, vf_zero());
                vf_store(q + 4 * n, covered * vf_by_output(group->wrong + n));
            }
        }
    }
    if (FE_LIKELY(distinct)) return;
    for (int t = 0; t < size; t++) { /* centres that are the same word: the weights of their column add up */
        const int n = group->column_of[t];
        for (int m = 0; m < b->m; m++) {
            if (where[m] < lo[t] || where[m] > hi[t] || where[m] == at[t]) continue;
            const int cell = m / 4 * b->panel + 4 * n + m % 4;
            b->right[cell] += 1.0f;
            b->wrong[cell] -= group->wrong[n];
        }
    }
}

/* Weights where every input takes part in every column with the column's label: hierarchical softmax. */
FE_INLINE void weigh_path(const fe_group *group, fe_block *b) {
    for (int m = 0; m < b->m; m += 4) {
        FE_ALIGN64 float live[4];
        for (int i = 0; i < 4; i++) live[i] = m + i < b->m ? 1.0f : 0.0f;
        for (int i = 0; i < 4; i += FE_SPAN) {
            float *p = b->right + m / 4 * b->panel + i, *q = b->wrong + m / 4 * b->panel + i;
            const vf one = vf_by_input(live + i);
            for (int n = 0; n < group->columns; n += FE_COLUMNS) {
                vf_store(p + 4 * n, one * vf_by_output(group->label + n));
                vf_store(q + 4 * n, one * vf_by_output(group->wrong + n));
            }
        }
    }
}
