/* See fe_textvec.h.
 *
 * (a) Reading a number. Digits are gathered in a 64-bit integer w (19 fit) with a decimal exponent e. If w < 2^53 and
 *     |e| <= 22, both w and 10^|e| are exact doubles and one IEEE operation rounds right: that is nearly every number
 *     ever written to such a file. Otherwise w * 10^e is computed with an error below 2 units of a double; the float
 *     is settled unless a float's rounding boundary lies within that error (1 in 10^8), and then strtod in the "C"
 *     locale decides.
 * (b) Printing a number. The float is scaled to v in [1e8, 1e9); there the neighbours' midpoints are at least 3 units
 *     away, so nine digits are enough. Digits are dropped from the right while the nearest shorter decimal stays
 *     between the midpoints. v carries an error below 1e-6 units; whenever a comparison is closer than that, the
 *     candidate is read back by (a) instead. So what is printed always reads back, even where rounding twice (to
 *     double, then to float) would spoil the shortest decimal, as it does for 7.038531e-26.
 */
#if !defined(_GNU_SOURCE) && !defined(_WIN32)
#define _GNU_SOURCE /* newlocale, strtod_l */
#endif
#include "fe_textvec.h"

#include <float.h>
#include <locale.h>
#include <math.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#if defined(__APPLE__) || defined(__FreeBSD__)
#include <xlocale.h>
#endif

#define MAX_NUMBER_CHARS 1000 /* of one number; a longer one is refused */

static const double POW10[] = {
    1e0,  1e1,  1e2,  1e3,  1e4,  1e5,  1e6,  1e7,  1e8,  1e9,  1e10, 1e11, 1e12, 1e13, 1e14, 1e15, 1e16,
    1e17, 1e18, 1e19, 1e20, 1e21, 1e22, 1e23, 1e24, 1e25, 1e26, 1e27, 1e28, 1e29, 1e30, 1e31, 1e32, 1e33,
    1e34, 1e35, 1e36, 1e37, 1e38, 1e39, 1e40, 1e41, 1e42, 1e43, 1e44, 1e45, 1e46, 1e47, 1e48, 1e49, 1e50,
    1e51, 1e52, 1e53, 1e54, 1e55, 1e56, 1e57, 1e58, 1e59, 1e60, 1e61, 1e62, 1e63, 1e64, 1e65, 1e66,
};
#define MAX_POW10 66 /* 19 digits times 1e-67 is below half of the smallest float; 1 times 1e66 is above the largest */

FE_INLINE uint32_t float_bits(float x) {
    uint32_t u;
    memcpy(&u, &x, 4);
    return u;
}

FE_INLINE int is_finite_bits(float x) { return (float_bits(x) & 0x7f800000u) != 0x7f800000u; }

FE_INLINE int is_digit(uint8_t c) { return (uint8_t)(c - '0') < 10; }

FE_INLINE int is_sep(uint8_t c) { return c == ' ' || c == '\t'; }

FE_INLINE int is_space(uint8_t c) { return c == ' ' || (uint8_t)(c - '\t') < 5; }

FE_INLINE float to_float(double d) { /* a double beyond float's range is undefined in C, Inf in IEEE */
    if (FE_UNLIKELY(!(d < 3.4028235677973366e38))) return d != d ? NAN : INFINITY; /* FLT_MAX + half a unit */
    return (float)d;
}

/* ---------------------------------------------------------------------------------------------- reading a number */

#if defined(_WIN32)
static double strtod_c(const char *s) {
    static _Atomic(_locale_t) cached;
    _locale_t loc = atomic_load(&cached);
    if (!loc) {
        _locale_t mine = _create_locale(LC_ALL, "C"), none = NULL;
        if (!atomic_compare_exchange_strong(&cached, &none, mine)) _free_locale(mine), mine = none;
        loc = mine;
    }
    return _strtod_l(s, NULL, loc);
}
#else
static double strtod_c(const char *s) {
    static _Atomic(locale_t) cached;
    locale_t loc = atomic_load(&cached);
    if (!loc) {
        locale_t mine = newlocale(LC_ALL_MASK, "C", (locale_t)0), none = (locale_t)0;
        if (!atomic_compare_exchange_strong(&cached, &none, mine)) {
            freelocale(mine);
            mine = none;
        }
        loc = mine;
    }
    return strtod_l(s, NULL, loc);
}
#endif

