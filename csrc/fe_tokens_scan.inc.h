/* Body of one scan version; included by fe_tokens.c once per instruction set with
   SCAN_NAME      the function's name
   SCAN_TARGET    its target attribute
   SCAN_CLASSIFY  (const uint8_t *p, uint64_t *sep, uint64_t *newline): the two bit masks of 64 bytes, bit i = byte i */

SCAN_TARGET static int64_t SCAN_NAME(fe_scanner *s, const uint8_t *text, int64_t lo, int64_t hi, uint32_t *edges) {
    uint64_t before = s->before;
    int64_t tokens = s->n_tokens;
    uint32_t *out = edges;
    for (int64_t at = lo; at < hi; at += 64) {
        uint64_t sep, newline;
        SCAN_CLASSIFY(text + at, &sep, &newline);
        uint64_t valid = hi - at >= 64 ? ~(uint64_t)0 : ((uint64_t)1 << (hi - at)) - 1;
        uint64_t edge = (sep ^ (sep << 1 | before)) & valid;
        uint64_t end = edge & sep;
        int n = __builtin_popcountll(edge);
        /* Unconditional groups: the number of edges in 64 bytes is hard to predict, whether it exceeds 16 less so. */
        uint32_t base = (uint32_t)at;
        uint64_t e = edge;
#define SCAN_PUT(i)                                     \
    out[i] = base + (uint32_t)fe_ctz64(e), e &= e - 1
        SCAN_PUT(0), SCAN_PUT(1), SCAN_PUT(2), SCAN_PUT(3), SCAN_PUT(4), SCAN_PUT(5), SCAN_PUT(6), SCAN_PUT(7);
        SCAN_PUT(8), SCAN_PUT(9), SCAN_PUT(10), SCAN_PUT(11), SCAN_PUT(12), SCAN_PUT(13), SCAN_PUT(14), SCAN_PUT(15);
        if (FE_UNLIKELY(n > 16)) {
            SCAN_PUT(16), SCAN_PUT(17), SCAN_PUT(18), SCAN_PUT(19), SCAN_PUT(20), SCAN_PUT(21);
            SCAN_PUT(22), SCAN_PUT(23), SCAN_PUT(24), SCAN_PUT(25), SCAN_PUT(26), SCAN_PUT(27);
            SCAN_PUT(28), SCAN_PUT(29), SCAN_PUT(30), SCAN_PUT(31);
            if (FE_UNLIKELY(n > 32))
                for (int i = 32; i < n; i++)
                    SCAN_PUT(i);
        }
#undef SCAN_PUT
        out += n;
        newline &= valid;
        if (s->lines)
            while (newline) {
                uint64_t upto = newline ^ (newline - 1); /* bits up to and including this line end */
                uint32_t done = (uint32_t)(tokens + __builtin_popcountll(end & upto));
                if (s->n_ends && s->ends[s->n_ends - 1] == done)
                    s->n_empty++;
                else
                    s->ends[s->n_ends++] = done;
                newline &= newline - 1;
            }
        tokens += __builtin_popcountll(end);
        before = hi - at >= 64 ? sep >> 63 : (sep >> (hi - at - 1)) & 1;
    }
    s->before = before;
    s->n_tokens = tokens;
    return out - edges;
}

#undef SCAN_NAME
#undef SCAN_TARGET
#undef SCAN_CLASSIFY
