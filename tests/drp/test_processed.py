"""What the pipeline leaves in the repository of ci_hsc."""

from __future__ import annotations

from collections import Counter

import numpy as np
import pytest
from lsst.daf.butler import Butler

from harness.drp.identifiers import SkyMapPacker


@pytest.fixture(scope="module")
def butler(snapshot, dataset, kit):
    repo = snapshot("process").repo
    with Butler.from_config(str(repo), writeable=False, collections=f"{kit.name}/runs/{dataset.name}") as butler:
        yield butler


@pytest.fixture(scope="module")
def bands(dataset, kit) -> list[str]:
    filters = kit.instrument_class.filters()
    return sorted({filters[e.filter] for e in dataset.exposures})


def test_there_are_as_many_datasets_as_the_manifest_implies(butler, dataset, kit, bands) -> None:
    pairs = sum(len(e.detectors) for e in dataset.exposures)
    visits = len(dataset.exposures)
    expected = {
        "post_isr_image": pairs,
        "preliminary_visit_image": pairs,
        "single_visit_star_unstandardized": pairs,
        "single_visit_star": visits,
        "preliminary_visit_summary": visits,
        "direct_warp": visits,
        "deep_coadd": len(bands),
        "deep_coadd_visit_selection": len(bands),
        "object_peak": 1,
        "object_unforced_measurement": len(bands),
        "object_forced_measurement": len(bands),
        "object_patch": 1,
        "object": 1,
    }
    run = f"{kit.name}/runs/{dataset.name}/first"
    found = Counter(r.datasetType.name for r in butler.query_all_datasets(run, find_first=False, limit=None))
    assert {name: found[name] for name in expected} == expected


def test_visit_images_carry_all_that_is_known(butler, dataset) -> None:
    first = dataset.exposures[0]
    image = butler.get(
        "preliminary_visit_image", instrument=dataset.instrument, visit=first.id, detector=first.detectors[0]
    )
    assert str(image.unit) == "nJy"
    assert (image.obs_info.exposure_id, image.physical_filter) == (first.id, first.filter)
    assert image.detector.id == first.detectors[0]
    assert image.backgrounds.subtracted is not None
    assert image.summary_stats.nPsfStar >= 5
    assert image.psf.sigma == image.summary_stats.psfSigma
    blank = ~image.mask.array.any(axis=-1)
    pull = (image.image.array / np.sqrt(image.variance.array))[blank]
    # The background is the mode of the sky; light of galaxies below the limit of detection lifts the median.
    assert 0 <= np.median(pull) < 0.1
    # … and adds to the noise.
    assert 1.0 < 1.4826 * np.median(np.abs(pull - np.median(pull))) < 1.1
    # The middle of the image is where the summary says.
    ny, nx = image.image.array.shape
    centre = image.sky_projection.pixel_to_sky(x=(nx - 1) / 2, y=(ny - 1) / 2)
    assert centre.ra.deg == pytest.approx(image.summary_stats.ra, abs=1e-9)
    assert centre.dec.deg == pytest.approx(image.summary_stats.dec, abs=1e-9)


def test_images_are_not_compressed(butler) -> None:
    from astropy.io import fits

    ref = butler.query_datasets("direct_warp", limit=1)[0]
    with fits.open(butler.getURI(ref).ospath, disable_image_compression=True) as hdus:
        assert [type(hdus[n]) for n in ("IMAGE", "MASK", "VARIANCE")] == [fits.ImageHDU] * 3


def test_source_identifiers_are_unique_and_say_where_they_come_from(butler, dataset, kit) -> None:
    tables = [butler.get(r) for r in butler.query_datasets("single_visit_star")]
    ids = np.concatenate([np.asarray(t["sourceId"]) for t in tables])
    assert len(np.unique(ids)) == len(ids)
    instrument = kit.instrument_class
    bits = (instrument.visit_max * instrument.detector_max - 1).bit_length()
    for table in tables:
        packed = np.asarray(table["sourceId"]) >> (63 - bits)
        assert (packed == np.asarray(table["visit"]) * instrument.detector_max + np.asarray(table["detector"])).all()


def test_the_object_table_has_a_row_per_object_and_columns_per_band(butler, dataset, bands) -> None:
    ref = butler.query_datasets("object", with_dimension_records=True)[0]
    table = butler.get(ref)
    for band in bands:
        for name in ("psfFlux", "psfFluxErr"):
            assert str(table[f"{band}_{name}"].unit) == "nJy"
    assert {"id", "coord_ra", "coord_dec", "patch", "tract", "detect_isPrimary", "refBand"} <= set(table.colnames)
    packer = SkyMapPacker.from_data_id(ref.dataId)
    places = {packer.split(int(i))[:2] for i in table["id"]}
    assert places == set(zip(table["tract"].tolist(), table["patch"].tolist(), strict=True))
    assert len(np.unique(table["id"])) == len(table)
    # The border of 100 pixels around 4000 holds a tenth of a patch's area: its objects are another patch's.
    assert 0.8 < np.mean(table["detect_isPrimary"]) < 0.97


def test_coadds_record_the_visits_that_went_in(butler, dataset, kit, bands) -> None:
    filters = kit.instrument_class.filters()
    for ref in butler.query_datasets("deep_coadd_inputs"):
        table = butler.get(ref)
        expected = {e.id for e in dataset.exposures if filters[e.filter] == ref.dataId["band"]}
        assert set(table["visit"].tolist()) == expected
        selection = butler.get("deep_coadd_visit_selection", ref.dataId)
        assert {int(v) for v in selection} == expected
        assert sum(selection.values()) == pytest.approx(1)
        assert (table["n_pixels"] > 0).all()