/* w * 10^e10 as a float, w != 0; 0 when a boundary is too close to tell. `digits` says that w was cut after 19. */
FE_INLINE int scale_to_float(uint64_t w, int64_t e10, int cut, float *value) {
    if (FE_LIKELY(w <= (1ull << 53) && e10 >= -22 && e10 <= 22 && !cut)) {
        *value = to_float(e10 < 0 ? (double)w / POW10[-e10] : (double)w * POW10[e10]);
        return 1;
    }
    if (e10 > MAX_POW10) {
        *value = INFINITY;
        return 1;
    }
    if (e10 < -MAX_POW10) {
        *value = 0.0f;
        return 1;
    }
    double d = e10 < 0 ? (double)w / POW10[-e10] : (double)w * POW10[e10];
    float lo = to_float(d * (1 - 4 * DBL_EPSILON)), hi = to_float(d * (1 + 4 * DBL_EPSILON));
    *value = lo;
    return float_bits(lo) == float_bits(hi);
}

static FE_NOINLINE const uint8_t *parse_special(const uint8_t *p, const uint8_t *end, int neg, float *value) {
    static const char *const names[] = {"infinity", "inf", "nan"};
    for (int k = 0; k < 3; k++) {
        size_t n = strlen(names[k]), i = 0;
        if ((size_t)(end - p) < n) continue;
        while (i < n && (p[i] | 0x20) == (uint8_t)names[k][i]) i++;
        if (i == n) {
            float x = k == 2 ? NAN : INFINITY;
            *value = neg ? -x : x;
            return p + n;
        }
    }
    return NULL;
}

static FE_NOINLINE const uint8_t *parse_slow(const uint8_t *start, const uint8_t *end, float *value) {
    char buf[MAX_NUMBER_CHARS + 1];
    size_t n = (size_t)(end - start);
    if (n > MAX_NUMBER_CHARS) return NULL;
    memcpy(buf, start, n);
    buf[n] = 0;
    double d = strtod_c(buf);
    *value = d < 0 ? -to_float(-d) : to_float(d);
    return end;
}

FE_INLINE const uint8_t *parse_float(const uint8_t *p, const uint8_t *end, float *value) {
    const uint8_t *start = p;
    uint64_t w = 0;
    int neg = 0;
    if (p < end && (*p == '-' || *p == '+')) neg = *p++ == '-';
    const uint8_t *first = p;
    while (p < end && is_digit(*p)) w = w * 10 + (uint64_t)(*p++ - '0');
    int64_t digits = p - first, e10 = 0;
    const uint8_t *point = NULL;
    if (p < end && *p == '.') {
        point = p++;
        const uint8_t *frac = p;
        while (p < end && is_digit(*p)) w = w * 10 + (uint64_t)(*p++ - '0');
        e10 = -(p - frac);
        digits -= e10;
    }
    if (FE_UNLIKELY(digits == 0)) return point ? NULL : parse_special(first, end, neg, value);
    const uint8_t *mantissa_end = p;
    if (p < end && (*p | 0x20) == 'e') {
        const uint8_t *q = p + 1;
        int eneg = 0;
        int64_t ex = 0;
        if (q < end && (*q == '-' || *q == '+')) eneg = *q++ == '-';
        if (q < end && is_digit(*q)) {
            while (q < end && is_digit(*q)) {
                if (ex < 1000000) ex = ex * 10 + (*q - '0');
                q++;
            }
            e10 += eneg ? -ex : ex;
            p = q;
        }
    }
    int cut = 0;
    if (FE_UNLIKELY(digits > 19)) { /* w may have wrapped: gather again without leading zeros, at most 19 digits */
        int64_t kept = 0;
        w = 0;
        for (const uint8_t *q = first; q < mantissa_end; q++) {
            if (*q == '.') continue;
            if (kept == 0 && *q == '0') continue;
            if (kept < 19) {
                w = w * 10 + (uint64_t)(*q - '0');
                kept++;
            } else {
                e10++;
                cut |= *q != '0';
            }
        }
    }
    float x = 0.0f;
    if (w != 0 && FE_UNLIKELY(!scale_to_float(w, e10, cut, &x))) return parse_slow(start, p, value);
    *value = neg ? -x : x;
    return p;
}

const uint8_t *fe_parse_float(const uint8_t *p, const uint8_t *end, float *value) { return parse_float(p, end, value); }

/* --------------------------------------------------------------------------------------------- printing a number */

/* Does c * 10^e read back as the float x > 0? */
static int reads_back(uint64_t c, int e, float x) {
    float y;
    if (c == 0) return 0;
    if (!scale_to_float(c, e, 0, &y)) { /* at a boundary: only exact arithmetic can tell */
        char buf[40];
        char *s = buf + sizeof buf - 1;
        *s = 0;
        int a = e < 0 ? -e : e;
        do *--s = (char)('0' + a % 10), a /= 10;
        while (a);
        if (e < 0) *--s = '-';
        *--s = 'e';
        do *--s = (char)('0' + c % 10), c /= 10;
        while (c);
        y = to_float(strtod_c(s));
    }
    return float_bits(y) == float_bits(x);
}

