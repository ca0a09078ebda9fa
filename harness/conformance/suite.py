"""The suite: all tests in one class, and the fixture that they share."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

import pytest

from ..errors import HarnessError
from .badfiles import BadFiles
from .choice import choose_dataset
from .claims import Claims
from .files import Files
from .geometry import Geometry
from .headers import Headers
from .ingests import Ingests
from .onsky import OnSky
from .reading import Reading
from .registration import Registration
from .running import Running
from .subject import Subject
from .values import Values

if TYPE_CHECKING:
    from collections.abc import Iterator

__all__ = ["InstrumentConformance", "TestInstrument", "make_subject"]


class InstrumentConformance(
    Registration, Geometry, Files, Claims, Headers, Values, Ingests, BadFiles, Reading, OnSky, Running
):
    """All tests. Subclasses say of which instrument.

    Attributes
    ----------
    instrument : `str`
        Name of an installed instrument.
    dataset : `str`, optional
        Name of the dataset to take raws from; the instrument's first by default.
    """

    instrument: ClassVar[str] = ""
    dataset: ClassVar[str | None] = None

    @pytest.fixture(scope="class")
    @classmethod
    def subject(cls, request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Subject]:
        """The instrument under test."""
        name = cls.instrument or getattr(request.module, "INSTRUMENT", "")
        dataset = cls.dataset or getattr(request.module, "DATASET", None)
        try:
            subject = make_subject(name, dataset, tmp_path_factory)
        except HarnessError as error:
            pytest.fail(str(error), pytrace=False)
        yield subject
        subject.close()


class TestInstrument(InstrumentConformance):
    """The suite for the instrument that the importing module names as ``INSTRUMENT``."""


def make_subject(name: str, dataset: str | None, folders: pytest.TempPathFactory) -> Subject:
    """Return the subject for an installed instrument.

    Raises
    ------
    HarnessError
        If there is none of that name, or it has no dataset.
    """
    from ..plugins import load_plugins

    if not name:
        raise HarnessError("no instrument is named", remedy='write INSTRUMENT = "NAME" in the test file')
    plugins = load_plugins()
    kit = plugins.find("instrument", name)
    return Subject(kit, choose_dataset(plugins, name, dataset), folders.mktemp(name), plugins)
