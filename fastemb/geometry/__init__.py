"""Functions of arrays: lengths, unit vectors, common directions."""

from fastemb.geometry.directions import principal_directions, remove_directions
from fastemb.geometry.norms import compute_dtype, inverse, row_norms, scale_rows, unit_rows, unit_vector

__all__ = [
    "compute_dtype",
    "inverse",
    "principal_directions",
    "remove_directions",
    "row_norms",
    "scale_rows",
    "unit_rows",
    "unit_vector",
]