/* x > 0, finite: shortest digits c and exponent e with c * 10^e. */
static uint32_t shortest(float x, int *e) {
    const uint32_t u = float_bits(x), biased = u >> 23;
    const int expo = (int)(biased ? biased : 1) - 127;
    const double d = (double)x;
    /* 10^k <= x, as a multiplication: 1233 / 4096 is close enough to log10(2) for |expo| <= 127. Subnormal x need log10. */
    const int k = FE_LIKELY(biased) ? (expo * 1233) >> 12 : (int)floor(log10(d));
    int s = 8 - k;
    double v = s < 0 ? d / POW10[-s] : d * POW10[s];
    if (v >= 1e9) { /* x has one digit more than its power of two */
        s--;
        v = s < 0 ? d / POW10[-s] : d * POW10[s];
    }
    /* half a unit of the last bit up and down; below a power of two the floats lie twice as close */
    const uint64_t half_bits = (uint64_t)(expo - 24 + 1023) << 52;
    double hi;
    memcpy(&hi, &half_bits, 8);
    hi = s < 0 ? hi / POW10[-s] : hi * POW10[s];
    const double lo = (u & 0x7fffff) == 0 && biased > 1 ? hi * 0.5 : hi, eps = 1e-6;
    uint32_t cur = (uint32_t)v, best = 0;
    double rem = v - (double)cur, unit = 1.0;
    for (int j = 0; j < 10; j++) {
        const double up = unit - rem;
        int down_in = rem < lo && cur > 0, up_in = up < hi;
        if (FE_UNLIKELY(fabs(rem - lo) < eps)) down_in = reads_back(cur, j - s, x);
        if (FE_UNLIKELY(fabs(up - hi) < eps)) up_in = reads_back((uint64_t)cur + 1, j - s, x);
        if (!(down_in | up_in)) break;
        const int take_up = up_in & (!down_in | (up < rem) | ((up == rem) & (int)(cur & 1)));
        best = cur + (uint32_t)take_up;
        *e = j - s;
        const uint32_t next = cur / 10;
        rem += (double)(cur - next * 10) * unit;
        cur = next;
        unit *= 10.0;
    }
    return best;
}

static const char TWO_DIGITS[] =
    "00010203040506070809101112131415161718192021222324252627282930313233343536373839404142434445464748495051525354"
    "555657585960616263646566676869707172737475767778798081828384858687888990919293949596979899";

int fe_print_float(float x, char *out) {
    char *p = out;
    uint32_t u = float_bits(x);
    if ((u & 0x7f800000u) == 0x7f800000u) {
        if (u & 0x7fffff) return memcpy(out, "nan", 3), 3;
        if (u >> 31) *p++ = '-';
        memcpy(p, "inf", 3);
        return (int)(p + 3 - out);
    }
    if (u >> 31) {
        *p++ = '-';
        x = -x;
    }
    if (x == 0.0f) {
        memcpy(p, "0.0", 3);
        return (int)(p + 3 - out);
    }
    int e = 0;
    uint32_t c = shortest(x, &e);
    char room[10], *digits = room + sizeof room;
    while (c >= 100) {
        const uint32_t q = c / 100;
        digits -= 2;
        memcpy(digits, TWO_DIGITS + 2 * (c - 100 * q), 2);
        c = q;
    }
    if (c >= 10) {
        digits -= 2;
        memcpy(digits, TWO_DIGITS + 2 * c, 2);
    } else {
        *--digits = (char)('0' + c);
    }
    const int n = (int)(room + sizeof room - digits);
    const int point = n + e; /* value = 0.digits * 10^point */
    if (x >= 1e-4f && (double)x >= 1e-4 && x < 1e6f) {
        if (point <= 0) {
            *p++ = '0';
            *p++ = '.';
            for (int i = point; i < 0; i++) *p++ = '0';
            memcpy(p, digits, (size_t)n);
            p += n;
        } else if (point >= n) {
            memcpy(p, digits, (size_t)n);
            p += n;
            for (int i = n; i < point; i++) *p++ = '0';
            *p++ = '.';
            *p++ = '0';
        } else {
            memcpy(p, digits, (size_t)point);
            p += point;
            *p++ = '.';
            memcpy(p, digits + point, (size_t)(n - point));
            p += n - point;
        }
    } else {
        *p++ = digits[0];
        if (n > 1) {
            *p++ = '.';
            memcpy(p, digits + 1, (size_t)(n - 1));
            p += n - 1;
        }
        *p++ = 'e';
        int ex = point - 1;
        *p++ = ex < 0 ? '-' : '+';
        if (ex < 0) ex = -ex;
        *p++ = (char)('0' + ex / 10);
        *p++ = (char)('0' + ex % 10);
    }
    return (int)(p - out);
}

