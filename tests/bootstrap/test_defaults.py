"""The umbrella collection."""

from __future__ import annotations

import pytest
from lsst.daf.butler import CollectionType
from lsst.pipe.base import Instrument

from harness.bootstrap.create import create_repository
from harness.bootstrap.defaults import chain_defaults
from harness.errors import HarnessError
from harness.repository import open_repository


class Cam(Instrument):
    @classmethod
    def getName(cls):
        return "Cam"

    def getRawFormatter(self, dataId):
        raise NotImplementedError

    def register(self, registry, *, update=False):
        raise NotImplementedError


@pytest.fixture
def butler(tmp_path):
    create_repository(tmp_path / "repo", {})
    with open_repository(tmp_path / "repo", writeable=True) as butler:
        yield butler


def test_chain_in_order_and_idempotent(butler):
    for name in ("skymaps", "refcats", "Cam/raw/all"):
        butler.collections.register(name)
    butler.collections.register("Cam/calib", CollectionType.CALIBRATION)
    expected = ("Cam/defaults", ("Cam/raw/all", "Cam/calib", "refcats", "skymaps"))
    assert chain_defaults(butler, Cam()) == expected
    assert butler.collections.get_info("Cam/defaults").children == expected[1]
    assert chain_defaults(butler, Cam()) == expected


def test_only_what_exists(butler):
    butler.collections.register("Cam/raw/all")
    butler.collections.register("refcats")
    assert chain_defaults(butler, Cam())[1] == ("Cam/raw/all", "refcats")


def test_nothing_to_chain(butler):
    with pytest.raises(HarnessError, match="none of Cam/raw/all"):
        chain_defaults(butler, Cam())
    assert not butler.collections.query("*")


def test_differing_chain_is_left_alone(butler):
    for name in ("Cam/raw/all", "refcats"):
        butler.collections.register(name)
    butler.collections.register("Cam/defaults", CollectionType.CHAINED)
    butler.collections.redefine_chain("Cam/defaults", ["refcats", "Cam/raw/all"])
    with pytest.raises(HarnessError, match=r"is \[refcats, Cam/raw/all\], expected \[Cam/raw/all, refcats\]"):
        chain_defaults(butler, Cam())
    assert butler.collections.get_info("Cam/defaults").children == ("refcats", "Cam/raw/all")


def test_other_type_is_left_alone(butler):
    butler.collections.register("Cam/raw/all")
    butler.collections.register("Cam/defaults", CollectionType.TAGGED)
    with pytest.raises(HarnessError, match="is a TAGGED"):
        chain_defaults(butler, Cam())


def test_chain_left_empty_by_an_interruption_is_filled(butler):
    butler.collections.register("Cam/raw/all")
    butler.collections.register("Cam/defaults", CollectionType.CHAINED)
    assert chain_defaults(butler, Cam())[1] == ("Cam/raw/all",)


def test_a_chain_grows_in_order(butler):
    """Of two datasets of an instrument the second brings what the first had not."""
    butler.collections.register("Cam/raw/all")
    butler.collections.register("skymaps")
    assert chain_defaults(butler, Cam())[1] == ("Cam/raw/all", "skymaps")
    butler.collections.register("Cam/calib", CollectionType.CALIBRATION)
    butler.collections.register("refcats")
    expected = ("Cam/raw/all", "Cam/calib", "refcats", "skymaps")
    assert chain_defaults(butler, Cam())[1] == expected
    assert butler.collections.get_info("Cam/defaults").children == expected


def test_what_an_instrument_does_not_need_is_left_out_and_what_is_there_stays(butler):
    for name in ("Cam/raw/all", "refcats", "skymaps"):
        butler.collections.register(name)
    assert chain_defaults(butler, Cam(), shared=())[1] == ("Cam/raw/all",)
    assert chain_defaults(butler, Cam(), shared=("refcats",))[1] == ("Cam/raw/all", "refcats")
    assert chain_defaults(butler, Cam(), shared=())[1] == ("Cam/raw/all", "refcats")


def test_a_foreign_member_is_an_error(butler):
    for name in ("Cam/raw/all", "u/someone/mine", "refcats"):
        butler.collections.register(name)
    butler.collections.register("Cam/defaults", CollectionType.CHAINED)
    butler.collections.redefine_chain("Cam/defaults", ["Cam/raw/all", "u/someone/mine"])
    with pytest.raises(HarnessError, match="u/someone/mine"):
        chain_defaults(butler, Cam())
    assert butler.collections.get_info("Cam/defaults").children == ("Cam/raw/all", "u/someone/mine")
