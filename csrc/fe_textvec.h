/* Rows of "word number number ..." in text, and of "word float32[dim]" in binary: parsed and printed at memory speed.
 *
 * The reader is fed blocks of bytes and takes the whole rows in them; what is left over the caller keeps and presents
 * again with more behind it. It never reads past the block, never trusts a count without a matching row, grows its
 * arrays with the rows that really came, and its error is sticky: after the first one nothing more is read and
 * `error`, `error_row` (1 = first vector) and `error_byte` (offset in the stream) say what and where.
 *
 * Numbers are rounded as Python and NumPy round them: decimal -> nearest double -> nearest float.
 * Printing gives the shortest decimal that reads back as the same float in that way.
 */
#ifndef FE_TEXTVEC_H
#define FE_TEXTVEC_H

#include "fe_common.h"

typedef enum fe_tv_error {
    FE_TV_OK = 0,
    FE_TV_NOMEM,         /* out of memory, or a size beyond 64 bits                              */
    FE_TV_SHORT_ROW,     /* fewer numbers than dim; error_found says how many                    */
    FE_TV_LONG_ROW,      /* more numbers than dim; error_found says how many                     */
    FE_TV_BAD_NUMBER,    /* a field that is not a decimal number                                 */
    FE_TV_NONFINITE,     /* NaN, Inf, or beyond float32's range                                  */
    FE_TV_BLANK_ROW,     /* an empty line with rows behind it                                    */
    FE_TV_NO_NUMBERS,    /* first row of a headerless file has no numbers                        */
    FE_TV_CUT_NUMBER,    /* the last line has no line end and its last number too few decimals   */
    FE_TV_EOF_IN_WORD,   /* binary: the file ends inside a word                                  */
    FE_TV_EOF_IN_VECTOR, /* binary: the file ends inside a vector                                */
    FE_TV_TRAILING,      /* bytes behind the last row                                            */
    FE_TV_TOO_FEW        /* the stream ended before max_rows; error_found says how many came     */
} fe_tv_error;

typedef struct fe_textvec {
    /* set by the caller after fe_textvec_init */
    int64_t dim;         /* numbers a row; 0 in text = taken from the first row                  */
    int64_t max_rows;    /* stop after so many                                                   */
    int need_rows;       /* nonzero: fewer than max_rows is an error                             */
    int no_trailing;     /* nonzero: bytes (other than white space) behind max_rows are an error */
    int allow_nonfinite; /* nonzero: keep NaN and Inf                                            */
    int numeric_words;   /* nonzero: "New York 2" may be a word (split from the right)           */
    /* the rows so far */
    int64_t rows;
    float *vectors;      /* (rows, dim)                                                          */
    int64_t vectors_cap; /* in rows                                                              */
    uint8_t *blob;       /* the words end to end                                                 */
    int64_t blob_len, blob_cap;
    int64_t *offsets;    /* (rows + 1)                                                           */
    int64_t offsets_cap;
    /* where we are */
    int64_t base;        /* bytes of the stream consumed before the block                        */
    int64_t separators;  /* binary: rows with a line feed behind them                            */
    int64_t blank_byte;  /* offset of a blank line seen, or -1                                   */
    int64_t decimals;    /* behind the point of every number of the first row, -1 if they differ */
    int no_final_newline;
    int finished;
    fe_tv_error error;
    int64_t error_row, error_byte, error_found;
} fe_textvec;

void fe_textvec_init(fe_textvec *t);
void fe_textvec_free(fe_textvec *t);

/* Room for `rows` rows and `blob` bytes of words at once. Only for counts that were compared with the file's size. */
fe_tv_error fe_textvec_reserve(fe_textvec *t, int64_t rows, int64_t blob);

/* Take the whole rows of buf[0:len]; *used bytes are done with. `eof`: nothing follows buf[len]. Returns t->error. */
fe_tv_error fe_textvec_text(fe_textvec *t, const uint8_t *buf, size_t len, int eof, size_t *used);
fe_tv_error fe_textvec_binary(fe_textvec *t, const uint8_t *buf, size_t len, int eof, size_t *used);

/* Give back the memory that growing left over. */
void fe_textvec_shrink(fe_textvec *t);

/* One number at p, at most up to end. Returns the byte behind it, or NULL when there is none. */
const uint8_t *fe_parse_float(const uint8_t *p, const uint8_t *end, float *value /* OUT */);

#define FE_FLOAT_CHARS 24 /* longest text of one float, with room to spare */

/* Shortest decimal of x at out (at least FE_FLOAT_CHARS bytes, not terminated). Returns its length. */
int fe_print_float(float x, char *out);

/* Rows lo..hi as text, "word n n n\n", or binary, "word " + float32, into out. `vectors` is (hi - lo, dim), the words
 * are blob[offsets[i]:offsets[i+1]] for lo <= i < hi. The caller gives fe_rows_bound() bytes. Returns bytes written. */
size_t fe_rows_bound(const int64_t *offsets, int64_t lo, int64_t hi, int64_t dim, int binary);
size_t fe_rows_print(const float *vectors, int64_t dim, const uint8_t *blob, const int64_t *offsets, int64_t lo,
                     int64_t hi, int binary, char *out);

/* dup_of[i] = the first j < i with the same word, else -1. Returns the number of i with dup_of[i] >= 0, or -1 without
 * memory. `seed` keeps crafted files from making every word collide. */
int64_t fe_words_duplicates(const uint8_t *blob, const int64_t *offsets, int64_t n, uint64_t seed,
                            int64_t *dup_of /* OUT (n) */);

/* First word that is not UTF-8 at or after `start`, or -1. */
int64_t fe_words_invalid_utf8(const uint8_t *blob, const int64_t *offsets, int64_t start, int64_t n);

/* First word at or after `start` that a text row cannot hold: empty, or with ASCII white space. Or -1. */
int64_t fe_words_unfit(const uint8_t *blob, const int64_t *offsets, int64_t start, int64_t n);

/* Index of the first NaN or Inf, or -1. */
int64_t fe_first_nonfinite(const float *x, int64_t n);

/* 0 when offsets start at 0, never fall and end at blob_len. */
int fe_offsets_bad(const int64_t *offsets, int64_t n, int64_t blob_len);

#endif
