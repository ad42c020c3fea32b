"""Any Python object that can teach, as a `Teacher`."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch

from kdpinn.field import Field
from kdpinn.geometry import Box
from kdpinn.sampling import interior
from kdpinn.teachers import peers
from kdpinn.teachers.functions import Function, columns
from kdpinn.teachers.modules import Call, TorchModule, derivatives_hold, settled, widest
from kdpinn.teachers.protocol import Teacher

PROBES = 8
KINDS = (
    "a torch.nn.Module, a DeepXDE model, a PINA solver, a kdpinn Field, or a function from "
    "(n, d) arrays to (n, m) arrays"
)


def teacher_of(
    value: Any, box: Box, fields: tuple[str, ...] = (), name: str = "the teacher"
) -> Teacher:
    """The object as a teacher on the domain, tried at a few points.

    Args:
        value: a torch.nn.Module from (n, d) to (n, m); a DeepXDE model; a PINA solver; a Field;
            or a callable from (n, d) to (n, m) arrays of float64.
        box: its coordinates are the columns of the points.
        fields: names of the outputs; those it knows itself, or "u" for a single one, if empty.
        name: in messages.
    Returns:
        A teacher with derivatives if the object is twice differentiable by torch.
    Raises:
        ValueError: it is nothing of the kind, does not run, or its outputs cannot be named.
    """
    if isinstance(value, Field):
        return value
    net = peers.deepxde_network(value)
    if isinstance(net, torch.nn.Module):
        value = net
    elif net is not None:
        value = value.predict
    if isinstance(value, torch.nn.Module):
        return _module(value, box, fields, name)
    if callable(value):
        return _function(value, box, fields, name)
    raise ValueError(f"{name} must be {KINDS}; got {type(value).__name__}.")


def named(
    name: str, fields: tuple[str, ...], known: tuple[str, ...], count: int
) -> tuple[str, ...]:
    """Names of `count` outputs: those asked for, or those known, or "u" for a single one.

    Raises:
        ValueError: another number of names, or several outputs without any.
    """
    found = fields or known or (("u",) if count == 1 else ())
    if len(found) != count:
        has = f"{len(found)} ({', '.join(found)})" if found else "none"
        raise ValueError(
            f"Teacher {name} gives {count} value{'s' * (count > 1)} per point, the number of "
            f"names is {has}: name each, in its order, with --fields."
        )
    return found


def _module(module: torch.nn.Module, box: Box, fields: tuple[str, ...], name: str) -> Teacher:
    module = settled(module)
    known: tuple[str, ...] = ()
    call: Call = module
    if peers.is_pina_solver(module):
        call, known = peers.PinaCall(module, box.names), tuple(peers.pina_outputs(module))
    probe = interior(box, PROBES, seed=0)
    dtype = widest(module, call, probe)
    try:
        with torch.no_grad():
            count = columns(name, call(probe.to(dtype)), PROBES).shape[1]
    except Exception as error:
        raise ValueError(_does_not_run(name, box, error)) from error
    outputs = named(name, fields, known, count)
    teacher = TorchModule(name=name, call=call, dtype=dtype, inputs=box.names, outputs=outputs)
    if derivatives_hold(teacher, box, probe):
        return teacher
    return Function(name=name, call=teacher.values, inputs=box.names, outputs=outputs)


def _function(function: Any, box: Box, fields: tuple[str, ...], name: str) -> Teacher:
    probe = interior(box, PROBES, seed=0).numpy()
    try:
        result = function(probe.copy())
    except Exception as error:
        raise ValueError(_does_not_run(name, box, error)) from error
    outputs = named(name, fields, (), columns(name, result, PROBES).shape[1])
    again = columns(name, function(probe[::-1].copy()), PROBES)[::-1]
    if not np.allclose(again, columns(name, result, PROBES), rtol=1e-5, atol=1e-8, equal_nan=True):
        raise ValueError(
            f"Teacher {name} answers differently when the same points come in another order: it "
            "must treat every point by itself, without chance."
        )
    return Function(name=name, call=function, inputs=box.names, outputs=outputs)


def _does_not_run(name: str, box: Box, error: Exception) -> str:
    return (
        f"Teacher {name} does not run on an array ({PROBES}, {box.dim}) of points "
        f"({', '.join(box.names)}): {type(error).__name__}: {error}"
    )
