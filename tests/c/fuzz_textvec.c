/* Fuzz target of the row readers: any bytes, cut into any blocks, give rows that hold together or a sticky error.
 *
 * With libFuzzer:  clang -g -O1 -fsanitize=fuzzer,address,undefined -DFE_LIBFUZZER -Icsrc tests/c/fuzz_textvec.c \
 *                      csrc/fe_textvec.c -lm -o fuzz && ./fuzz -max_len=4096
 * Without:         gcc -g -O1 -fsanitize=address,undefined -Icsrc tests/c/fuzz_textvec.c csrc/fe_textvec.c -lm -o fuzz
 *                  ./fuzz 1000000       that many mutations of the seeds below; the same every time
 */
#include "fe_textvec.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define CHECK(x) \
    do { \
        if (!(x)) { \
            fprintf(stderr, "%s:%d: %s does not hold\n", __FILE__, __LINE__, #x); \
            abort(); \
        } \
    } while (0)

static void check_rows(fe_textvec *t) {
    int64_t n = t->rows;
    if (n == 0) return;
    CHECK(t->dim > 0 && t->offsets[0] == 0 && !fe_offsets_bad(t->offsets, n, t->blob_len));
    if (!t->allow_nonfinite) CHECK(fe_first_nonfinite(t->vectors, n * t->dim) < 0);
    int64_t *dup = malloc((size_t)n * 8);
    CHECK(dup);
    CHECK(fe_words_duplicates(t->blob, t->offsets, n, 12345, dup) >= 0);
    for (int64_t i = 0; i < n; i++) CHECK(dup[i] < i && dup[i] >= -1);
    free(dup);
    fe_words_invalid_utf8(t->blob, t->offsets, 0, n);
    fe_words_unfit(t->blob, t->offsets, 0, n);
    for (int binary = 0; binary < 2; binary++) { /* what was read can be written; with fitting words it comes back */
        size_t room = fe_rows_bound(t->offsets, 0, n, t->dim, binary);
        char *out = malloc(room ? room : 1);
        CHECK(out);
        size_t len = fe_rows_print(t->vectors, t->dim, t->blob, t->offsets, 0, n, binary, out);
        CHECK(len <= room);
        if (fe_words_unfit(t->blob, t->offsets, 0, n) < 0 && !t->allow_nonfinite) {
            fe_textvec back;
            fe_textvec_init(&back);
            back.dim = t->dim;
            back.max_rows = n;
            back.need_rows = back.no_trailing = 1;
            size_t used;
            CHECK((binary ? fe_textvec_binary : fe_textvec_text)(&back, (uint8_t *)out, len, 1, &used) == FE_TV_OK);
            CHECK(used == len && back.rows == n && back.blob_len == t->blob_len);
            CHECK(!memcmp(back.blob, t->blob, (size_t)t->blob_len));
            CHECK(!memcmp(back.vectors, t->vectors, (size_t)(n * t->dim) * 4));
            fe_textvec_free(&back);
        }
        free(out);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    if (size < 4) return 0;
    fe_textvec t;
    fe_textvec_init(&t);
    const int binary = data[0] & 1;
    t.dim = binary ? 1 + data[1] % 8 : data[1] % 8; /* 0: from the first row */
    if (data[0] & 2) t.max_rows = data[2] % 16;
    t.need_rows = (data[0] & 2) && (data[0] & 4);
    t.no_trailing = !!(data[0] & 8);
    t.allow_nonfinite = !!(data[0] & 16);
    t.numeric_words = !!(data[0] & 32);
    if (data[0] & 64) t.dim = (int64_t)1 << 39; /* a header that lies */
    size_t step = data[3] % 64 ? data[3] % 64 : size;
    data += 4;
    size -= 4;
    /* every block in memory of its own length, so that the sanitizer sees a byte read too far */
    size_t at = 0, fill = 0;
    uint8_t *block = malloc(1);
    CHECK(block);
    for (;;) {
        size_t more = size - at < step ? size - at : step, used = 0;
        uint8_t *bigger = malloc(fill + more + 1 - 1 ? fill + more : 1);
        CHECK(bigger);
        memcpy(bigger, block, fill);
        memcpy(bigger + fill, data + at, more);
        free(block);
        block = bigger;
        fill += more;
        at += more;
        const int eof = at == size;
        fe_tv_error e = (binary ? fe_textvec_binary : fe_textvec_text)(&t, block, fill, eof, &used);
        CHECK(used <= fill && e == t.error && e != FE_TV_NOMEM);
        if (e) {
            CHECK(t.error_byte >= 0 && t.error_byte <= (int64_t)size && t.error_row >= 1);
            break;
        }
        if (eof || t.finished) break;
        memmove(block, block + used, fill - used);
        fill -= used;
    }
    free(block);
    CHECK(t.rows <= t.max_rows && t.rows <= (int64_t)size);
    if (!t.error) fe_textvec_shrink(&t);
    check_rows(&t);
    fe_textvec_free(&t);
    float x;
    const uint8_t *end = data + size, *p = fe_parse_float(data, end, &x);
    CHECK(!p || (p > data && p <= end));
    return 0;
}

#ifndef FE_LIBFUZZER
static uint64_t state = 88172645463325252ull;

static uint64_t next(void) {
    state ^= state << 13;
    state ^= state >> 7;
    return state ^= state << 17;
}

static const char *const SEEDS[] = {
    "0201the 0.5 -1.25e3\nof 1e-45 3.4028235e38\nNew York 1 2\n",
    "0001a 1 2 3\r\nb\t4 5 6 \r\n\r\n",
    "2231a 0.123456 0.654321 1.000000\nb 0.5 nan inf\n",
    ">334x 1.00000005960464477539062500001 7.038531e-26\n y 1 2\n",
    "1101a \1\2\3\4bc \5\6\7\10",
    "3331ab 0123abcd\ncd 4567efgh\nef 89ABijkl\n",
    "1=0? \n\n  ",
    "b000a 1 2 3 4 5 6 7 8 9\n",
};
static const char *const BITS[] = {"nan", "-inf", "1e999", " ", "\n", "\r\n", "\t", "1", ".", "e-", "00000000000000000000", "\xff"};

int main(int argc, char **argv) {
    const long long n = argc > 1 ? atoll(argv[1]) : 100000;
    uint8_t buf[600];
    for (long long i = 0; i < n; i++) {
        const char *seed = SEEDS[next() % (sizeof SEEDS / sizeof *SEEDS)];
        size_t len = strlen(seed);
        memcpy(buf, seed, len);
        for (uint64_t k = next() % 8; k; k--) {
            const size_t at = len ? next() % len : 0;
            switch (next() % 5) {
            case 0: buf[at] = (uint8_t)next(); break;
            case 1: buf[at] ^= (uint8_t)(1u << next() % 8); break;
            case 2: len = at; break;
            case 3: {
                const char *b = BITS[next() % (sizeof BITS / sizeof *BITS)];
                const size_t m = strlen(b);
                if (len + m < sizeof buf) {
                    memmove(buf + at + m, buf + at, len - at);
                    memcpy(buf + at, b, m);
                    len += m;
                }
                break;
            }
            default: {
                const size_t m = len - at;
                if (len + m < sizeof buf) {
                    memcpy(buf + len, buf + at, m);
                    len += m;
                }
            }
            }
        }
        uint8_t *exact = malloc(len ? len : 1);
        CHECK(exact);
        memcpy(exact, buf, len);
        LLVMFuzzerTestOneInput(exact, len);
        free(exact);
    }
    printf("%lld inputs, no finding\n", n);
    return 0;
}
#endif