/* ---------------------------------------------------------------------------------------------------- the reader */

void fe_textvec_init(fe_textvec *t) {
    memset(t, 0, sizeof *t);
    t->max_rows = INT64_MAX;
    t->blank_byte = -1;
}

void fe_textvec_free(fe_textvec *t) {
    free(t->vectors);
    free(t->blob);
    free(t->offsets);
    t->vectors = NULL;
    t->blob = NULL;
    t->offsets = NULL;
    t->vectors_cap = t->blob_cap = t->offsets_cap = t->rows = t->blob_len = 0;
}

static fe_tv_error fail(fe_textvec *t, fe_tv_error e, int64_t byte, int64_t found) {
    if (!t->error) {
        t->error = e;
        t->error_row = t->rows + 1;
        t->error_byte = byte;
        t->error_found = found;
    }
    return t->error;
}

/* realloc to n items; nonzero on success. On failure the old block stays. */
static int resize(void **block, int64_t n, int64_t item) {
    uint64_t bytes;
    if (fe_mul_overflow((uint64_t)n, (uint64_t)item, &bytes) || bytes > PTRDIFF_MAX) return 0;
    void *p = realloc(*block, bytes ? (size_t)bytes : 1);
    if (!p) return 0;
    *block = p;
    return 1;
}

static int reserve_rows(fe_textvec *t, int64_t n) {
    if (n > t->vectors_cap) {
        uint64_t row;
        if (fe_mul_overflow((uint64_t)t->dim, 4, &row) || row > PTRDIFF_MAX) return 0;
        if (!resize((void **)&t->vectors, n, (int64_t)row)) return 0;
        t->vectors_cap = n;
    }
    if (n >= t->offsets_cap) {
        if (n == INT64_MAX || !resize((void **)&t->offsets, n + 1, 8)) return 0;
        t->offsets_cap = n + 1;
    }
    return 1;
}

static int reserve_blob(fe_textvec *t, int64_t n) {
    if (n <= t->blob_cap) return 1;
    if (!resize((void **)&t->blob, n, 1)) return 0;
    t->blob_cap = n;
    return 1;
}

fe_tv_error fe_textvec_reserve(fe_textvec *t, int64_t rows, int64_t blob) {
    if (t->error) return t->error;
    if (!reserve_rows(t, rows) || !reserve_blob(t, blob)) return fail(t, FE_TV_NOMEM, t->base, rows);
    return FE_TV_OK;
}

/* Room for one more row whose word has `len` bytes; returns where its vector goes, or NULL. */
FE_INLINE float *next_row(fe_textvec *t, int64_t len) {
    if (FE_UNLIKELY(t->rows == t->vectors_cap || t->rows + 1 >= t->offsets_cap)) {
        const int64_t few = t->dim < 1024 ? 64 : 1; /* a first row of absurd length must not be paid 64 times */
        int64_t want = t->rows + t->rows / 2 + few;
        if (want > t->max_rows) want = t->max_rows;
        if (!reserve_rows(t, want)) return NULL;
    }
    if (FE_UNLIKELY(t->blob_len + len >= t->blob_cap)) { /* never without memory, even for empty words */
        if (!reserve_blob(t, t->blob_len + len + t->blob_len / 2 + 1024)) return NULL;
    }
    return t->vectors + (size_t)t->rows * (size_t)t->dim;
}

FE_INLINE void add_word(fe_textvec *t, const uint8_t *word, int64_t len) {
    if (t->rows == 0) t->offsets[0] = 0;
    memcpy(t->blob + t->blob_len, word, (size_t)len);
    t->blob_len += len;
    t->rows++;
    t->offsets[t->rows] = t->blob_len;
}

static int64_t count_fields(const uint8_t *p, const uint8_t *end) {
    int64_t n = 0;
    while (p < end) {
        while (p < end && is_sep(*p)) p++;
        if (p == end) break;
        n++;
        while (p < end && !is_sep(*p)) p++;
    }
    return n;
}

/* Start of the field that ends at `end` (no separator before `end`), not before `start`. */
FE_INLINE const uint8_t *field_start(const uint8_t *start, const uint8_t *end) {
    while (end > start && !is_sep(end[-1])) end--;
    return end;
}

static int is_number(const uint8_t *p, const uint8_t *end) {
    float x;
    return p < end && parse_float(p, end, &x) == end;
}

