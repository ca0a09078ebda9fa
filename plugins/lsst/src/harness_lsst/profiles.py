"""What the headers of one of the observatory's cameras say that others don't."""

from __future__ import annotations

import dataclasses

from harness.instrument.horizon import Site

__all__ = ["COMCAM", "COMCAM_SIM", "LATISS", "LSSTCAM", "Profile"]


@dataclasses.dataclass(frozen=True)
class Profile:
    """Constants of the headers of one camera, as real headers have them.

    Parameters
    ----------
    name : `str`
        Name of the instrument.
    code : `str`
        CAMCODE: how names of exposures begin.
    instrume, telescop, platform, partition, stand : `str` or `None`
        Values of the keys INSTRUME, TELESCOP, PLATFORM, DAQPART and TSTAND.
    site : `~harness.instrument.horizon.Site`
        OBS-LONG, OBS-LAT and OBS-ELEV.
    geocentric : `tuple` [`float`, `float`, `float`]
        OBSGEO-X, -Y and -Z (m).
    simulated : `tuple` [`str`, ...]
        Systems that say in a SIMULATE key whether they are simulated.
    raft : `str`, optional
        Raft that its headers and file names have, if not the detector's.
    grating : `bool`, optional
        Whether physical filters are of a filter and a grating, ``A~B``.
    """

    name: str
    code: str
    instrume: str
    telescop: str
    platform: str
    partition: str
    stand: str | None
    site: Site
    geocentric: tuple[float, float, float]
    simulated: tuple[str, ...]
    raft: str = ""
    grating: bool = False


_SIMONYI = Site(longitude=-70.749417, latitude=-30.244639, height=2663.0)
_SIMONYI_GEO = (1818938.94, -5208470.95, -3195172.08)
_SIMONYI_SYSTEMS = (
    "MTMOUNT", "MTM1M3", "MTM2", "CAMHEXAPOD", "M2HEXAPOD", "MTROTATOR", "MTDOME", "MTDOMETRAJECTORY"
)  # fmt: skip

LATISS = Profile(
    name="LATISS",
    code="AT",
    instrume="LATISS",
    telescop="LSST AuxTelescope",
    platform="auxtel",
    partition="lat",
    stand=None,
    site=Site(longitude=-70.747698, latitude=-30.244728, height=2663.0),
    geocentric=(1819093.52, -5208408.1, -3195186.45),
    simulated=("ATMCS", "ATHEXAPOD", "ATPNEUMATICS", "ATDOME", "ATSPECTROGRAPH"),
    raft="R00",
    grating=True,
)

COMCAM = Profile(
    name="LSSTComCam",
    code="CC",
    instrume="ComCam",
    telescop="Simonyi Survey Telescope",
    platform="comcam",
    partition="cc",
    stand="TMACCv1_SUM",
    site=_SIMONYI,
    geocentric=_SIMONYI_GEO,
    simulated=_SIMONYI_SYSTEMS,
)

COMCAM_SIM = dataclasses.replace(
    COMCAM, name="LSSTComCamSim", instrume="ComCamSim", partition="emu", stand="EOCCv2_SUM"
)

LSSTCAM = Profile(
    name="LSSTCam",
    code="MC",
    instrume="lsstCam",
    telescop="Simonyi Survey Telescope",
    platform="lsstcam",
    partition="camera",
    stand="TMAMCv1_SUM",
    site=_SIMONYI,
    geocentric=_SIMONYI_GEO,
    simulated=_SIMONYI_SYSTEMS,
)
