/* Tokens: where the words of a block of bytes begin and end, and where its lines end.

   A separator is exactly one of the ASCII bytes space, \t, \n, \v, \f, \r; everything else, NUL and bytes >= 0x80
   included, belongs to a token. \n also ends the sentence when asked for.

   The scan is branch-free over the text: 64 bytes are classified at a time into a bit mask S of separators; the bits of
   S ^ (S << 1 | carry) are the places where the class changes ("edges"), in turn the start and the end of a token. */
#ifndef FE_TOKENS_H
#define FE_TOKENS_H

#include "fe_common.h"

/* Readable bytes that must follow the last byte of any text handed to csrc; their values do not matter. */
#define FE_TEXT_SLACK 64

typedef struct fe_scanner {
    uint64_t before;  /* 1: the byte before the next is a separator (or the text starts here), 0: a token is open */
    int64_t n_tokens; /* token ends seen so far */
    uint32_t *ends;   /* out: the tokens before every line end; repeated values left out, so strictly increasing */
    int64_t n_ends;
    int64_t n_empty; /* line ends that closed nothing */
    int lines;       /* nonzero: \n ends a sentence */
} fe_scanner;

/* Appends the edges of text[lo, hi) to edges[] (positions in text, room for hi - lo + 63) and returns how many; hi - lo
   must be a multiple of 64 unless hi is the end of the text. Does not close a token that is open at hi. */
typedef int64_t (*fe_scan_fn)(fe_scanner *s, const uint8_t *text, int64_t lo, int64_t hi, uint32_t *edges);

/* The versions this machine can run, best first, NULL-terminated: "avx2", "sse2", "neon", "scalar". (AVX-512 was tried:
   no faster than AVX2, the edges cost more than the masks.) */
const char *const *fe_scan_names(void);
/* The version of that name, NULL when this machine does not have it; name == NULL: the best. */
fe_scan_fn fe_scan_get(const char *name);

/* 1 when p[0, n) is well-formed UTF-8 (no surrogates, no overlong forms, nothing above U+10FFFF). */
int fe_utf8_valid(const uint8_t *p, size_t n);

/* First separator in text[lo, hi), or hi. */
int64_t fe_find_separator(const uint8_t *text, int64_t lo, int64_t hi);
/* One past the last separator in text[lo, hi), or lo. */
int64_t fe_after_last_separator(const uint8_t *text, int64_t lo, int64_t hi);

/* UTF-8 of n code points of `kind` bytes each (1, 2, 4: CPython's and NumPy's layouts) into out (room for 4 n); returns
   the bytes written. U+DC80..U+DCFF become the bytes 0x80..0xFF (surrogateescape), so that escaped words come back as
   they were; other lone surrogates are written in their three-byte form. */
int64_t fe_utf8_encode(const void *points, int kind, int64_t n, uint8_t *out);

/* Cuts sentences longer than max_len raw tokens: ends (n of them, in a block of n_tokens) and the tokens *open already
   in the sentence that goes on from the block before give out (room for n + n_tokens / max_len + 2). Returns the number
   of ends written and leaves the open count for the next block. */
int64_t fe_split_ends(const uint32_t *ends, int64_t n, int64_t n_tokens, int64_t max_len, int64_t *open, uint32_t *out);

#endif
