"""Word, item and node vectors, trained at the speed the hardware allows.

>>> from fastemb import Word2Vec
>>> model = Word2Vec([["a", "b", "c"]] * 20, min_count=1, vector_size=8, epochs=2, workers=1)
>>> len(model.wv)
3

The names below are loaded when they are first used, so that ``import fastemb`` costs next to nothing.

Word2Vec
    Skip-gram and CBOW with negative sampling and hierarchical softmax.
Glove
    GloVe: vectors from co-occurrence counts.
LSA
    Latent semantic analysis: words and documents in one space.
PPMI
    Positive pointwise mutual information of counts, and its truncated singular value decomposition.
KeyedVectors
    Vectors and the words, or ints, that they belong to: neighbours, analogies, scores, files.
load
    A file of vectors or a model, in any format that is known.
Corpus, Vocabulary, Cooccurrence
    Text as ids, its words with their counts, and how often they stand near each other.
LineSentence, PathLineSentences, Text8Corpus, BrownCorpus
    Readers by gensim's names.
Phrases, FrozenPhrases (Phraser), ENGLISH_CONNECTOR_WORDS
    Collocations found in text and joined into one word.
show_config
    The version, the instruction sets of this machine and which one is used.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from fastemb.corpus import (
        ENGLISH_CONNECTOR_WORDS,
        BrownCorpus,
        Cooccurrence,
        Corpus,
        FrozenPhrases,
        LineSentence,
        PathLineSentences,
        Phraser,
        Phrases,
        Text8Corpus,
        Vocabulary,
    )
    from fastemb.training import LSA, PPMI, Glove, Word2Vec, show_config
    from fastemb.vectors import KeyedVectors, load

__version__ = "0.1.0"

__all__ = [
    "ENGLISH_CONNECTOR_WORDS",
    "LSA",
    "PPMI",
    "BrownCorpus",
    "Cooccurrence",
    "Corpus",
    "FrozenPhrases",
    "Glove",
    "KeyedVectors",
    "LineSentence",
    "PathLineSentences",
    "Phraser",
    "Phrases",
    "Text8Corpus",
    "Vocabulary",
    "Word2Vec",
    "__version__",
    "load",
    "show_config",
]

_HOMES = {
    "fastemb.corpus": (
        "ENGLISH_CONNECTOR_WORDS",
        "BrownCorpus",
        "Cooccurrence",
        "Corpus",
        "FrozenPhrases",
        "LineSentence",
        "PathLineSentences",
        "Phraser",
        "Phrases",
        "Text8Corpus",
        "Vocabulary",
    ),
    "fastemb.training": ("LSA", "PPMI", "Glove", "Word2Vec", "show_config"),
    "fastemb.vectors": ("KeyedVectors", "load"),
}
_HOME_OF = {name: home for home, names in _HOMES.items() for name in names}


def __getattr__(name: str) -> Any:
    if name not in _HOME_OF:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value = getattr(import_module(_HOME_OF[name]), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