/* Numbers at the end of the first row, leaving at least one field for the word. */
static int64_t numbers_at_end(const uint8_t *line, const uint8_t *end) {
    int64_t n = 0;
    while (end > line) {
        const uint8_t *f = field_start(line, end);
        if (f == line || !is_number(f, end)) break;
        n++;
        end = f;
        while (end > line && is_sep(end[-1])) end--;
        /* a line that begins with a separator has an empty word */
    }
    return n;
}

/* The row that the straight way did not take: words with spaces, or an error to be named. */
static FE_NOINLINE fe_tv_error text_row_slow(fe_textvec *t, const uint8_t *line, const uint8_t *end, int64_t byte) {
    const int64_t dim = t->dim, fields = count_fields(line, end);
    const int leading = line < end && is_sep(*line);
    if (fields < dim || (fields == dim && !leading)) return fail(t, FE_TV_SHORT_ROW, byte, fields ? fields - 1 : 0);
    const uint8_t *p = end;
    for (int64_t i = 0; i < dim; i++) {
        while (p > line && is_sep(p[-1])) p--;
        p = field_start(line, p);
    }
    const uint8_t *numbers = p, *word_end = p;
    while (word_end > line && is_sep(word_end[-1])) word_end--;
    const uint8_t *word = line;
    while (word < word_end && is_sep(*word)) word++;
    float *row = next_row(t, word_end - word);
    if (!row) return fail(t, FE_TV_NOMEM, byte, 0);
    for (int64_t i = 0; i < dim; i++) {
        while (p < end && is_sep(*p)) p++;
        const uint8_t *f = p, *q = parse_float(p, end, &row[i]);
        while (p < end && !is_sep(*p)) p++;
        if (q != p) return fail(t, FE_TV_BAD_NUMBER, byte + (f - line), p - f);
        if (!t->allow_nonfinite && !is_finite_bits(row[i])) return fail(t, FE_TV_NONFINITE, byte + (f - line), p - f);
    }
    const uint8_t *last = field_start(word, word_end);
    if (last > word && !t->numeric_words && is_number(last, word_end))
        return fail(t, FE_TV_LONG_ROW, byte + (numbers - line), numbers_at_end(line, end));
    add_word(t, word, word_end - word);
    return FE_TV_OK;
}

FE_INLINE int64_t decimals(const uint8_t *f, const uint8_t *end) {
    const uint8_t *dot = memchr(f, '.', (size_t)(end - f));
    int64_t n = 0;
    if (!dot) return 0;
    while (dot + 1 + n < end && is_digit(dot[1 + n])) n++;
    return n;
}

/* Decimals that the last `n` numbers of a line share, -1 if they differ; the very last number is left out on request. */
static int64_t common_decimals(const uint8_t *line, const uint8_t *end, int64_t n, int without_last) {
    int64_t common = -1;
    for (int64_t i = 0; i < n; i++) {
        const uint8_t *f = field_start(line, end);
        if (i || !without_last) {
            const int64_t d = memchr(f, 'e', (size_t)(end - f)) ? -1 : decimals(f, end);
            if (d < 0 || (common >= 0 && d != common)) return -1;
            common = d;
        }
        end = f;
        while (end > line && is_sep(end[-1])) end--;
    }
    return common;
}

/* A last line without a line end, whose last number has fewer decimals than the others of the row and of the first row,
 * which all agree: then the file was cut inside that number. Where decimals vary nobody can tell. */
static int looks_cut(const fe_textvec *t, const uint8_t *line, const uint8_t *end) {
    const int64_t others = t->dim > 1 ? common_decimals(line, end, t->dim, 1) : t->decimals;
    if (others <= 0 || (t->rows > 1 && others != t->decimals)) return 0;
    return decimals(field_start(line, end), end) < others;
}

FE_INLINE fe_tv_error text_row(fe_textvec *t, const uint8_t *line, const uint8_t *end, int64_t byte) {
    const int64_t dim = t->dim;
    const uint8_t *p = line;
    while (p < end && !is_sep(*p)) p++;
    const uint8_t *word_end = p;
    /* no memory for numbers that cannot be there: a number takes two bytes */
    if (FE_UNLIKELY((end - line) / 2 < dim)) return text_row_slow(t, line, end, byte);
    float *row = next_row(t, word_end - line);
    if (FE_UNLIKELY(!row)) return fail(t, FE_TV_NOMEM, byte, 0);
    int64_t i = 0;
    for (; i < dim; i++) {
        while (p < end && is_sep(*p)) p++;
        const uint8_t *q = parse_float(p, end, &row[i]);
        if (FE_UNLIKELY(!q || (q < end && !is_sep(*q)))) break;
        if (FE_UNLIKELY(!is_finite_bits(row[i])) && !t->allow_nonfinite) break;
        p = q;
    }
    if (FE_UNLIKELY(i < dim || p != end || word_end == line)) return text_row_slow(t, line, end, byte);
    add_word(t, line, word_end - line);
    return FE_TV_OK;
}

