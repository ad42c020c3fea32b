"""A model with an unmeasured input, and a server in a thread."""

import threading
from contextlib import contextmanager
from dataclasses import replace

from kdp_samples import bare_model, with_baseline

from kdpinn_runtime.format import Equation, Factor, Term


def family():
    """u(x, t, y) with u_t + y u_x = 0: y is a parameter of the equation, whatever its name."""
    bare = bare_model(sizes=(3, 9, 1), dtype=float)
    by_t, by_x = Factor(kind="first", a=0, b=1), Factor(kind="first", a=0, b=0)
    terms = (
        Term(coefficient=1.0, factors=(by_t,)),
        Term(coefficient=1.0, factors=(Factor(kind="coordinate", a=2), by_x)),
    )
    equation = Equation(name="transport", terms=terms, limit=100.0)
    file = replace(with_baseline(bare, n=40), equations=(equation,))
    return replace(file, baseline=replace(file.baseline, data=None))


@contextmanager
def running(server):
    """`server` in a thread until the block ends."""
    thread = threading.Thread(target=server.run)
    thread.start()
    try:
        yield server
    finally:
        server.stop()
        thread.join(timeout=20)
        assert not thread.is_alive()
