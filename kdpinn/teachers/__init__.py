"""Bring your own teacher: any function, network, model file or table of samples teaches.

The protocol is `Teacher`; `teacher_of` makes one of a Python object, `lesson_of` of what the
command line says. `protocol` is imported by the training itself, the rest by those who load.
"""

from __future__ import annotations
