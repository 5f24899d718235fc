#include "fe_train.h"

#include <stdlib.h>
#include <string.h>

fe_status fe_worker_prepare(fe_worker *worker, const fe_train_job *job) {
    int32_t outputs = job->loss == FE_NEGATIVE ? job->draws + FE_GROUP : (job->hs_longest > 0 ? job->hs_longest : 1);
    int64_t capacity = 2 * FE_UNIT + 4 * job->longest_window;
    if (worker->memory != NULL && worker->capacity >= capacity && worker->outputs >= outputs && worker->stride == job->stride)
        return FE_OK;
    fe_worker_release(worker);

    const uint64_t tokens = (uint64_t)capacity, columns = ((uint64_t)outputs + 3) / 4 * 4;
    const uint64_t row = (uint64_t)job->stride * sizeof(float), cells = 4 * columns * FE_LANES;
    const uint64_t parts[] = {
        4 * tokens, 4 * tokens, 4 * tokens, 4 * tokens, 4 * tokens, 8 * tokens, /* token to position */
        4 * columns, 4 * columns,                                               /* slot, coin */
        cells, cells, cells,                                                    /* right, wrong, cells */
        row * FE_GROUP, row * FE_LANES,                                         /* hidden, change */
        8 * columns, 8 * columns, 2 * sizeof(float *) * columns,                /* two groups */
    };
    enum { PARTS = sizeof parts / sizeof parts[0] };
    uint64_t start[PARTS], total = 64;
    for (int i = 0; i < PARTS; i++) {
        start[i] = total;
        total += (parts[i] + 383) / 64 * 64; /* whole vectors and columns are written up to 256 bytes past the end */
    }
    char *memory = calloc(1, total);
    if (memory == NULL) return FE_NOMEM;
    worker->memory = memory;
    worker->capacity = capacity;
    worker->outputs = outputs;
    worker->stride = job->stride;
    char *p = (char *)((uintptr_t)memory & ~(uintptr_t)63); /* start[0] = 64 leaves the room for this */
    worker->token = (int32_t *)(p + start[0]);
    worker->at = (int32_t *)(p + start[1]);
    worker->lo = (int32_t *)(p + start[2]);
    worker->hi = (int32_t *)(p + start[3]);
    worker->unit = (int32_t *)(p + start[4]);
    worker->position = (int64_t *)(p + start[5]);
    worker->slot = (uint32_t *)(p + start[6]);
    worker->coin = (uint32_t *)(p + start[7]);
    worker->right = (float *)(p + start[8]);
    worker->wrong = (float *)(p + start[9]);
    worker->cells = (float *)(p + start[10]);
    worker->hidden = (float *)(p + start[11]);
    worker->change = (float *)(p + start[12]);
    for (int i = 0; i < 2; i++) {
        fe_group *group = &worker->ring[i];
        group->wrong = (float *)(p + start[13]) + i * (int64_t)columns;
        group->label = (float *)(p + start[14]) + i * (int64_t)columns;
        group->outputs = (float **)(void *)(p + start[15]) + i * (int64_t)columns;
    }
    return FE_OK;
}

void fe_worker_release(fe_worker *worker) {
    free(worker->memory);
    worker->memory = NULL;
    worker->capacity = 0;
}

void fe_rows_pad(float *rows, int64_t n, int64_t dim, int64_t stride) {
    if (dim == stride) return;
    for (int64_t i = n - 1; i >= 0; i--) { /* backwards: a row's new place is at or after its old one */
        memmove(rows + i * stride, rows + i * dim, (size_t)dim * sizeof(float));
        memset(rows + i * stride + dim, 0, (size_t)(stride - dim) * sizeof(float));
    }
}

void fe_rows_unpad(float *rows, int64_t n, int64_t dim, int64_t stride) {
    if (dim == stride) return;
    for (int64_t i = 1; i < n; i++) memmove(rows + i * dim, rows + i * stride, (size_t)dim * sizeof(float));
}

int64_t fe_rows_first_nonfinite(const float *rows, int64_t n, int64_t dim, int64_t stride) {
    for (int64_t i = 0; i < n; i++) {
        const float *row = rows + i * stride;
        uint32_t bad = 0;
        for (int64_t k = 0; k < dim; k++) {
            uint32_t bits;
            memcpy(&bits, row + k, sizeof bits);
            bad |= (bits & 0x7F800000u) == 0x7F800000u;
        }
        if (bad) return i;
    }
    return -1;
}
