"""Random numbers that depend on what they are for, and on nothing else."""

from __future__ import annotations

from hashlib import blake2b
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.random import Generator

__all__ = ["generator"]


def generator(seed: int, *key: object, purpose: str) -> Generator:
    """Return a generator of its own for one purpose.

    Parameters
    ----------
    seed : `int`
        Seed of the dataset.
    *key : `object`
        What it is for: instrument, exposure, detector, epoch …; told apart by their `str`.
    purpose : `str`
        Which of the random effects on that thing.

    Returns
    -------
    generator : `numpy.random.Generator`
        Philox (counter-based: independent streams for different keys), keyed by BLAKE2b of the seed, the key
        and the purpose. The order in which things are made, and in which process, does not matter.
    """
    text = "|".join(str(part) for part in (seed, *key, purpose))
    digest = blake2b(text.encode(), digest_size=16).digest()
    return np.random.Generator(np.random.Philox(key=int.from_bytes(digest, "little")))
