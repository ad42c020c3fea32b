"""Times of single calls, and the conditions they are taken under; `verify` and benches use it."""

from __future__ import annotations

from ._conditions import COMPANIES, Company, company, flusher, last_level_cache
from ._latency import Timing, call_times, one_core, quantile, summary

__all__ = [
    "COMPANIES",
    "Company",
    "Timing",
    "call_times",
    "company",
    "flusher",
    "last_level_cache",
    "one_core",
    "quantile",
    "summary",
]
