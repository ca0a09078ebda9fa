"""The instrument that `harness new-plugin` makes, and kits of it that differ in one thing."""

from __future__ import annotations

import importlib
import importlib.machinery
import itertools
import sys
import types
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from astro_metadata_translator import MetadataTranslator

from harness.cli.new_plugin import make_project
from harness.datasets.manifest import Dataset, load_manifest
from harness.hookspecs import hookimpl
from harness.instrument.kit import Capability, InstrumentKit
from harness.instrument.storage import REPOSITORY_CONFIG
from harness.plugins import Plugins, load_plugins

NAME = "ToyCam"
MADE = "toycam_made"
"""Module in which the middleware finds the classes of wrong instruments."""


class Toy:
    """The modules of the generated plugin."""

    def __init__(self, folder: Path) -> None:
        self.project = make_project(NAME, folder / "toycam")
        sys.path.insert(0, str(self.project / "src"))
        self.plugin, self.camera, self.translator, self.formatter, self.instrument, self.writer = (
            importlib.import_module(f"harness_toycam.{name}")
            for name in ("plugin", "camera", "translator", "formatter", "instrument", "writer")
        )
        self.Translator = self.translator.ToyCamTranslator
        self.Formatter = self.formatter.ToyCamRawFormatter
        self.Instrument = self.instrument.ToyCam
        self._number = itertools.count()
        made = types.ModuleType(MADE)
        made.__spec__ = importlib.machinery.ModuleSpec(MADE, None, origin=self.plugin.__file__)
        self._made = sys.modules[MADE] = made

    @property
    def dataset(self) -> Dataset:
        """Its dataset."""
        (folder,) = self.plugin.harness_datasets()
        return load_manifest(folder)

    @property
    def right(self) -> InstrumentKit:
        """The kit as generated."""
        (kit,) = self.plugin.harness_instruments()
        return kit

    def kit(
        self,
        *,
        translator: type | None = None,
        make_camera: Callable[[int], Any] | None = None,
        formatter: type | None = None,
        instrument: type | None = None,
        **changes: Any,
    ) -> InstrumentKit:
        """Make a kit that differs from the generated one in what is given, and is consistent otherwise."""
        translator = translator or self.Translator
        make_camera = make_camera or self.camera.make_camera
        reader = type(
            "Reader",
            (formatter or self.Formatter,),
            {"translator": translator}
            | ({} if make_camera is self.camera.make_camera else {"camera": staticmethod(make_camera)}),
        )
        reader.__module__ = MADE
        reader.__qualname__ = reader.__name__ = f"Reader{next(self._number)}"
        cls = type(
            f"Wrong{next(self._number)}",
            (instrument or self.Instrument,),
            {
                "__module__": MADE,
                "translatorClass": translator,
                "getRawFormatter": lambda self, data_id: reader,
                "camera": classmethod(lambda cls: make_camera(1)),
            },
        )
        for made in (reader, cls):
            setattr(self._made, made.__name__, made)
        values: dict[str, Any] = {
            "instrument_class": cls,
            "translator": translator,
            "make_camera": make_camera,
            "write_raw": self.writer.write_raw,
            "capabilities": frozenset(
                {Capability.IMAGES, Capability.VISITS, Capability.CALIBRATIONS, Capability.PIPELINES}
            ),
            "repository_config": REPOSITORY_CONFIG,
            "pipelines": self.right.pipelines,
        }
        return InstrumentKit(**values | changes)

    def plugins(self, kit: InstrumentKit) -> Plugins:
        """Return the installed plugins and this one, with a kit of ours in place of the generated one."""

        @hookimpl
        def harness_instruments() -> list[InstrumentKit]:
            return [kit]

        hooks = types.SimpleNamespace(
            harness_instruments=harness_instruments, harness_datasets=self.plugin.harness_datasets
        )
        plugins = load_plugins()
        plugins.add("toycam", lambda: hooks, "gen3-harness-toycam", "0.1.0")
        return plugins

    def with_detectors(self, scale: int, change: Callable[[Any], Any]) -> Any:
        """Return the camera with other detectors."""
        camera = self.camera.make_camera(scale)
        return camera.model_copy(update={"detectors": tuple(change(camera.detectors))})

    def cameras(self, change: Callable[[Any], Any]) -> Callable[[int], Any]:
        """Return a maker of cameras whose detectors are changed."""

        def make_camera(scale: int = 1) -> Any:
            return self.with_detectors(scale, lambda detectors: map(change, detectors))

        return make_camera

    def amplifiers(self, change: Callable[[Any], Any]) -> Callable[[int], Any]:
        """Return a maker of cameras whose amplifiers are changed."""
        return self.cameras(lambda d: d.model_copy(update={"amplifiers": tuple(map(change, d.amplifiers))}))


@contextmanager
def registry_kept() -> Iterator[None]:
    """Take translators that are defined in the block out of the registry again."""
    before = dict(MetadataTranslator.translators)
    try:
        yield
    finally:
        MetadataTranslator.translators.clear()
        MetadataTranslator.translators.update(before)
