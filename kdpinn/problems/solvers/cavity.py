r"""Steady flow in a square cavity under a moving lid, by the stream function.

With u = \psi_y, v = -\psi_x and \omega = v_x - u_y = -\Delta\psi, the steady Navier-Stokes
equations become u \omega_x + v \omega_y = \nu \Delta\omega with \nu = 1/Re, \psi = 0 on all walls,
\psi_y = 1 on the lid y = 1 and a vanishing normal derivative on the other walls.

Second-order central differences on n intervals per side. The wall vorticity comes from a mirror
value behind the wall (Thom, Proc. R. Soc. A 141 (1933) 651-669, doi:10.1098/rspa.1933.0145), which
leaves one equation per inner node for \psi alone, of 13 points in the linear part; it is solved by
Newton's method with a sparse LU decomposition. `extrapolated` joins three grids.

The velocity jumps at both ends of the lid; pressure and vorticity grow there as the inverse
distance, so that neither has a finite norm and no scheme converges at these two points.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.interpolate import RectBivariateSpline
from scipy.sparse import csc_matrix, csr_matrix, diags, eye, hstack, kron, vstack
from scipy.sparse.linalg import splu

from kdpinn.geometry import FloatArray

MAX_NEWTON = 20
# Newton's method converges quadratically: from here the next step is below rounding.
CONVERGED = 1e-10
# Around the ends of the lid the pressure gradient is known least: weight (distance / REACH)^4.
REACH = 0.1


@dataclass(frozen=True)
class CavityFlow:
    """psi, u, v, p on the nodes, each (n + 1, n + 1), [i, j] at x = i / n, y = j / n.

    The mean of p over the inner nodes of the lower half, y <= 1/2, is zero.
    """

    psi: FloatArray
    u: FloatArray
    v: FloatArray
    p: FloatArray


def solve(reynolds: float, n: int, start: FloatArray | None = None) -> CavityFlow:
    """The flow on n x n intervals.

    Args:
        reynolds: > 0; from rest Newton's method is known to converge up to 400, beyond that start
            from a lower one.
        n: intervals per side, even, >= 8.
        start: psi (m + 1, m + 1) on a coarser or finer grid to start from; rest if None.
    Raises:
        ValueError: n or reynolds out of range.
        RuntimeError: Newton's method does not converge.
    """
    if n < 8 or n % 2 or not reynolds > 0:
        raise ValueError(
            f"`solve` needs an even n >= 8 and reynolds > 0, got n = {n}, reynolds = {reynolds}."
        )
    system = _System(reynolds, n)
    psi = np.zeros((n - 1) ** 2) if start is None else _resampled(start, n)[1:-1, 1:-1].ravel()
    for _ in range(MAX_NEWTON):
        residual, jacobian = system.residual_and_jacobian(psi)
        step = _solved(jacobian, residual)
        psi = psi - step
        if np.abs(step).max() <= CONVERGED * np.abs(psi).max():
            return system.flow(psi)
    raise RuntimeError(
        f"Newton's method for the cavity at Re = {reynolds} on {n} intervals has not converged "
        f"after {MAX_NEWTON} steps: start from the flow of a lower Reynolds number."
    )


def extrapolated(reynolds: float, n: int) -> tuple[CavityFlow, CavityFlow]:
    """The flow on the nodes of n intervals from grids of n, 2 n and 4 n intervals.

    Returns:
        (64 f_4n - 20 f_2n + f_n) / 45, free of errors in h^2 and h^4 away from the lid's ends
        (Richardson), and (4 f_4n - f_2n) / 3, which is free of those in h^2 alone: their difference
        bounds the error of the first from above.
    """
    coarse = solve(reynolds, n)
    middle = solve(reynolds, 2 * n, coarse.psi)
    fine = solve(reynolds, 4 * n, middle.psi)
    columns = [
        (f, m[::2, ::2], c[::1, ::1])
        for f, m, c in zip(
            (a[::4, ::4] for a in _arrays(fine)), _arrays(middle), _arrays(coarse), strict=True
        )
    ]
    best = CavityFlow(*((64 * f - 20 * m + c) / 45 for f, m, c in columns))
    return best, CavityFlow(*((4 * f - m) / 3 for f, m, _ in columns))


class _System:
    """Matrices on n intervals: inner nodes (n - 1)^2, or all nodes (n + 1)^2, x first."""

    def __init__(self, reynolds: float, n: int) -> None:
        self.n, self.nu, h = n, 1 / reynolds, 1 / n
        first = diags([-1.0, 1.0], [0, 2], shape=(n - 1, n + 1)) / (2 * h)
        second = diags([1.0, -2.0, 1.0], [0, 1, 2], shape=(n - 1, n + 1)) / h**2
        inner = _inner(n)
        # From all nodes to the inner ones.
        self.dx, self.dy = csr_matrix(kron(first, inner)), csr_matrix(kron(inner, first))
        self.laplacian = csr_matrix(kron(second, inner) + kron(inner, second))
        # From the inner nodes to all of them: psi vanishes on the walls.
        self.pad = csr_matrix(kron(inner.T, inner.T))
        # Mirror values: the second normal derivative on a wall is 2 psi_1 / h^2, + 2 U / h at the
        # moving lid.
        walls = csr_matrix(vstack([_row(n, 1), csr_matrix((n - 1, n + 1)), _row(n, n - 1)]))
        whole = vstack([csr_matrix((1, n + 1)), second, csr_matrix((1, n + 1))]) + 2 / h**2 * walls
        nodes = eye(n + 1)
        self.curl = -csr_matrix((kron(whole, nodes) + kron(nodes, whole)) @ self.pad)
        lid = np.zeros((n + 1, n + 1))
        lid[1:-1, n] = -2 / h
        self.lid = lid.ravel()

    def residual_and_jacobian(self, psi: FloatArray) -> tuple[FloatArray, csr_matrix]:
        """Of the transport of vorticity at the inner nodes."""
        u_of, v_of = self.dy @ self.pad, -self.dx @ self.pad
        u, v = u_of @ psi, v_of @ psi
        omega = self.curl @ psi + self.lid
        along, across = self.dx @ omega, self.dy @ omega
        residual = u * along + v * across - self.nu * (self.laplacian @ omega)
        spread = diags(u) @ self.dx + diags(v) @ self.dy - self.nu * self.laplacian
        return residual, spread @ self.curl + diags(along) @ u_of + diags(across) @ v_of

    def flow(self, psi: FloatArray) -> CavityFlow:
        """Everything on all nodes."""
        shape = (self.n + 1, self.n + 1)
        full = (self.pad @ psi).reshape(shape)
        omega = (self.curl @ psi + self.lid).reshape(shape)
        u, v = np.zeros(shape), np.zeros(shape)
        inside = (slice(1, -1), slice(1, -1))
        u[inside] = (self.dy @ full.ravel()).reshape(self.n - 1, self.n - 1)
        v[inside] = -(self.dx @ full.ravel()).reshape(self.n - 1, self.n - 1)
        u[:, -1] = 1.0
        return CavityFlow(full, u, v, _pressure(u, v, omega, self.nu))


def _solved(matrix: csr_matrix, right: FloatArray) -> FloatArray:
    """LU with an ordering for matrices of symmetric pattern: half the fill of the default's."""
    options = {"SymmetricMode": True}
    factors = splu(
        csc_matrix(matrix), permc_spec="MMD_AT_PLUS_A", diag_pivot_thresh=0.01, options=options
    )
    return np.asarray(factors.solve(right), dtype=np.float64)


