from typing import Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray

ROW_ALIGN: int

def available_simd() -> list[str]: ...
def simd() -> str: ...
def subsample_threshold(counts: ArrayLike, sample: float) -> NDArray[np.uint32] | None: ...

class Huffman:
    offsets: NDArray[np.int64]
    points: NDArray[np.int32]
    codes: NDArray[np.uint8]
    def __init__(self, offsets: NDArray[np.int64], points: NDArray[np.int32], codes: NDArray[np.uint8]) -> None: ...
    @property
    def depth(self) -> NDArray[np.int64]: ...

def huffman(counts: ArrayLike) -> Huffman: ...
def alias_table(weights: ArrayLike) -> np.ndarray: ...

def sharing(
    algorithm: str,
    window: int,
    shrink_windows: bool,
    negative: int,
    group: int | None = None,
    draws: int | None = None,
) -> tuple[int, int]: ...

class WorkerState:
    busy: bool
    @property
    def words(self) -> int: ...
    @property
    def kept(self) -> int: ...
    @property
    def examples(self) -> int: ...
    @property
    def loss(self) -> float: ...
    @property
    def nonfinite(self) -> bool: ...
    def stop(self) -> None: ...
    def reset(self) -> None: ...

class Trainer:
    isa: str
    def __init__(
        self,
        syn0: NDArray[np.float32],
        syn1: NDArray[np.float32],
        *,
        dim: int,
        algorithm: Literal["skipgram", "cbow"],
        loss: Literal["ns", "hs"],
        window: int,
        shrink_windows: bool = True,
        negative: int = 5,
        cbow_mean: bool = True,
        seed: int = 1,
        keep: NDArray[np.uint32] | None = None,
        noise: NDArray[np.float64] | None = None,
        huffman: Huffman | None = None,
        lockf: NDArray[np.float32] | None = None,
        longest_sentence: int | None = None,
        isa: str | None = None,
        group: int | None = None,
        draws: int | None = None,
    ) -> None: ...
    def run(
        self,
        ids: NDArray[np.int32],
        base: int,
        offsets: NDArray[np.int64],
        first_sentence: int,
        t0: int,
        t1: int,
        epoch: int,
        alpha0: float,
        alpha1: float,
        state: WorkerState,
    ) -> bool: ...

def pad_rows(buffer: NDArray[np.float32], n: int, dim: int, stride: int) -> None: ...
def unpad_rows(buffer: NDArray[np.float32], n: int, dim: int, stride: int) -> None: ...
def first_nonfinite_row(rows: NDArray[np.float32]) -> int: ...
