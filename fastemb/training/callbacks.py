"""Callbacks: code of the user that runs between epochs."""

from __future__ import annotations

from typing import Any


class StopTraining(Exception):
    """Raised by a callback to end the training after this epoch, for instance when a metric no longer improves."""


class CallbackAny2Vec:
    """Base class with the four hooks of gensim's class of this name; override what is needed.

    The hooks run in the thread that called ``train``, while no worker runs: the model may be queried and saved. An
    exception raised by a hook ends the training and reaches the caller; :class:`StopTraining` ends it without an
    error.

    Examples
    --------
    >>> class Loss(CallbackAny2Vec):
    ...     def on_epoch_end(self, model):
    ...         print(model.history[-1]["epoch"], model.history[-1]["words"])
    >>> from fastemb import Word2Vec
    >>> _ = Word2Vec([["a", "b"]] * 10, min_count=1, epochs=2, callbacks=[Loss()])
    1 20
    2 20
    """

    def on_train_begin(self, model: Any) -> None:
        """Called once, before the first epoch."""

    def on_train_end(self, model: Any) -> None:
        """Called once, after the last epoch."""

    def on_epoch_begin(self, model: Any) -> None:
        """Called before each epoch."""

    def on_epoch_end(self, model: Any) -> None:
        """Called after each epoch; ``model.history[-1]`` describes it."""


def call_hooks(callbacks: tuple[Any, ...], hook: str, model: Any) -> None:
    """Call `hook` of every callback that has it."""
    for callback in callbacks:
        function = getattr(callback, hook, None)
        if function is not None:
            function(model)
