"""Nearest neighbours on plain arrays: exact, blocked over BLAS."""

from fastemb.search.exact import Excluded, cosine_scores, cosine_topk
from fastemb.search.topk import TopK, best_first

__all__ = ["Excluded", "TopK", "best_first", "cosine_scores", "cosine_topk"]
