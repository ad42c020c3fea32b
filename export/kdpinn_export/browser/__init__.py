"""A model as one HTML page: the core as WebAssembly, the model file, and what draws them."""

from __future__ import annotations

from .document import page
from .module import missing_tools, tool_versions, wasm_module

__all__ = ["missing_tools", "page", "tool_versions", "wasm_module"]
