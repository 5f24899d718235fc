from numpy.typing import NDArray

def count(ids: NDArray, offsets: NDArray, columns: NDArray, lo: int, hi: int, kept: NDArray) -> None: ...
def fill(
    ids: NDArray,
    offsets: NDArray,
    columns: NDArray,
    lo: int,
    hi: int,
    indptr: NDArray,
    indices: NDArray,
    data: NDArray,
) -> None: ...
