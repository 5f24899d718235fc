"""``from fastemb.phrases import Phrases``, where programs written for gensim look for it."""

from fastemb.corpus.phrases import (
    ENGLISH_CONNECTOR_WORDS,
    FrozenPhrases,
    Phraser,
    Phrases,
)
from fastemb.corpus.phrases_base import _PhrasesTransformation
from fastemb.corpus.phrases_scorers import npmi_scorer, original_scorer, pmi_scorer

__all__ = [
    "ENGLISH_CONNECTOR_WORDS",
    "FrozenPhrases",
    "Phraser",
    "Phrases",
    "_PhrasesTransformation",
    "npmi_scorer",
    "original_scorer",
    "pmi_scorer",
]
