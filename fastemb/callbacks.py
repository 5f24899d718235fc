"""``from fastemb.callbacks import CallbackAny2Vec``, where programs written for gensim look for it."""

from fastemb.training.callbacks import CallbackAny2Vec, StopTraining

__all__ = ["CallbackAny2Vec", "StopTraining"]
