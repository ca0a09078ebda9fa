"""Inputs that many quanta of one process share, read once."""

from __future__ import annotations

import weakref
from typing import Any

__all__ = ["shared"]

_KEPT: weakref.WeakKeyDictionary[Any, dict[Any, Any]] = weakref.WeakKeyDictionary()
_LIMIT = 32


def shared(handle: Any) -> Any:
    """Read a dataset, or return what an earlier quantum has read; the content must not be changed.

    Kept by butler and dataset id, for as long as the butler lives: another repository may hold another content
    under the same id.

    Parameters
    ----------
    handle : `lsst.daf.butler.DeferredDatasetHandle`
        From a connection with ``deferLoad=True``.
    """
    kept = _KEPT.setdefault(handle.butler, {})
    if handle.ref.id not in kept:
        if len(kept) >= _LIMIT:
            kept.pop(next(iter(kept)))
        kept[handle.ref.id] = handle.get()
    return kept[handle.ref.id]