/* Are there only white space bytes? Returns the first other one, or NULL. */
static const uint8_t *not_space(const uint8_t *p, const uint8_t *end) {
    while (p < end && is_space(*p)) p++;
    return p < end ? p : NULL;
}

static fe_tv_error at_end(fe_textvec *t, int64_t byte) {
    if (t->need_rows && t->rows < t->max_rows) return fail(t, FE_TV_TOO_FEW, byte, t->rows);
    return FE_TV_OK;
}

fe_tv_error fe_textvec_text(fe_textvec *t, const uint8_t *buf, size_t len, int eof, size_t *used) {
    const uint8_t *p = buf, *end = buf + len;
    *used = 0;
    while (!t->error && t->rows < t->max_rows && p < end) {
        const uint8_t *nl = memchr(p, '\n', (size_t)(end - p)), *stop = nl ? nl : end;
        if (!nl && !eof) break;
        const int64_t byte = t->base + (p - buf);
        const uint8_t *e = stop;
        while (e > p && (is_sep(e[-1]) || e[-1] == '\r')) e--;
        if (FE_UNLIKELY(e == p)) {
            if (t->blank_byte < 0) t->blank_byte = byte;
        } else {
            if (FE_UNLIKELY(t->blank_byte >= 0)) return fail(t, FE_TV_BLANK_ROW, t->blank_byte, 0);
            if (FE_UNLIKELY(t->dim == 0)) {
                t->dim = numbers_at_end(p, e);
                if (t->dim == 0) return fail(t, FE_TV_NO_NUMBERS, byte, 0);
            }
            if (text_row(t, p, e, byte)) break;
            if (FE_UNLIKELY(t->rows == 1)) t->decimals = common_decimals(p, e, t->dim, 0);
            if (FE_UNLIKELY(!nl)) {
                t->no_final_newline = 1;
                if (looks_cut(t, p, e)) {
                    t->blob_len = t->offsets[--t->rows];
                    return fail(t, FE_TV_CUT_NUMBER, t->base + (int64_t)len, 0);
                }
            }
        }
        p = nl ? nl + 1 : end;
    }
    if (!t->error && t->rows >= t->max_rows) {
        if (t->no_trailing) {
            const uint8_t *q = not_space(p, end);
            if (q) return fail(t, FE_TV_TRAILING, t->base + (q - buf), 0);
            p = end;
        } else {
            t->finished = 1;
        }
    }
    if (!t->error && eof && p == end) at_end(t, t->base + (int64_t)len);
    *used = (size_t)(p - buf);
    t->base += p - buf;
    return t->error;
}

fe_tv_error fe_textvec_binary(fe_textvec *t, const uint8_t *buf, size_t len, int eof, size_t *used) {
    const uint8_t *p = buf, *end = buf + len;
    const size_t row_bytes = (size_t)t->dim * 4; /* the caller compared dim with the file's size */
    *used = 0;
    while (!t->error && t->rows < t->max_rows) {
        const uint8_t *q = p;
        if (q < end && *q == '\n') q++;
        if (q == end && (!eof || !t->need_rows)) break;
        const uint8_t *space = memchr(q, ' ', (size_t)(end - q));
        if (!space) {
            if (eof && q < end) return fail(t, FE_TV_EOF_IN_WORD, t->base + (q - buf), end - q);
            break;
        }
        if ((size_t)(end - (space + 1)) < row_bytes) {
            if (eof) return fail(t, FE_TV_EOF_IN_VECTOR, t->base + (space + 1 - buf), end - (space + 1));
            break;
        }
        float *row = next_row(t, space - q);
        if (!row) return fail(t, FE_TV_NOMEM, t->base + (p - buf), 0);
        memcpy(row, space + 1, row_bytes);
#if defined(__BYTE_ORDER__) && __BYTE_ORDER__ == __ORDER_BIG_ENDIAN__
        for (int64_t i = 0; i < t->dim; i++) {
            uint32_t u = __builtin_bswap32(float_bits(row[i]));
            memcpy(&row[i], &u, 4);
        }
#endif
        if (!t->allow_nonfinite) {
            int64_t bad = fe_first_nonfinite(row, t->dim);
            if (bad >= 0) return fail(t, FE_TV_NONFINITE, t->base + (space + 1 - buf) + 4 * bad, bad);
        }
        if (t->rows > 0) t->separators += q - p;
        add_word(t, q, space - q);
        p = space + 1 + row_bytes;
    }
    if (!t->error && t->rows >= t->max_rows) {
        if (!t->no_trailing) {
            t->finished = 1;
        } else if (t->finished || p < end || eof) { /* one line feed may follow, if it is there; must, if all others had one */
            if (!t->finished && t->rows > 1 && t->separators == t->rows - 1 && (p == end || *p != '\n'))
                return p == end ? fail(t, FE_TV_EOF_IN_VECTOR, t->base + (p - buf), 0)
                                : fail(t, FE_TV_TRAILING, t->base + (p - buf), 0);
            if (!t->finished && p < end && *p == '\n') p++;
            t->finished = 1;
            if (p < end) return fail(t, FE_TV_TRAILING, t->base + (p - buf), 0);
        }
    }
    if (!t->error && eof) {
        if (t->rows < t->max_rows && p < end && *p == '\n') p++;
        if (p < end && t->no_trailing) return fail(t, FE_TV_TRAILING, t->base + (p - buf), 0);
        at_end(t, t->base + (int64_t)len);
    }
    *used = (size_t)(p - buf);
    t->base += p - buf;
    return t->error;
}

