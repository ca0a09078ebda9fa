"""The plugin's checks are silent on a clean repository, and each defect is found by the one that it names."""

from __future__ import annotations

import numpy as np
import pytest
from harness_cbp.checks import CHECKS
from harness_cbp.defects import DEFECTS

from harness.simulate.projector import throughput

NAMED = {
    "cbp-name-of-another": ["2024061500001", "CB_O_20240615_099999"],
    "cbp-focus-in-mm": ["CBPFOC", "3.8e+06 um"],
    "cbp-mask-impossible": ["CBPMASK", "6"],
    "cbp-camera-regrouped": ["no camera", "CBP 2024061500001"],
    "cbp-exposure-regrouped": ["the projector has no exposure", "LATISS 2024061500001"],
    "cbp-groups-merged": ["2 exposures of the projector", "CBP 2024061500001"],
    "cbp-camera-late": ["2024061500001", "LATISS"],
    "cbp-charge-scaled": ["2024061500001", "2.0400e-08|2.04"],
    "cbp-throughput-scaled": ["-15", "% off"],
    "cbp-throughput-bent": ["350 nm", "+9.|+10."],
    "cbp-wavelength-lost": ["1050 nm", "0 exposures"],
}


@pytest.mark.parametrize("check", CHECKS, ids=lambda c: c.id)
def test_a_clean_repository_has_no_findings(judge, check) -> None:
    assert judge(check.id, check.after) == ()


@pytest.mark.parametrize("defect", DEFECTS, ids=lambda d: d.id)
def test_the_defect_is_found(judge, defect) -> None:
    findings = judge(defect.found_by, defect.after, defect)
    described = [f"{f.message} {dict(f.data_id)} {f.seen} {f.expected}" for f in findings]
    words = [w.split("|") for w in NAMED[defect.id]]
    assert any(all(any(w in text for w in some) for some in words) for text in described), described
    assert all(f.where and f.look for f in findings)


def test_every_check_has_a_defect() -> None:
    assert {c.id for c in CHECKS} == {d.found_by for d in DEFECTS}


def test_the_curve_is_the_simulated_one(runner) -> None:
    """The whole chain through the middleware: two instruments, linked by the names of groups."""
    from lsst.daf.butler import Butler

    with Butler.from_config(str(runner.build("process").repo), writeable=False) as butler:
        table = butler.get("cbpThroughput", instrument="CBP", collections="CBP/runs/cbp")
        spots = butler.query_datasets("cbpSpots", "CBP/runs/cbp", explain=False)
        rows = [butler.get(r) for r in spots]
    assert np.asarray(table["wavelength"]).tolist() == [350.0, 650.0, 750.0, 1050.0]
    assert np.asarray(table["exposures"]).tolist() == [1, 2, 1, 1]
    ratio = np.asarray(table["throughput"]) / throughput(np.asarray(table["wavelength"]))
    assert ratio == pytest.approx(1.0, abs=0.05)
    assert ratio / np.median(ratio) == pytest.approx(1.0, abs=0.01)
    assert sorted(len(r) for r in rows) == [0, 1, 1, 1, 1, 1]  # the dark has none
    assert {str(c) for r in rows for c in r["camera"]} == {"LATISS"}
