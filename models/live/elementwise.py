"""Logarithms and exponentials of whole arrays, as polynomials that the compiler vectorises.

The library's functions are called once for each number, which takes five times as long. Both follow the Cephes library
(Moshier 1992, logf and expf), exact to the last bit or two of single precision.
"""

import numpy as np
from numpy.typing import NDArray

from ...dsp.compiled import compiled

_f4 = np.float32
# √½ as an integer: mantissas are brought to between √½ and √2.
_HALF_ROOT = np.int32(0x3F3504F3)
_MANTISSA = np.int32(0x7FFFFF)
_BIAS = np.int32(127)
_BITS = np.int32(23)
_LN2_HIGH, _LN2_LOW = _f4(0.693359375), _f4(-2.12194440e-4)
_LOG2_E = _f4(1.44269504088896341)


@compiled
def log_of_1_and(x: NDArray[np.float32], out: NDArray[np.float32]) -> None:
    """Write log(1 + x) [n] to `out`; x at least 0, finite."""
    for k in range(x.size):
        number = _f4(1.0) + x[k]
        bits = np.float32(number).view(np.int32) - _HALF_ROOT
        exponent = _f4(np.int32(bits >> _BITS))
        mantissa = np.int32((bits & _MANTISSA) + _HALF_ROOT).view(np.float32)
        m = mantissa - _f4(1.0)
        square = m * m
        y = _f4(7.0376836292e-2)
        y = y * m - _f4(1.1514610310e-1)
        y = y * m + _f4(1.1676998740e-1)
        y = y * m - _f4(1.2420140846e-1)
        y = y * m + _f4(1.4249322787e-1)
        y = y * m - _f4(1.6668057665e-1)
        y = y * m + _f4(2.0000714765e-1)
        y = y * m - _f4(2.4999993993e-1)
        y = y * m + _f4(3.3333331174e-1)
        y = y * m * square + _LN2_LOW * exponent - _f4(0.5) * square
        # What the sum 1 + x has lost is all there is of a small x.
        out[k] = m + y + (x[k] - (number - _f4(1.0))) / number + _LN2_HIGH * exponent


@compiled
def exp_less_1(x: NDArray[np.float32], out: NDArray[np.float32]) -> None:
    """Write exp(x) - 1 [n] to `out`; x from 0 to 80."""
    for k in range(x.size):
        whole = np.int32(x[k] * _LOG2_E + _f4(0.5))
        turns = _f4(whole)
        r = x[k] - turns * _LN2_HIGH - turns * _LN2_LOW
        y = _f4(1.9875691500e-4)
        y = y * r + _f4(1.3981999507e-3)
        y = y * r + _f4(8.3334519073e-3)
        y = y * r + _f4(4.1665795894e-2)
        y = y * r + _f4(1.6666665459e-1)
        y = y * r + _f4(5.0000001201e-1)
        y = y * r * r + r
        power = np.int32((whole + _BIAS) << _BITS).view(np.float32)
        out[k] = y * power + (power - _f4(1.0))
