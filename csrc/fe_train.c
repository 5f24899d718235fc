#include "fe_train.h"

#include <stdlib.h>
#include <string.h>

/* Longest context that can matter is the longest sentence, so the caller passes min(window, longest sentence). */
fe_status fe_worker_prepare(fe_worker *worker, const fe_train_job *job, int64_t longest_window) {
    int32_t outputs = job->loss == FE_NEGATIVE ? job->negative + 1 : (job->hs_longest > 0 ? job->hs_longest : 1);
    int64_t capacity = 2 * FE_UNIT + 4 * longest_window;
    if (worker->memory != NULL && worker->capacity >= capacity && worker->outputs == outputs) return FE_OK;
    fe_worker_release(worker);

    enum { PARTS = 12, SLACK = 64 };
    uint64_t cells = (uint64_t)FE_MAX_INPUTS * (uint64_t)outputs + SLACK;
    uint64_t ring = (uint64_t)FE_MAX_AHEAD * (uint64_t)outputs;
    uint64_t sizes[PARTS] = {
        4ull * (uint64_t)capacity, 4ull * (uint64_t)capacity, 4ull * (uint64_t)capacity, 4ull * (uint64_t)capacity,
        8ull * (uint64_t)capacity, 4ull * ring, 4ull * ring, 4ull * cells, 4ull * cells, 4ull * ring,
        4ull * (uint64_t)job->stride * (2 + FE_MAX_INPUTS), 8ull * (uint64_t)outputs,
    };
    uint64_t offsets[PARTS], total = 0;
    for (int i = 0; i < PARTS; i++) {
        offsets[i] = total;
        total += (sizes[i] + SLACK + 63) / 64 * 64;
    }
    char *memory = calloc(1, total + 64);
    if (memory == NULL) return FE_NOMEM;
    worker->memory = memory;
    char *p = (char *)(((uintptr_t)memory + 63) & ~(uintptr_t)63);
    worker->capacity = capacity;
    worker->outputs = outputs;
    worker->token = (int32_t *)(p + offsets[0]);
    worker->at = (int32_t *)(p + offsets[1]);
    worker->lo = (int32_t *)(p + offsets[2]);
    worker->hi = (int32_t *)(p + offsets[3]);
    worker->position = (int64_t *)(p + offsets[4]);
    worker->rows = (int32_t *)(p + offsets[5]);
    worker->weights = (float *)(p + offsets[6]);
    worker->logits = (float *)(p + offsets[7]);
    worker->labels = (float *)(p + offsets[8]);
    worker->column_labels = (float *)(p + offsets[9]);
    worker->hidden = (float *)(p + offsets[10]);
    worker->change = worker->hidden + 2 * job->stride;
    worker->pointers = (float **)(void *)(p + offsets[11]);
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
