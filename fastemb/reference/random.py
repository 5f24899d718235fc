"""The trainer's random numbers, as NumPy arrays: functions of (seed, epoch, position) with no state.

What a token draws does not depend on the worker that trains it or on how the corpus was cut into pieces. The C engine
has the same functions; here they are vectorised over positions, and exact to the bit.

References: mix64 is the finaliser of SplitMix64 (Steele, Lea and Flood 2014, "Fast splittable pseudorandom number
generators"); the 32-bit one is MurmurHash3's (Appleby); the scaling to [0, n) is Lemire's (2019, "Fast random integer
generation in an interval").
"""

from __future__ import annotations

import numpy as np

__all__ = ["centre_keys", "epoch_key", "hash32", "mix64", "negative_bits", "scale32", "subsampling_bits"]

U32, U64 = np.uint32, np.uint64
GOLDEN = U64(0x9E3779B97F4A7C15)  # 2**64 / golden ratio, odd
SILVER = U64(0xD1342543DE82EF95)  # multiplier of a 64-bit generator of full period
SUBSAMPLING = U64(0xA0761D6478BD642F)  # keeps the stream of the subsampling apart from that of the centre words
SHIFT32 = U64(32)


@np.errstate(over="ignore")
def mix64(z: np.ndarray) -> np.ndarray:
    """Bijection of uint64 in which every input bit changes every output bit with probability near 1/2.

    Examples
    --------
    >>> int(mix64(0x9E3779B97F4A7C15)) == 0xE220A8397B1DCDAF  # first number of SplitMix64 from seed 0
    True
    """
    z = np.asarray(z, dtype=U64)
    z = (z ^ (z >> U64(30))) * U64(0xBF58476D1CE4E5B9)
    z = (z ^ (z >> U64(27))) * U64(0x94D049BB133111EB)
    return z ^ (z >> U64(31))


@np.errstate(over="ignore")
def epoch_key(seed: int, epoch: int) -> np.uint64:
    """Key of one pass over the corpus."""
    return U64(mix64(mix64(U64(seed) + GOLDEN) ^ (U64(epoch) * SILVER)))


@np.errstate(over="ignore")
def subsampling_bits(key: np.uint64, position: np.ndarray) -> np.ndarray:
    """32 random bits of each token position: an occurrence is kept if they are at most its word's threshold."""
    position = np.asarray(position, dtype=U64)
    return hash32(position.astype(U32), mix64((key ^ SUBSAMPLING) + (position >> SHIFT32) * GOLDEN).astype(U32))


@np.errstate(over="ignore")
def hash32(x: np.ndarray, key: np.ndarray) -> np.ndarray:
    """Bijection of uint32 for each key."""
    x = np.asarray(x, dtype=U32) * U32(0x9E3779B1) ^ key
    x = (x ^ (x >> U32(16))) * U32(0x85EBCA6B)
    x = (x ^ (x >> U32(13))) * U32(0xC2B2AE35)
    return x ^ (x >> U32(16))


@np.errstate(over="ignore")
def centre_keys(key: np.uint64, position: np.ndarray) -> np.ndarray:
    """Key of each centre word: its high 32 bits draw the window, and its negatives are derived from it."""
    return mix64(key + np.asarray(position, dtype=U64) * GOLDEN)


@np.errstate(over="ignore")
def negative_bits(keys: np.ndarray, negative: int) -> np.ndarray:
    """64 random bits for each of a centre word's negatives: (T,) keys to (T, negative).

    The high half is a hash under the key's low half, the low half one under its high half: two 32-bit hashes are a few
    vector instructions for all negatives at once, where 64-bit products are not.
    """
    keys = np.asarray(keys, dtype=U64)[..., None]
    number = np.arange(1, negative + 1, dtype=U32)
    high, low = hash32(number, keys.astype(U32)), hash32(number, (keys >> SHIFT32).astype(U32))
    return high.astype(U64) << SHIFT32 | low.astype(U64)


def scale32(bits: np.ndarray, n: int) -> np.ndarray:
    """32 random bits to an integer in [0, n), as int64."""
    return ((np.asarray(bits, dtype=U64) * U64(n)) >> SHIFT32).astype(np.int64)
