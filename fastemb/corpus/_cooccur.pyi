import numpy as np

MAX_WINDOW: int

class StopFlag:
    def set(self) -> None: ...

def tally(ids: np.ndarray, counts: np.ndarray) -> None: ...
def place(
    ids: np.ndarray,
    lo: int,
    hi: int,
    offsets: np.ndarray,
    base: int,
    window: int,
    right: bool,
    cursor: np.ndarray,
    index: np.ndarray,
) -> None: ...
def thin(
    ids: np.ndarray, position: int, seed: int, keep: np.ndarray, points: np.ndarray
) -> tuple[np.ndarray, np.ndarray]: ...

class RowCounter:
    def __init__(self, v: int) -> None: ...
    def room(self, cells: int) -> None: ...
    def rows(
        self,
        ids: np.ndarray,
        index: np.ndarray,
        start: np.ndarray,
        weight: np.ndarray,
        symmetric: bool,
        lo: int,
        hi: int,
        stop: StopFlag,
    ) -> tuple[np.ndarray, np.ndarray, np.ndarray] | None: ...

class Cells:
    n: int
    def append(self, columns: np.ndarray, counts: np.ndarray) -> None: ...
    def take(self) -> tuple[np.ndarray, np.ndarray]: ...
