"""The corpus room: readers, byte tokeniser, vocabulary, the encoded corpus.

Any input becomes the same thing, once: int32 word ids with sentence offsets, in memory or in a cache file. See
``scan.py`` for how.
"""

from .cooccurrence import Cooccurrence
from .encoded import Corpus, ScanResult, scan
from .phrases import ENGLISH_CONNECTOR_WORDS, FrozenPhrases, Phraser, Phrases
from .readers import BrownCorpus, LineSentence, PathLineSentences, Text8Corpus
from .report import CorpusChangedError, CorpusNotFoundError, CorpusReport
from .rules import RULE_DEFAULT, RULE_DISCARD, RULE_KEEP
from .vocabulary import Vocabulary

__all__ = [
    "ENGLISH_CONNECTOR_WORDS",
    "RULE_DEFAULT",
    "RULE_DISCARD",
    "RULE_KEEP",
    "BrownCorpus",
    "Cooccurrence",
    "Corpus",
    "CorpusChangedError",
    "CorpusNotFoundError",
    "CorpusReport",
    "FrozenPhrases",
    "LineSentence",
    "PathLineSentences",
    "Phraser",
    "Phrases",
    "ScanResult",
    "Text8Corpus",
    "Vocabulary",
    "scan",
]
