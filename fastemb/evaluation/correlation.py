"""Pearson's and Spearman's correlation with two-sided p-values, in NumPy alone.

Under the null hypothesis ``t = r sqrt(df / (1 - r^2))`` with ``df = n - 2`` follows Student's distribution, exactly for
Pearson's r of normal data and asymptotically for Spearman's rho. Its two-sided tail is a regularised incomplete beta
function, ``P(|T| > t) = I_{df / (df + t^2)}(df / 2, 1 / 2)``, and ``df / (df + t^2) = 1 - r^2``: so r gives the p-value
without t.
"""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray


class Correlation(NamedTuple):
    """A correlation coefficient and its two-sided p-value; unpacks like the pair it is."""

    statistic: float
    pvalue: float

    @property
    def correlation(self) -> float:
        """Another name of ``statistic``."""
        return self.statistic


def incomplete_beta(a: float, b: float, x: float) -> float:
    """The regularised incomplete beta function I_x(a, b) for a, b > 0 and 0 <= x <= 1.

    The continued fraction DLMF 8.17.22, evaluated from the front by Lentz's method as modified by Thompson and Barnett
    (1986); it converges fast below the mean, so the other side goes through I_x(a, b) = 1 - I_{1-x}(b, a).

    Examples
    --------
    >>> round(incomplete_beta(2.0, 3.0, 0.5), 12)
    0.6875
    """
    if not 0.0 < x < 1.0:
        return min(max(x, 0.0), 1.0)
    if x > (a + 1.0) / (a + b + 2.0):
        return 1.0 - incomplete_beta(b, a, 1.0 - x)
    front = math.exp(math.lgamma(a + b) - math.lgamma(a) - math.lgamma(b) + a * math.log(x) + b * math.log1p(-x)) / a
    tiny = 1e-300
    c, d = 1.0, 1.0 - (a + b) * x / (a + 1.0)
    d = 1.0 / (d if abs(d) > tiny else tiny)
    fraction = d
    for m in range(1, 100_000):
        for term in (
            m * (b - m) * x / ((a + 2 * m - 1) * (a + 2 * m)),
            -(a + m) * (a + b + m) * x / ((a + 2 * m) * (a + 2 * m + 1)),
        ):
            d = 1.0 + term * d
            c = 1.0 + term / c
            d = 1.0 / (d if abs(d) > tiny else tiny)
            c = c if abs(c) > tiny else tiny
            step = c * d
            fraction *= step
        if abs(step - 1.0) < 1e-15:
            break
    return front * fraction


def average_ranks(values: ArrayLike) -> NDArray:
    """Ranks from 1; equal values share the mean of their ranks.

    Examples
    --------
    >>> average_ranks([10, 20, 10]).tolist()
    [1.5, 3.0, 1.5]
    """
    _, group, size = np.unique(np.asarray(values), return_inverse=True, return_counts=True)
    last = np.cumsum(size)
    return ((last - size + 1 + last) / 2.0)[group.ravel()]


def pearson(x: ArrayLike, y: ArrayLike) -> Correlation:
    """Pearson's correlation coefficient.

    Parameters
    ----------
    x, y : array_like of shape (n,)

    Returns
    -------
    Correlation
        ``nan`` for both where n < 2 or one side is constant (there is nothing to correlate).

    Raises
    ------
    ValueError
        If x and y differ in length.

    Examples
    --------
    >>> round(pearson([1, 2, 3, 4], [1, 3, 2, 4]).statistic, 6)
    0.8
    """
    x, y = np.asarray(x, dtype=np.float64), np.asarray(y, dtype=np.float64)
    if x.shape != y.shape or x.ndim != 1:
        raise ValueError(f"x and y must be one-dimensional and of one length, not of shapes {x.shape} and {y.shape}")
    n = len(x)
    if n < 2 or x.min() == x.max() or y.min() == y.max():
        return Correlation(math.nan, math.nan)
    dx, dy = x - x.mean(), y - y.mean()
    # scaled first, so that neither squares nor products leave the range of a float
    dx, dy = dx / np.abs(dx).max(), dy / np.abs(dy).max()
    r = float(np.clip(dx @ dy / math.sqrt((dx @ dx) * (dy @ dy)), -1.0, 1.0))
    if math.isnan(r):
        return Correlation(math.nan, math.nan)
    if n == 2:
        return Correlation(float(round(r)), 1.0)
    return Correlation(r, incomplete_beta((n - 2) / 2.0, 0.5, (1.0 - r) * (1.0 + r)))


def spearman(x: ArrayLike, y: ArrayLike) -> Correlation:
    """Spearman's rank correlation: Pearson's of the average ranks.

    Parameters
    ----------
    x, y : array_like of shape (n,)

    Returns
    -------
    Correlation
        As for :func:`pearson`.

    Examples
    --------
    >>> spearman([1, 2, 3], [1, 4, 9]).statistic
    1.0
    """
    x, y = np.asarray(x, dtype=np.float64), np.asarray(y, dtype=np.float64)
    if np.isnan(x).any() or np.isnan(y).any():
        return Correlation(math.nan, math.nan)
    return pearson(average_ranks(x) if len(x) else x, average_ranks(y) if len(y) else y)