def _pressure(u: FloatArray, v: FloatArray, omega: FloatArray, nu: float) -> FloatArray:
    """p from its gradient along all edges between neighbors, by weighted least squares.

    p_x = -u u_x - v u_y - nu omega_y and p_y = -u v_x - v v_y + nu omega_x, as
    \\Delta u = -omega_y and \\Delta v = omega_x.
    """
    n = len(u) - 1
    h = 1 / n
    gradient_x = -u * _dx(u, h) - v * _dy(u, h) - nu * _dy(omega, h)
    gradient_y = -u * _dx(v, h) - v * _dy(v, h) + nu * _dx(omega, h)
    step = diags([-1.0, 1.0], [0, 1], shape=(n, n + 1))
    nodes = eye(n + 1)
    difference = csr_matrix(vstack([kron(step, nodes), kron(nodes, step)]))
    rise = h * np.concatenate(
        [
            (gradient_x[:-1] + gradient_x[1:]).ravel() / 2,
            (gradient_y[:, :-1] + gradient_y[:, 1:]).ravel() / 2,
        ]
    )
    weight = np.concatenate([_edge_weights(n, along_x=True), _edge_weights(n, along_x=False)])
    normal = csc_matrix(difference.T @ diags(weight) @ difference)
    right = difference.T @ (weight * rise)
    # One node is held at 0: without it the constant is free and the matrix singular.
    p = np.concatenate([[0.0], _solved(normal[1:, 1:], right[1:])]).reshape(n + 1, n + 1)
    return np.asarray(p - p[1:-1, 1 : n // 2 + 1].mean(), dtype=np.float64)


def _edge_weights(n: int, *, along_x: bool) -> FloatArray:
    """min(1, distance of the edge's middle from the nearer end of the lid / REACH)^4."""
    node, middle = np.arange(n + 1) / n, (np.arange(n) + 0.5) / n
    x, y = np.meshgrid(*((middle, node) if along_x else (node, middle)), indexing="ij")
    distance = np.hypot(np.minimum(x, 1 - x), 1 - y).ravel()
    return np.asarray(np.minimum(1.0, distance / REACH) ** 4, dtype=np.float64)


def _dx(f: FloatArray, h: float) -> FloatArray:
    return np.asarray(np.gradient(f, h, axis=0, edge_order=2), dtype=np.float64)


def _dy(f: FloatArray, h: float) -> FloatArray:
    return np.asarray(np.gradient(f, h, axis=1, edge_order=2), dtype=np.float64)


def _inner(n: int) -> csr_matrix:
    """Picks the n - 1 inner of n + 1 values."""
    return csr_matrix(hstack([csr_matrix((n - 1, 1)), eye(n - 1), csr_matrix((n - 1, 1))]))


def _row(n: int, at: int) -> csr_matrix:
    return csr_matrix(([1.0], ([0], [at])), shape=(1, n + 1))


def _resampled(psi: FloatArray, n: int) -> FloatArray:
    """Values on n intervals by cubic splines."""
    old, new = np.linspace(0, 1, len(psi)), np.linspace(0, 1, n + 1)
    return np.asarray(RectBivariateSpline(old, old, psi)(new, new), dtype=np.float64)


def _arrays(flow: CavityFlow) -> tuple[FloatArray, ...]:
    return flow.psi, flow.u, flow.v, flow.p
