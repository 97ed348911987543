"""LightGBM asked for one home at a time, by the function of its C API that is made for that.

LightGBM's Python sets each prediction up anew, which for one row takes longer than its trees do.
"""

from __future__ import annotations

import ctypes
import weakref

import numpy as np
from lightgbm import Booster
from lightgbm.basic import _LIB, _safe_call

# In LightGBM's numbers: a plain prediction, from the first tree to the last, of 64-bit floats.
NORMAL, FIRST, ALL, FLOAT64 = 0, 0, -1, 1


class SingleRows:
    """Predicts single rows as a Booster does, bit for bit; the Booster must not change from here on."""

    def __init__(self, booster: Booster) -> None:
        # Called with the interpreter locked: a prepared prediction is for one thread, and takes less than a lock does.
        library = ctypes.PyDLL(_LIB._name)
        self._ask = library.LGBM_BoosterPredictForMatSingleRowFast
        self._ask.argtypes = (ctypes.c_void_p,) * 4
        self._booster = booster  # to whose trees the prepared prediction points
        self._inputs = booster.num_feature()
        self._prepared = ctypes.c_void_p()
        inputs, own = ctypes.c_int32(self._inputs), ctypes.byref(self._prepared)
        prepare = library.LGBM_BoosterPredictForMatSingleRowFastInit
        _safe_call(prepare(booster._handle, NORMAL, FIRST, ALL, FLOAT64, inputs, b"num_threads=1", own))
        weakref.finalize(self, library.LGBM_FastConfigFree, self._prepared)

    def predict(self, matrix: np.ndarray) -> np.ndarray:
        """What all trees say of each row (rows × inputs); raises ValueError for rows of another length."""
        if matrix.shape[1] != self._inputs:
            raise ValueError(f"rows of {matrix.shape[1]} inputs, where the model has {self._inputs}")
        rows, told = np.ascontiguousarray(matrix, dtype=np.float64), np.empty(len(matrix))
        one, out, count = rows.ctypes.data, told.ctypes.data, ctypes.byref(ctypes.c_int64())
        for _ in range(len(rows)):
            _safe_call(self._ask(self._prepared, one, count, out))
            one, out = one + rows.strides[0], out + told.itemsize
        return told
