"""Training: from an encoded corpus to vectors.

The rooms below: ``config`` checks parameters, ``schedule`` cuts the corpus into pieces and knows the learning rate,
``run`` is the one run loop, ``word2vec_job`` what it runs, ``_engine`` the binding of the C trainer, ``word2vec`` the
class that users see. ``glove`` and its companions are the same for GloVe, with ``_glove`` for the C trainer.
``ppmi``, ``lsa`` and what begins with ``spectral`` are the models that decompose counts.
"""

from fastemb.training.callbacks import CallbackAny2Vec, StopTraining
from fastemb.training.config import Word2VecConfig
from fastemb.training.glove import Glove
from fastemb.training.glove_config import GloveConfig
from fastemb.training.lsa import LSA
from fastemb.training.machine import show_config
from fastemb.training.ppmi import PPMI
from fastemb.training.word2vec import Word2Vec

__all__ = [
    "LSA",
    "PPMI",
    "CallbackAny2Vec",
    "Glove",
    "GloveConfig",
    "StopTraining",
    "Word2Vec",
    "Word2VecConfig",
    "show_config",
]
