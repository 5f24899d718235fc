from typing import Any

import numpy as np
from numpy.typing import NDArray

GROUP: int
BATCH: int
CELL: np.dtype[Any]

def stride_of(dim: int) -> int: ...
def order(n: int, seed: int, epoch: int, stream: int) -> NDArray[np.int64]: ...

class Counts:
    blocks: int
    per_tile: int
    def __init__(
        self,
        indptr: NDArray[np.int64],
        indices: NDArray[np.int32],
        data: NDArray[np.int64],
        *,
        scale: int,
        blocks: int,
        per_tile: int,
        isa: str | None = None,
    ) -> None: ...
    def sizes(self, row: int) -> NDArray[np.int64]: ...
    def place(
        self, row: int, first: NDArray[np.int64], cells: NDArray[Any], *, exponent: float, x_max: float
    ) -> float: ...

class Trainer:
    def __init__(
        self,
        words: NDArray[np.float32],
        contexts: NDArray[np.float32],
        cells: NDArray[Any],
        bins: NDArray[np.int64],
        *,
        dim: int,
        blocks: int,
        per_tile: int,
        eta: float,
        exponent: float,
        x_max: float,
        clip: float,
        seed: int = 1,
        isa: str | None = None,
    ) -> None: ...
    @property
    def tiles(self) -> int: ...
    def run(self, tile: int, epoch: int) -> float: ...
