from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
from lsst.daf.butler import Butler, Config, DatasetType

from harness.instrument.camera import Camera
from harness.instrument.storage import REPOSITORY_CONFIG

READ = """
from lsst.daf.butler import Butler
with Butler({root!r}, collections="run") as butler:
    print(butler.get("camera", instrument="Toy").model_dump_json())
    print(sorted(butler.get_dataset_type("raw").storageClass.allComponents()))
"""


@pytest.mark.parametrize("camera", ["polynomial"], indirect=True)
def test_another_process_finds_the_storage_classes(tmp_path: Path, camera: Camera) -> None:
    Butler.makeRepo(str(tmp_path / "repo"), Config(dict(REPOSITORY_CONFIG)))
    with Butler.from_config(str(tmp_path / "repo"), writeable=True, run="run") as butler:
        limits = {"visit_max": 1, "exposure_max": 1, "detector_max": 1, "class_name": "none"}
        butler.registry.syncDimensionData("instrument", {"name": "Toy", **limits})
        for name, dimensions, storage_class in (
            ("camera", ["instrument"], "HarnessCamera"),
            ("raw", ["instrument", "exposure", "detector"], "HarnessRaw"),
        ):
            butler.registry.registerDatasetType(
                DatasetType(name, dimensions, storage_class, universe=butler.dimensions)
            )
        butler.put(camera, "camera", instrument="Toy")
    # Nothing of this process, and no environment, may help the other one.
    code = READ.format(root=str(tmp_path / "repo"))
    out = subprocess.run([sys.executable, "-c", code], env={}, cwd="/", capture_output=True, text=True, check=True)
    stored, components = out.stdout.splitlines()
    assert Camera.model_validate_json(stored) == camera
    assert components == "['detector', 'header', 'image', 'wcs']"
