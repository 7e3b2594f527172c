"""Butterworth low-pass filters as second-order sections, and scipy's kernel that runs them.

`scipy.signal` as a whole takes about 2 s and 80 MiB to import, most of what `har-stream` needs
altogether. So only the compiled kernel behind `scipy.signal.sosfilt` is loaded, and the design of
the one kind of filter used here is written out. The tests hold both against `scipy.signal`.
"""

import importlib.machinery
import importlib.util
import sys
from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import Final, cast

import numpy as np
from numpy.typing import NDArray

_KERNEL: Final = "scipy.signal._sosfilt"


def _load_kernel() -> ModuleType:
    """Load the extension module by its path, so that `scipy.signal` itself is not imported."""
    if _KERNEL in sys.modules:
        return sys.modules[_KERNEL]
    scipy = importlib.util.find_spec("scipy")
    assert scipy is not None
    assert scipy.submodule_search_locations is not None
    folder = Path(scipy.submodule_search_locations[0]) / "signal"
    finder = importlib.machinery.FileFinder(
        str(folder),
        (importlib.machinery.ExtensionFileLoader, importlib.machinery.EXTENSION_SUFFIXES),
    )
    spec = finder.find_spec(_KERNEL)
    if spec is None or spec.loader is None:  # another scipy, built otherwise
        return importlib.import_module(_KERNEL)
    module = importlib.util.module_from_spec(spec)
    # An extension module cannot be initialised twice: a later import of scipy.signal finds this.
    sys.modules[_KERNEL] = module
    spec.loader.exec_module(module)
    return module


_kernel = cast(
    "Callable[[NDArray[np.float64], NDArray[np.float64], NDArray[np.float64]], None]",
    _load_kernel()._sosfilt,
)


def butterworth_low_pass(order: int, cutoff_hz: float, rate_hz: float) -> NDArray[np.float64]:
    """Return a digital Butterworth low-pass as sections ``(n_sections, 6)``: b0 b1 b2 1 a1 a2.

    The analogue prototype's poles are moved by the bilinear transform with the cut-off prewarped
    (Oppenheim & Schafer, Discrete-Time Signal Processing, section 7.2). The filter is the one of
    ``scipy.signal.butter``, but each section passes a constant unchanged.
    """
    prewarped = 2 * rate_hz * np.tan(np.pi * cutoff_hz / rate_hz)
    sections = []
    for k in range((order + 1) // 2):
        angle = np.pi * (2 * k + 1 + order) / (2 * order)
        analogue = prewarped * np.exp(1j * angle)
        pole = (2 * rate_hz + analogue) / (2 * rate_hz - analogue)
        if 2 * k + 1 == order:  # the real pole of an odd order
            zeros, poles = np.array([1.0, 1.0, 0.0]), np.array([1.0, -pole.real, 0.0])
        else:
            zeros = np.array([1.0, 2.0, 1.0])
            poles = np.array([1.0, -2 * pole.real, abs(pole) ** 2])
        sections.append(np.concatenate([zeros * poles.sum() / zeros.sum(), poles]))
    return np.array(sections)


def steady_state(sections: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the filter's state ``(n_sections, 2)`` when its input has always been 1.

    Multiplied by a constant it is the state after that constant. Valid for sections that pass a
    constant unchanged, as `butterworth_low_pass` makes them.
    """
    b0, _, b2, _, _, a2 = sections.T
    return np.stack([1 - b0, b2 - a2], axis=1)


def sosfilt(
    sections: NDArray[np.float64], signals: NDArray[np.float64], state: NDArray[np.float64]
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return each signal filtered, and the state after it.

    ``signals`` has the shape ``(..., n_samples)``, ``state`` ``(..., n_sections, 2)``. As each
    signal is filtered on its own, sample by sample, the result has the same bits however signals
    are grouped and wherever they are cut.
    """
    filtered = np.array(signals, np.float64, order="C")
    after = np.array(state, np.float64, order="C")
    n_samples = signals.shape[-1]
    _kernel(sections, filtered.reshape(-1, n_samples), after.reshape(-1, len(sections), 2))
    return filtered, after
