"""Narrow weights without loss: refit, mixed precision, and the gate before a file is written."""

from kdpinn.quantization.gate import Budget, advice, checked
from kdpinn.quantization.mixed import Candidate, Wanted, mixed_precision
from kdpinn.quantization.quantize import Method, Quantized, each_layer, method_of, quantize
from kdpinn.quantization.refit import RefitSettings
from kdpinn.quantization.subject import Subject, box_of

__all__ = [
    "Budget",
    "Candidate",
    "Method",
    "Quantized",
    "RefitSettings",
    "Subject",
    "Wanted",
    "advice",
    "box_of",
    "checked",
    "each_layer",
    "method_of",
    "mixed_precision",
    "quantize",
]
