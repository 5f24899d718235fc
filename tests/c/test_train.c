/* The training kernels without Python: every instruction set against the scalar one, and several hogwild workers.
 *
 *   gcc -O2 -std=gnu11 -Icsrc tests/c/test_train.c csrc/fe_{alias,dispatch,huffman,train,kernels_*}.c -lm -lpthread -o test_train && ./test_train
 *
 * Under ThreadSanitizer (-fsanitize=thread) the rows are read and written by relaxed atomics, so that any other race is a
 * finding. On AArch64 this is the test of the NEON kernel (it runs under qemu-user as well). */
#include "fe_dispatch.h"
#include "fe_huffman.h"
#include "fe_random.h"

#include <math.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { V = 300, TOKENS = 6000, SENTENCE = 40, SENTENCES = TOKENS / SENTENCE };

static int32_t ids[TOKENS];
static int64_t offsets[SENTENCES + 1], counts[V], path_offsets[V + 1];
static uint32_t keep[V];
static fe_alias table[V];
static int32_t *points;
static uint8_t *codes;
static int32_t longest;

static void make_corpus(void) {
    uint64_t draw = 1;
    for (int i = 0; i < TOKENS; i++) {
        int again = 1;
        while (again) { /* no word twice in a group's windows: how such a word is updated depends on the tiles' sizes */
            double u = (double)(fe_mix64(draw++) >> 11) / 9007199254740992.0;
            ids[i] = (int32_t)(u * u * V); /* the square makes low ids frequent */
            again = 0;
            for (int k = i - 1; k >= 0 && k > i - SENTENCE; k--) again |= ids[k] == ids[i];
        }
        counts[ids[i]]++;
    }
    for (int i = 0; i < V; i++) counts[i] += V - i; /* descending, as the tree wants them */
    for (int i = 1; i < V; i++)
        if (counts[i] > counts[i - 1]) counts[i] = counts[i - 1];
    for (int s = 0; s <= SENTENCES; s++) offsets[s] = (int64_t)s * SENTENCE;
    double weights[V], scaled[V];
    int32_t stack[V];
    for (int i = 0; i < V; i++) {
        weights[i] = pow((double)counts[i], 0.75);
        keep[i] = i < 5 ? 0x80000000u : UINT32_MAX;
    }
    fe_alias_build(weights, V, table, scaled, stack);
    int64_t sums[V];
    int32_t parent[2 * V], depth[V];
    uint8_t side[2 * V];
    fe_huffman_build(counts, V, sums, parent, side, depth);
    for (int i = 0; i < V; i++) {
        path_offsets[i + 1] = path_offsets[i] + depth[i];
        if (depth[i] > longest) longest = depth[i];
    }
    points = malloc(sizeof(int32_t) * (size_t)path_offsets[V]);
    codes = malloc((size_t)path_offsets[V]);
    fe_huffman_paths(V, parent, side, path_offsets, points, codes);
}

typedef struct {
    const fe_train_job *job;
    fe_train_fn *train;
    fe_piece piece;
    fe_worker worker;
    fe_status status;
} task;

static void *run(void *argument) {
    task *t = argument;
    t->status = fe_worker_prepare(&t->worker, t->job);
    if (t->status == FE_OK) t->status = t->train(t->job, &t->piece, &t->worker);
    return NULL;
}

static float *rows(int64_t stride, int dim, uint64_t seed) {
    float *out = aligned_alloc(64, sizeof(float) * (size_t)(V * stride));
    for (int64_t i = 0; i < V * stride; i++)
        out[i] = i % stride < dim ? ((float)(fe_mix64(seed + (uint64_t)i) >> 40) / 16777216.0f - 0.5f) * 0.4f : 0.0f;
    return out;
}

