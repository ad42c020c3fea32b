"""Caps of the format, version 1. Beyond them: RECORD for counts, TOO_LARGE for sizes."""

from __future__ import annotations

MAX_FILE_BYTES = 64 * 2**20
MAX_RECORDS = 4096
MAX_CARD_BYTES = 2**20
MAX_INPUTS = 16
MAX_OUTPUTS = 16
MAX_LAYERS = 64
MAX_WIDTH = 4096
MAX_FEATURES = 128
MAX_OPERATIONS = 256
"""Of one map: the features, or the exact conditions."""
MAX_PAIRS = 136
"""All second derivatives of 16 inputs: 16 * 17 / 2."""
MAX_PARAMETERS = 64
MAX_EQUATIONS = 16
MAX_TERMS = 256
MAX_FACTORS = 10
MAX_DATA_COLUMNS = 16
MAX_ROLES = 5
MAX_BASELINE_POINTS = 2**20
MAX_TARGETS = 16
MAX_GENERATORS = 4
MAX_ORDER = 16
"""Of a symmetry's group, and so copies of a hidden neuron."""
MAX_TARGET_POINTS = 2**24
NAME_BYTES = 24
UNIT_BYTES = 16