void fe_textvec_shrink(fe_textvec *t) {
    if (t->rows < t->vectors_cap && resize((void **)&t->vectors, t->rows, t->dim * 4)) t->vectors_cap = t->rows;
    if (t->rows + 1 < t->offsets_cap && resize((void **)&t->offsets, t->rows + 1, 8)) t->offsets_cap = t->rows + 1;
    if (t->blob_len < t->blob_cap && resize((void **)&t->blob, t->blob_len, 1)) t->blob_cap = t->blob_len;
}

/* ---------------------------------------------------------------------------------------------------- the writer */

size_t fe_rows_bound(const int64_t *offsets, int64_t lo, int64_t hi, int64_t dim, int binary) {
    size_t per_row = (size_t)dim * (binary ? 4 : FE_FLOAT_CHARS + 1) + 2;
    return (size_t)(offsets[hi] - offsets[lo]) + (size_t)(hi - lo) * per_row;
}

size_t fe_rows_print(const float *vectors, int64_t dim, const uint8_t *blob, const int64_t *offsets, int64_t lo,
                     int64_t hi, int binary, char *out) {
    char *p = out;
    for (int64_t i = lo; i < hi; i++) {
        const size_t len = (size_t)(offsets[i + 1] - offsets[i]);
        const float *row = vectors + (size_t)(i - lo) * (size_t)dim;
        memcpy(p, blob + offsets[i], len);
        p += len;
        if (binary) {
            *p++ = ' ';
            memcpy(p, row, (size_t)dim * 4);
#if defined(__BYTE_ORDER__) && __BYTE_ORDER__ == __ORDER_BIG_ENDIAN__
            for (int64_t j = 0; j < dim; j++) {
                uint32_t u = __builtin_bswap32(float_bits(row[j]));
                memcpy(p + 4 * j, &u, 4);
            }
#endif
            p += (size_t)dim * 4;
        } else {
            for (int64_t j = 0; j < dim; j++) {
                *p++ = ' ';
                p += fe_print_float(row[j], p);
            }
            *p++ = '\n';
        }
    }
    return (size_t)(p - out);
}

/* ----------------------------------------------------------------------------------------------------- the words */

FE_INLINE uint64_t mix(uint64_t a, uint64_t b) {
#if defined(__SIZEOF_INT128__)
    unsigned __int128 m = (unsigned __int128)a * b;
    return (uint64_t)m ^ (uint64_t)(m >> 64);
#else
    uint64_t x = a ^ (b * 0x9e3779b97f4a7c15ull);
    x = (x ^ (x >> 30)) * 0xbf58476d1ce4e5b9ull;
    x = (x ^ (x >> 27)) * 0x94d049bb133111ebull;
    return x ^ (x >> 31);
#endif
}

static uint64_t hash_word(const uint8_t *p, size_t n, uint64_t seed) {
    uint64_t h = seed ^ (0x9e3779b97f4a7c15ull * (n + 1)), a, b;
    while (n >= 16) {
        memcpy(&a, p, 8);
        memcpy(&b, p + 8, 8);
        h = mix(a ^ h ^ 0x2d358dccaa6c78a5ull, b ^ seed ^ 0x8bb84b93962eacc9ull) + h;
        p += 16;
        n -= 16;
    }
    a = b = 0;
    if (n > 8) memcpy(&b, p + 8, n - 8);
    memcpy(&a, p, n > 8 ? 8 : n);
    h = mix(a ^ h ^ 0x2d358dccaa6c78a5ull, b ^ seed ^ 0x8bb84b93962eacc9ull) ^ h;
    return mix(h ^ 0x4b33a62ed433d4a3ull, seed ^ 0x4d5a2da51de1aa47ull);
}

