"""A model as one HTML page: the core as WebAssembly, the model file, and what draws them."""

from __future__ import annotations

from .module import missing_tools, tool_versions, wasm_module
from .document import page

__all__ = ["missing_tools", "page", "tool_versions", "wasm_module"]
