"""Turns a trained model into files: `model.kdp` and ONNX."""

from .check import Deviation, bounded_outputs, check_onnx
from .kdp import BaselineTables, NetworkArrays, Physics, plain_network, to_kdp
from .onnx import to_bytes, to_onnx
from .onnx_import import from_onnx
from .onnx_steps import NotPlain
from .points import baseline_points

__all__ = [
    "BaselineTables",
    "Deviation",
    "NetworkArrays",
    "NotPlain",
    "Physics",
    "baseline_points",
    "bounded_outputs",
    "check_onnx",
    "from_onnx",
    "plain_network",
    "to_bytes",
    "to_kdp",
    "to_onnx",
]