int64_t fe_words_duplicates(const uint8_t *blob, const int64_t *offsets, int64_t n, uint64_t seed, int64_t *dup_of) {
    uint64_t cap = 16;
    while (cap < (uint64_t)n * 2) cap *= 2;
    if (cap > SIZE_MAX / 8) return -1;
    /* a slot holds index + 1 in its low bits and hash bits above them, so that most misses need no look at a word */
    uint64_t *slots = calloc((size_t)cap, 8);
    if (!slots) return -1;
    const uint64_t mask = cap - 1, index_mask = cap * 2 - 1, tag_mask = ~index_mask;
    int64_t found = 0;
    for (int64_t i = 0; i < n; i++) {
        const uint8_t *w = blob + offsets[i];
        const size_t len = (size_t)(offsets[i + 1] - offsets[i]);
        const uint64_t h = hash_word(w, len, seed), tag = h & tag_mask;
        uint64_t s = h & mask;
        dup_of[i] = -1;
        for (;; s = (s + 1) & mask) {
            if (!slots[s]) {
                slots[s] = tag | (uint64_t)(i + 1);
                break;
            }
            if ((slots[s] & tag_mask) != tag) continue;
            const int64_t j = (int64_t)(slots[s] & index_mask) - 1;
            if ((size_t)(offsets[j + 1] - offsets[j]) == len && !memcmp(blob + offsets[j], w, len)) {
                dup_of[i] = j;
                found++;
                break;
            }
        }
    }
    free(slots);
    return found;
}

/* Bytes of the UTF-8 character at p (1..4), or 0: no overlong forms, no surrogates, nothing above U+10FFFF. */
static int utf8_char(const uint8_t *p, const uint8_t *end) {
    const uint8_t c = *p;
    const ptrdiff_t n = end - p;
#define CONT(i) ((p[i] & 0xc0) == 0x80)
    if (c < 0x80) return 1;
    if (c < 0xc2) return 0;
    if (c < 0xe0) return n >= 2 && CONT(1) ? 2 : 0;
    if (c < 0xf0) {
        if (n < 3 || !CONT(1) || !CONT(2)) return 0;
        return (c == 0xe0 && p[1] < 0xa0) || (c == 0xed && p[1] > 0x9f) ? 0 : 3;
    }
    if (c > 0xf4 || n < 4 || !CONT(1) || !CONT(2) || !CONT(3)) return 0;
    return (c == 0xf0 && p[1] < 0x90) || (c == 0xf4 && p[1] > 0x8f) ? 0 : 4;
#undef CONT
}

int64_t fe_words_invalid_utf8(const uint8_t *blob, const int64_t *offsets, int64_t start, int64_t n) {
    for (int64_t i = start; i < n; i++) {
        const uint8_t *p = blob + offsets[i], *end = blob + offsets[i + 1];
        while (p < end) {
            const int k = *p < 0x80 ? 1 : utf8_char(p, end);
            if (!k) return i;
            p += k;
        }
    }
    return -1;
}

int64_t fe_words_unfit(const uint8_t *blob, const int64_t *offsets, int64_t start, int64_t n) {
    for (int64_t i = start; i < n; i++) {
        if (offsets[i] == offsets[i + 1]) return i;
        for (int64_t k = offsets[i]; k < offsets[i + 1]; k++)
            if (is_space(blob[k])) return i;
    }
    return -1;
}

int64_t fe_first_nonfinite(const float *x, int64_t n) {
    int64_t i = 0;
    for (; i + 64 <= n; i += 64) { /* whole blocks without a branch, so that the compiler can use vectors */
        uint32_t worst = 0;
        for (int64_t k = 0; k < 64; k++) {
            const uint32_t e = float_bits(x[i + k]) & 0x7f800000u;
            worst = e > worst ? e : worst;
        }
        if (worst == 0x7f800000u) break;
    }
    for (; i < n; i++)
        if (!is_finite_bits(x[i])) return i;
    return -1;
}

int fe_offsets_bad(const int64_t *offsets, int64_t n, int64_t blob_len) {
    if (offsets[0] != 0 || offsets[n] != blob_len) return 1;
    for (int64_t i = 0; i < n; i++)
        if (offsets[i + 1] < offsets[i]) return 1;
    return 0;
}