/* Trains once with `workers` threads; returns the loss of an example. */
static double train(fe_isa isa, int dim, int algorithm, int loss, int workers, float **syn0, float **syn1) {
    int64_t stride = (dim + FE_ROW_ALIGN - 1) / FE_ROW_ALIGN * FE_ROW_ALIGN;
    *syn0 = rows(stride, dim, 1);
    *syn1 = rows(stride, dim, 2);
    fe_train_job job = {0};
    job.syn0 = *syn0, job.syn1 = *syn1, job.stride = stride, job.vocabulary = V, job.dim = dim;
    job.algorithm = algorithm, job.loss = loss, job.window = 5, job.longest_window = 5, job.shrink = 1;
    job.negative = 5, job.group = loss == FE_NEGATIVE ? 4 : 1, job.draws = 7, job.cbow_mean = 1, job.seed = 3;
    job.keep = keep, job.alias = table;
    job.hs_offsets = path_offsets, job.hs_points = points, job.hs_codes = codes, job.hs_longest = longest;
    task tasks[4];
    pthread_t threads[4];
    memset(tasks, 0, sizeof tasks);
    for (int k = 0; k < workers; k++) {
        int64_t first = SENTENCES * k / workers, last = SENTENCES * (k + 1) / workers;
        tasks[k].job = &job;
        tasks[k].train = isa.train;
        tasks[k].piece = (fe_piece){ids, 0, TOKENS, offsets, SENTENCES, first, offsets[first], offsets[last], 0, 0.05f, 0.05f};
        pthread_create(&threads[k], NULL, run, &tasks[k]);
    }
    double total = 0;
    int64_t examples = 0, words = 0;
    for (int k = 0; k < workers; k++) {
        pthread_join(threads[k], NULL);
        if (tasks[k].status != FE_OK) printf("FAILED: status %d\n", (int)tasks[k].status), exit(1);
        total += tasks[k].worker.loss;
        examples += tasks[k].worker.examples;
        words += tasks[k].worker.words;
        fe_worker_release(&tasks[k].worker);
    }
    if (words != TOKENS) printf("FAILED: %lld words of %d\n", (long long)words, TOKENS), exit(1);
    return total / (double)examples;
}

int main(void) {
    static const char *const algorithms[] = {"skip-gram", "CBOW"}, *const losses[] = {"negative sampling", "softmax"};
    static const int dims[] = {1, 7, 16, 33, 100};
    fe_isa isas[FE_ISA_MOST];
    int n = fe_isas_usable(isas), failed = 0, passed = 0;
    make_corpus();
    for (int d = 0; d < 5; d++)
        for (int a = 0; a < 2; a++)
            for (int l = 0; l < 2; l++) {
                float *want0, *want1, *got0, *got1;
                int64_t size = (int64_t)V * ((dims[d] + 15) / 16 * 16);
                double want = train(isas[0], dims[d], a, l, 1, &want0, &want1);
                for (int i = 0; i < n; i++) {
                    double got = train(isas[i], dims[d], a, l, 1, &got0, &got1), worst = 0;
                    for (int64_t k = 0; k < size; k++) {
                        double e0 = fabs((double)got0[k] - want0[k]), e1 = fabs((double)got1[k] - want1[k]);
                        if (!(e0 <= worst)) worst = e0;
                        if (!(e1 <= worst)) worst = e1;
                    }
                    int good = worst < 2e-4 && fabs(got - want) < 1e-4 * want;
                    good ? passed++ : failed++;
                    if (!good)
                        printf("FAILED %s dim %d %s %s: weights differ by %g, loss %g %g\n", isas[i].name, dims[d], algorithms[a],
                               losses[l], worst, got, want);
                    free(got0), free(got1);
                    double several = train(isas[i], dims[d], a, l, 4, &got0, &got1);
                    good = fabs(several - want) < 0.2 * want; /* hogwild: noisier under a sanitizer */
                    good ? passed++ : failed++;
                    if (!good) printf("FAILED %s: loss %g with 4 workers, %g with 1\n", isas[i].name, several, want);
                    free(got0), free(got1);
                }
                free(want0), free(want1);
            }
    printf("instruction sets:");
    for (int i = 0; i < n; i++) printf(" %s", isas[i].name);
    printf("\n%d passed, %d failed\n", passed, failed);
    return failed != 0;
}
