/* Batches: which tokens survive subsampling, and each centre's context. Part of the training kernel, see fe_kernel.inc.h (D). */

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
