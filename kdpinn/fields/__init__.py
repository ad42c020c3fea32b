"""Fields larger than memory: a model over a grid, chunk by chunk, into zarr, NetCDF or VTK."""

from kdpinn.fields.grid import Axis, Grid, parse_grid
from kdpinn.fields.write import write_field

__all__ = ["Axis", "Grid", "parse_grid", "write_field"]
