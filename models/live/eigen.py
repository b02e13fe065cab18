"""Products and eigenvectors of small symmetric matrices, in an order of operations that is the same everywhere.

Libraries choose theirs by the processor and by how many threads there are; a take shall replay bit for bit.
"""

import math

import numpy as np
from numpy.typing import NDArray

from ...dsp.compiled import compiled

Doubles = NDArray[np.float64]

_MOST_TURNS = 60
_EPSILON = 2.0**-52


@compiled
def multiply(a: Doubles, b: Doubles) -> Doubles:
    """Return a b, of arrays [m, n] and [n, p]."""
    rows, inner = a.shape
    out = np.zeros((rows, b.shape[1]))
    fours = inner - inner % 4
    for i in range(rows):
        row = out[i]
        for j in range(0, fours, 4):
            w, x, y, z = a[i, j], a[i, j + 1], a[i, j + 2], a[i, j + 3]
            first, second, third, fourth = b[j], b[j + 1], b[j + 2], b[j + 3]
            for k in range(row.size):
                row[k] += (w * first[k] + x * second[k]) + (y * third[k] + z * fourth[k])
        for j in range(fours, inner):
            x, first = a[i, j], b[j]
            for k in range(row.size):
                row[k] += x * first[k]
    return out


@compiled
def eigenvectors(matrix: Doubles) -> tuple[Doubles, Doubles]:
    """Return the eigenvalues [n], in no order, and the eigenvectors, as rows [n, n], of a symmetric matrix [n, n].

    Householder reflections make it tridiagonal, implicit QL steps with Wilkinson's shift make that diagonal (Golub and
    Van Loan 2013, algorithms 8.3.1 and 8.3.3; the QL form is EISPACK's tql2). `matrix` is written over.
    """
    diagonal, beside, vectors = _tridiagonal(matrix)
    n = diagonal.size
    for first in range(n):
        for _ in range(_MOST_TURNS):
            last = first
            while last < n - 1:
                around = abs(diagonal[last]) + abs(diagonal[last + 1])
                if abs(beside[last]) <= _EPSILON * around:
                    break
                last += 1
            if last == first:
                break
            _ql_step(diagonal, beside, vectors, first, last)
    return diagonal, vectors


@compiled
def _tridiagonal(a: Doubles) -> tuple[Doubles, Doubles, Doubles]:
    """Return diagonal [n], what is beside it [n, the last 0] and Qᵀ of Qᵀ a Q tridiagonal; `a` is written over."""
    n = a.shape[0]
    beside = np.zeros(n)
    scales = np.zeros(n)
    p = np.zeros(n)
    for k in range(n - 2):
        v = a[k, k + 1 :]
        length = 0.0
        for i in range(v.size):
            length += v[i] * v[i]
        length = math.sqrt(length)
        if length == 0.0:
            continue
        beside[k] = -length if v[0] > 0.0 else length
        # v is kept in the row that it has cleared.
        v[0] -= beside[k]
        squares = 0.0
        for i in range(v.size):
            squares += v[i] * v[i]
        scale = scales[k] = 2.0 / squares
        part = p[: v.size]
        part[:] = 0.0
        for i in range(v.size):
            row, value = a[k + 1 + i, k + 1 :], scale * v[i]
            for j in range(v.size):
                part[j] += value * row[j]
        along = 0.0
        for i in range(v.size):
            along += v[i] * part[i]
        for i in range(v.size):
            part[i] -= 0.5 * scale * along * v[i]
        for i in range(v.size):
            row, x, y = a[k + 1 + i, k + 1 :], v[i], part[i]
            for j in range(v.size):
                row[j] -= x * part[j] + y * v[j]
    diagonal = np.zeros(n)
    for k in range(n):
        diagonal[k] = a[k, k]
    if n > 1:
        beside[n - 2] = a[n - 2, n - 1]
    return diagonal, beside, _reflections(a, scales)


@compiled
def _reflections(a: Doubles, scales: Doubles) -> Doubles:
    """Return the transpose of the product of the reflections whose vectors are above the diagonal of `a`."""
    n = a.shape[0]
    q = np.eye(n)
    sums = np.zeros(n)
    for k in range(n - 3, -1, -1):
        v = a[k, k + 1 :]
        part = sums[: v.size]
        part[:] = 0.0
        for i in range(v.size):
            row, value = q[k + 1 + i, k + 1 :], scales[k] * v[i]
            for j in range(v.size):
                part[j] += value * row[j]
        for i in range(v.size):
            row, value = q[k + 1 + i, k + 1 :], v[i]
            for j in range(v.size):
                row[j] -= value * part[j]
    return q.T.copy()


@compiled
def _ql_step(d: Doubles, e: Doubles, vectors: Doubles, first: int, last: int) -> None:
    """One implicit QL step on the rows from `first` to `last`."""
    g = (d[first + 1] - d[first]) / (2.0 * e[first])
    r = math.hypot(g, 1.0)
    g = d[last] - d[first] + e[first] / (g + math.copysign(r, g))
    s = c = 1.0
    p = 0.0
    for i in range(last - 1, first - 1, -1):
        f, b = s * e[i], c * e[i]
        r = math.hypot(f, g)
        e[i + 1] = r
        if r == 0.0:
            d[i + 1] -= p
            e[last] = 0.0
            return
        s, c = f / r, g / r
        g = d[i + 1] - p
        r = (d[i] - g) * s + 2.0 * c * b
        p = s * r
        d[i + 1] = g + p
        g = c * r - b
        upper, lower = vectors[i], vectors[i + 1]
        for k in range(upper.size):
            x, y = upper[k], lower[k]
            lower[k] = s * x + c * y
            upper[k] = c * x - s * y
    d[first] -= p
    e[first] = g
    e[last] = 0.0
