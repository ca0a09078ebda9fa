"""Raw files without a repository: what of them the harness can use as they are, and what would need work.

It answers a question of the minutes of the data-model meeting, whether images of wavefront sensors need anything
else than other raws do: every property that the bootstrap, the pairing or the pipeline relies on is looked at.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from ..bootstrap.ingest.files import read_headers
from ..bootstrap.ingest.reasons import BadRaw
from ..bootstrap.ingest.records import build_records
from ..bootstrap.ingest.translate import Translators, identify, translate
from ..errors import HarnessError
from ..instrument.camera import Purpose
from ..instrument.kit import Capability
from .corners import partners
from .pairing import FocusedExposure
from .plan import CWFS

if TYPE_CHECKING:
    from astro_metadata_translator import MetadataTranslator, ObservationInfo

    from ..bootstrap.ingest.header import RawHeader
    from ..bootstrap.ingest.translate import Frame
    from ..instrument.camera import Detector
    from ..instrument.kit import InstrumentKit

__all__ = ["Inspected", "Item", "compare_halves", "inspect_file"]


@dataclasses.dataclass(frozen=True)
class Item:
    """One thing that was looked at.

    Parameters
    ----------
    name : `str`
        What.
    text : `str`
        What was found, in one line.
    work : `bool`
        Whether it needs work.
    """

    name: str
    text: str
    work: bool = False


@dataclasses.dataclass
class Inspected:
    """A file, and what was found in it.

    Parameters
    ----------
    path : `str`
        The file.
    items : `list` [`Item`]
        What was looked at.
    kit : `~harness.instrument.kit.InstrumentKit`, optional
        Its instrument.
    detector : `~harness.instrument.camera.Detector`, optional
        Its detector.
    exposure : `~harness.wavefront.pairing.FocusedExposure`, optional
        Its exposure, as far as pairing needs it.
    kind : `str`
        Its type of observation.
    """

    path: str
    items: list[Item] = dataclasses.field(default_factory=list)
    kit: InstrumentKit | None = None
    detector: Detector | None = None
    exposure: FocusedExposure | None = None
    kind: str = ""

    @property
    def needs_work(self) -> bool:
        """Whether anything does (`bool`)."""
        return any(item.work for item in self.items)

    def add(self, name: str, text: str, work: bool = False) -> None:
        """Note something."""
        self.items.append(Item(name, text, work))


def inspect_file(path: str, kits: Mapping[str, InstrumentKit]) -> Inspected:
    """Look at one raw file.

    Parameters
    ----------
    path : `str`
        The file.
    kits : `~collections.abc.Mapping` [`str`, `~harness.instrument.kit.InstrumentKit`]
        The installed instruments, by name.

    Returns
    -------
    inspected : `Inspected`
        It ends with the first thing without which nothing more can be said.
    """
    out = Inspected(path)
    try:
        headers, size = read_headers(path)
    except BadRaw as error:
        out.add("file", str(error), True)
        return out
    out.add("file", f"{len(headers)} HDUs, {size} bytes, whole")
    header = headers[0]
    translators = Translators([kit.translator for kit in kits.values()])
    try:
        translator = translators.choose(header, path)
        translators.correct(translator, header, path)
        frame = identify(translator, header)
    except BadRaw as error:
        out.add("translator", str(error), True)
        return out
    out.add("translator", f"{translator.__module__}.{translator.__name__}")
    _exposure(out, translator, header, path)
    out.kit = kits.get(frame.instrument)
    if out.kit is None:
        known = ", ".join(sorted(kits)) or "none"
        out.add("instrument", f"no plugin provides {frame.instrument}; installed are {known}", True)
        return out
    out.add("instrument", f"{frame.instrument}, exposure {frame.exposure}")
    _limits(out, out.kit, frame)
    _detector(out, out.kit, frame)
    if out.detector is not None:
        _structure(out, out.kit, out.detector, headers, frame)
        _purpose(out, out.kit, out.detector)
        _focus(out)
    return out


def _exposure(out: Inspected, translator: type[MetadataTranslator], header: RawHeader, path: str) -> None:
    """Translate everything that exposure records are made of."""
    try:
        found = translate(translator, header, path)
        build_records(found.info)
    except BadRaw as error:
        out.add("exposure record", str(error), True)
        return
    info = found.info
    out.kind = str(info.observation_type)
    out.add("exposure record", f"{info.observation_id}, {info.observation_type}, {info.exposure_time_requested}")
    for warning in found.warnings:
        out.add("translation", f"a record can do without it: {warning}")
    out.exposure = _focused(info, _translated_focus(translator, header, path))
    group = str(info.exposure_group or "")
    lonely = group in ("", str(info.exposure_id))
    if lonely and out.kind == CWFS:
        out.add("group", "none is given: the other half cannot be found", True)
    else:
        out.add("group", "of its own" if lonely else group)
    if info.can_see_sky is False:
        out.add("sky", "it does not see the sky: no visit, no donuts", out.kind == CWFS)
    elif info.tracking_radec is None or info.boresight_rotation_angle is None:
        out.add(
            "sky", "no pointing or no rotation: it cannot become a visit", info.observation_type in ("science", CWFS)
        )
    else:
        seen = "sees the sky" if info.can_see_sky else "it is not known whether it sees the sky"
        out.add("sky", f"{seen}; pointing and rotation are known")


def _translated_focus(translator: type[MetadataTranslator], header: RawHeader, path: str) -> float | None:
    """Return the focus (mm) if the header gives one: what a translator says without looking is no measurement."""
    copy = header.copy()
    copy.accessed = set()
    try:
        found = translator(copy, filename=path).to_focus_z()
    except Exception:  # translators raise anything on a missing or a bad value: there is no focus then
        return None
    asked, copy.accessed = copy.accessed, None
    given = any(key in copy and copy[key] is not None for key in asked)
    return float(found.to_value("mm")) if given and found is not None else None


def _focused(info: ObservationInfo, focus: float | None) -> FocusedExposure:
    at, angle = info.tracking_radec, info.boresight_rotation_angle
    return FocusedExposure(
        exposure=int(info.exposure_id),
        group=str(info.exposure_group or info.exposure_id),
        begin=float(info.datetime_begin.tai.unix_tai),
        ra=None if at is None else float(at.icrs.ra.deg),
        dec=None if at is None else float(at.icrs.dec.deg),
        sky_angle=None if angle is None else float(angle.deg),
        focus=focus,
    )


def _limits(out: Inspected, kit: InstrumentKit, frame: Frame) -> None:
    most = kit.instrument_class.exposure_max
    if not 0 <= frame.exposure < most:
        out.add("exposure id", f"{frame.exposure} is not below {most}, the limit of {kit.name}", True)


def _detector(out: Inspected, kit: InstrumentKit, frame: Frame) -> None:
    """Find the detector in the camera."""
    try:
        detector = kit.camera[frame.detector]
    except HarnessError as error:
        out.add("detector", str(error), True)
        return
    out.detector = detector
    # Translators write "None" for the raft of a detector that has none.
    said = (frame.detector_name or detector.name).removeprefix("None_")
    if said != detector.name:
        out.add("detector", f"the header names detector {detector.id} {said}, the camera {detector.name}", True)
    else:
        out.add("detector", f"{detector.id}, {detector.name}")


def _structure(
    out: Inspected, kit: InstrumentKit, detector: Detector, headers: Sequence[RawHeader], frame: Frame
) -> None:
    """Compare HDUs and sections with the amplifiers, as ingest does, and read the pixels."""
    formatter: Any = kit.instrument_class().getRawFormatter(
        {"instrument": kit.name, "exposure": frame.exposure, "detector": frame.detector}
    )
    check = getattr(formatter, "check_structure", None)
    if check is None or Capability.IMAGES not in kit.capabilities:
        out.add("HDUs", "not compared: raws of this instrument are no images")
        return
    try:
        problems = check(headers, detector.id)
    except HarnessError as error:
        out.add("HDUs", str(error), True)
        return
    for problem in problems:
        out.add("HDUs", str(problem), True)
    if not problems:
        out.add("HDUs", f"those of its {len(detector.amplifiers)} amplifiers; names, sizes and sections agree")
        _pixels(out)
    # As ingest does: only simulated files are binned.
    _detsize(out, kit.make_camera(int(headers[0].get("SIMSCALE", 1)))[detector.id], headers[0])


def _pixels(out: Inspected) -> None:
    from astropy.io import fits

    try:
        with fits.open(out.path, memmap=False) as hdus:
            shapes = [hdu.data.shape for hdu in hdus if hdu.is_image and hdu.header.get("NAXIS", 0)]
    except Exception as error:  # astropy raises anything on damaged data; what it says is the answer
        out.add("pixels", f"cannot be read: {type(error).__name__}: {str(error).partition(chr(10))[0]}", True)
    else:
        sizes = sorted({f"{s[-1]} × {s[-2]}" for s in shapes})
        out.add("pixels", f"{len(shapes)} images of {', '.join(sizes)} can be read")


def _detsize(out: Inspected, detector: Detector, header: RawHeader) -> None:
    """Compare the size of the detector in the primary header, which nothing relies on, with the camera."""
    said = header.get("DETSIZE")
    wanted = f"[1:{detector.nx},1:{detector.ny}]"
    if said is None:
        out.add("DETSIZE", "not given, and not needed")
    elif str(said).replace(" ", "") == wanted:
        out.add("DETSIZE", wanted)
    else:
        out.add("DETSIZE", f"{said}, but the detector is {wanted}: not relied on, sizes come from the camera")


def _purpose(out: Inspected, kit: InstrumentKit, detector: Detector) -> None:
    """Say what the detector is for, and which is its other half."""
    if bool(detector.z_mm) != (detector.purpose == Purpose.WAVEFRONT):
        out.add("purpose", f"{detector.purpose}, but it lies {detector.z_mm:+g} mm from the focal plane", True)
        return
    if not detector.z_mm:
        out.add("purpose", f"{detector.purpose}, in the focal plane")
        return
    if kit.camera.optics is None:
        out.add("purpose", f"{detector.purpose}, but the camera says nothing of its optics", True)
        return
    role = kit.camera.optics.role(kit.camera.optics.defocus(detector, 0.0))
    other = partners(kit.camera).get(detector.id)
    if other is None:
        out.add("purpose", f"{detector.purpose}, {role}-focal, without another half in raft {detector.raft}", True)
    else:
        half = kit.camera[other]
        out.add("purpose", f"{detector.purpose}, {role}-focal; its other half is {half.name} ({half.id})")


def _focus(out: Inspected) -> None:
    if out.exposure is None:
        return
    focus = out.exposure.focus
    if focus is not None:
        out.add("focus", f"{focus:+.3f} mm")
    elif out.kind == CWFS:
        out.add("focus", "the header has none that translates: nobody can say which half it is", True)
    elif out.detector is not None and out.detector.z_mm:
        out.add("focus", "the header has none that translates: nobody can say whether the camera was in focus", True)
    else:
        out.add("focus", "not given, and not needed")


def compare_halves(files: Sequence[Inspected]) -> Iterator[tuple[Inspected, Item]]:
    """Say of each file out of focus whether its other half is among the others.

    Parameters
    ----------
    files : `~collections.abc.Sequence` [`Inspected`]
        Files that belong together.
    """
    from .pairing import pair_exposures

    for kit in {id(f.kit): f.kit for f in files if f.kit is not None}.values():
        mine = [f for f in files if f.kit is kit and f.exposure is not None and f.detector is not None]
        other = partners(kit.camera)
        images = {(f.exposure.exposure, f.detector.id) for f in mine if f.exposure and f.detector}
        taken = {f.exposure.exposure: f.exposure for f in mine if f.exposure and f.kind == CWFS}
        pairing = pair_exposures(taken.values(), kit.camera.optics) if kit.camera.optics else None
        for file in mine:
            assert file.exposure is not None
            assert file.detector is not None
            here = (file.exposure.exposure, file.detector.id)
            if file.detector.id in other:
                half = (here[0], other[here[1]])
                yield file, _half(half, half in images)
            elif file.kind == CWFS and pairing is not None:
                pair = pairing.halves.get(here[0])
                if pair is not None:
                    half = (pair.intra if here[0] == pair.extra else pair.extra, here[1])
                    yield file, _half(half, half in images)
                elif here[0] in pairing.in_focus:
                    yield file, Item("pair", "in focus, between two halves")
                else:
                    yield file, Item("pair", pairing.unpaired[here[0]], True)


def _half(half: tuple[int, int], there: bool) -> Item:
    words = f"exposure {half[0]}, detector {half[1]}"
    return Item("pair", f"with {words}" if there else f"one half is missing: {words} is not among the files", not there)
