/* Random numbers as functions of (seed, epoch, position): nothing is carried from one token to the next, so what a token
 * draws does not depend on the worker, the piece or the order in which pieces are trained.
 *
 *   epoch_key        = mix64(mix64(seed + GOLDEN) ^ (epoch * SILVER))
 *   subsampling      kept  iff  fe_hash32(low 32 bits of position, fe_sub_key(epoch_key, position)) <= keep[word]
 *   centre key       = mix64(epoch_key + position * GOLDEN)
 *   window reduction = high 32 bits of the centre key, scaled to [0, window)
 *   j-th negative    = mix64(centre key + (j + 1) * SILVER): high 32 bits choose the alias column, low 32 bits decide
 *
 * mix64 is the finaliser of SplitMix64 (Steele, Lea, Flood 2014), the 32-bit finaliser is MurmurHash3's (Appleby, public
 * domain): both are bijections with good avalanche, and the 32-bit one vectorises. */
#ifndef FE_RANDOM_H
#define FE_RANDOM_H

#include "fe_common.h"

#define FE_GOLDEN 0x9E3779B97F4A7C15ull /* 2^64 / golden ratio, odd */
#define FE_SILVER 0xD1342543DE82EF95ull /* a multiplier of a full-period 64-bit LCG (Steele and Vigna 2021), odd */
#define FE_SUB 0xA0761D6478BD642Full    /* separates the subsampling stream from the centre stream */

FE_INLINE uint64_t fe_mix64(uint64_t z) {
    z = (z ^ (z >> 30)) * 0xBF58476D1CE4E5B9ull;
    z = (z ^ (z >> 27)) * 0x94D049BB133111EBull;
    return z ^ (z >> 31);
}

FE_INLINE uint64_t fe_epoch_key(uint64_t seed, uint64_t epoch) {
    return fe_mix64(fe_mix64(seed + FE_GOLDEN) ^ (epoch * FE_SILVER));
}

/* Key of the subsampling stream for positions that share their high 32 bits. */
FE_INLINE uint32_t fe_sub_key(uint64_t epoch_key, uint64_t position) {
    return (uint32_t)fe_mix64((epoch_key ^ FE_SUB) + (position >> 32) * FE_GOLDEN);
}

FE_INLINE uint32_t fe_hash32(uint32_t position_low, uint32_t sub_key) {
    uint32_t x = position_low * 0x9E3779B1u;
    x ^= sub_key;
    x ^= x >> 16;
    x *= 0x85EBCA6Bu;
    x ^= x >> 13;
    x *= 0xC2B2AE35u;
    x ^= x >> 16;
    return x;
}

FE_INLINE uint64_t fe_centre_key(uint64_t epoch_key, uint64_t position) {
    return fe_mix64(epoch_key + position * FE_GOLDEN);
}

/* Uniform in [0, n), n < 2^32, from 32 random bits (Lemire's multiply-shift; bias below n / 2^32). */
FE_INLINE uint32_t fe_scale32(uint32_t bits, uint32_t n) {
    return (uint32_t)(((uint64_t)bits * n) >> 32);
}

#endif
