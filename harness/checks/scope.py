"""What part of a repository is asked about."""

from __future__ import annotations

import dataclasses

__all__ = ["Scope"]


@dataclasses.dataclass(frozen=True)
class Scope:
    """A part of a repository: checks look at no dataset, file or exposure outside of it.

    Dimension records and collections that others refer to are read whatever the scope: a reference must resolve.

    Parameters
    ----------
    collections : `tuple` [`str`], optional
        RUN, TAGGED and CALIBRATION collections, without chains and patterns; all if empty.
    since : `int`, optional
        Datasets ingested and exposures begun at or after this time (ns since 1970 TAI); all by default.
    sample : `int`, optional
        At most so many files are opened by each check, evenly spread; all by default.
    """

    collections: tuple[str, ...] = ()
    since: int | None = None
    sample: int | None = None

    @property
    def whole(self) -> bool:
        """Whether it is the whole repository (`bool`)."""
        return not self.collections and self.since is None
