"""A model as a Functional Mock-up Unit, FMI 2.0 and 3.0, built from the C core."""

from .archive import build_fmu
from .options import FmuOptions
from .platforms import PLATFORMS, host, missing

__all__ = ["PLATFORMS", "FmuOptions", "build_fmu", "host", "missing"]
