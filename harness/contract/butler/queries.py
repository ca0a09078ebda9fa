"""Queries: what does not constrain changes nothing, and what does is what a filter in Python gives."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ..base import contract
from .answers import ANSWERS
from .observed import observed

if TYPE_CHECKING:
    from ..lab import Lab

__all__ = ["PROPERTIES"]


NEUTRAL: dict[str, tuple[str, ...]] = {
    "detector": (
        "detector > 0",
        "detector IN (1..3)",
        "detector IN (1, 2, 3, 4)",
        "detector IN (1..5:2) OR detector = 2",
        "detector < 2 OR detector >= 2",
        "NOT (detector < 1)",
        "detector.raft = 'R0'",
        "detector.purpose = 'SCIENCE'",
        "detector != 77",
    ),
    "exposure": (
        "exposure > 10 AND exposure < 15",
        "exposure IN (11..14)",
        "exposure.exposure_time > 0.0",
        "exposure.observation_type = 'science'",
        "exposure.timespan OVERLAPS (T'2029-01-01', T'2031-01-01')",
        "exposure.seq_num < 1000",
    ),
    "visit": (
        "visit >= 11",
        "visit IN (11, 12, 14)",
        "visit.exposure_time > 1.5",
        "visit.timespan OVERLAPS (T'2029-01-01', T'2031-01-01')",
        "visit.science_program = 'contract'",
        "(visit = 11 OR visit = 12) OR visit = 14",
    ),
    "day_obs": ("day_obs > 20000101", "day_obs IN (20300101, 20300102)"),
    "physical_filter": ("physical_filter IN ('f-one', 'f-two')", "physical_filter != 'f'"),
    "band": ("band IN ('g', 'r', 'i')", "band = 'g' OR band = 'r' OR band = 'i'", "band != 'y'"),
    "tract": ("tract IN (0..1)", "tract >= 0", "tract = 0 OR tract = 1"),
    "patch": ("patch < 4", "patch IN (0, 1, 2, 3)", "patch.cell_x >= 0", "tract >= 0 AND patch >= 0"),
}
"""For each dimension expressions that hold for all of its records in the world."""


def governed(dimensions: Any) -> str:
    """Return the constraint without which the middleware refuses to constrain what depends on an instrument."""
    parts = [f"{g} = '{v}'" for g, v in (("instrument", "CamA"), ("skymap", "sky-x")) if g in dimensions]
    return " AND ".join(parts) or "band != 'none'"


@contract("contract.query.neutral-constraints", title="A constraint that holds for everything changes no answer")
def neutral_constraints(lab: Lab) -> None:
    """Users add constraints that they know to be true, and tools add them without asking. A query that then gives
    less makes an empty graph out of a full one.
    """
    butler = observed(lab)
    for name in lab.some(("raw", "calexp", "warp", "coadd", "filtered")):
        dimensions = butler.get_dataset_type(name).dimensions
        base = governed(dimensions.names)
        plain = {r.id for r in butler.query_datasets(name, "run", where=base)}
        lab.expect(bool(plain), f"no {name} at all where {base}")
        tried = [w for d in dimensions.names for w in NEUTRAL.get(d, ())]
        pairs = [f"({a}) AND ({b})" for a, b in zip(tried, reversed(tried), strict=True)]
        chosen = lab.rng.sample(tried, lab.few(min(6, len(tried)))) + lab.rng.sample(pairs, lab.few(min(2, len(pairs))))
        for extra in chosen:
            where = f"{base} AND ({extra})"
            with lab.step(f"query {name} where {where}"):
                got = butler.query_datasets(name, "run", where=where, explain=False)
                lab.equal({r.id for r in got}, plain, "query_datasets")
                got = butler.query_datasets(name, "run", where=f"({extra}) AND {base}", explain=False)
                lab.equal({r.id for r in got}, plain, "query_datasets, the other way round")
                old = butler.registry.queryDatasets(name, collections="run", where=where)
                lab.equal({r.id for r in old}, plain, "queryDatasets")
                found = butler.registry.queryDataIds(
                    list(dimensions.required), where=where, datasets=name, collections="run"
                )
                lab.equal(len({d.required_values for d in found}), len(plain), "queryDataIds with a dataset")


@contract("contract.query.neutral-options", title="Options that do not constrain change no answer")
def neutral_options(lab: Lab) -> None:
    """An order, a limit that is not reached, records in addition, a join with what is implied anyway, a second
    dataset that is always there: none of them says which datasets are wanted.
    """
    butler = observed(lab)
    for name in ("raw", "calexp", "warp", "coadd", "filtered", "camera"):
        dimensions = butler.get_dataset_type(name).dimensions
        plain = sorted(r.id for r in butler.query_datasets(name, "run"))
        ways: dict[str, Any] = {
            "order": {"order_by": [f"-{d}" for d in dimensions.required]},
            "limit": {"limit": 10_000},
            "no limit": {"limit": None},
            "records": {"with_dimension_records": True},
            "all collections": {"collections": ["run", "other"]},
            "find_first": {"find_first": False},
            "empty where": {"where": ""},
            "unused bind": {"bind": {"nothing": 1}},
            "empty data ID": {"data_id": {}},
        }
        for way, options in ways.items():
            with lab.step(f"query {name} with {way}"):
                got = butler.query_datasets(name, **{"collections": "run", "explain": False, **options})
                lab.equal(sorted(r.id for r in got), plain, "query_datasets")
        with lab.step(f"query {name} joined with its own dimensions"), butler.query() as query:
            got = list(query.join_dimensions(dimensions.names).datasets(name, "run"))
            lab.equal(sorted(r.id for r in got), plain, "query.datasets")
        if "instrument" in dimensions:
            with lab.step(f"query {name} joined with a dataset of each instrument"), butler.query() as query:
                got = list(query.join_dataset_search("camera", "run").datasets(name, "run"))
                lab.equal(sorted(r.id for r in got), plain, "query.datasets")
                ids = query.join_dataset_search("camera", "run").join_dataset_search(name, "run")
                lab.equal(ids.data_ids(dimensions.names).count(), len(plain), "count of data IDs")
        if "detector" in dimensions:
            with lab.step(f"query {name} joined with the filters"), butler.query() as query:
                got = list(query.join_dataset_search("filtered", "run").datasets(name, "run"))
                lab.equal(sorted(r.id for r in got), plain, "query.datasets")


@contract("contract.query.several-instruments", title="Constraints on several instruments at once give the sum of each")
def several_instruments(lab: Lab) -> None:
    """A repository of an observatory has several instruments, with the same numbers in all of them; what is asked of
    both is answered for both.
    """
    butler = observed(lab)
    one = {i: {r.id for r in butler.query_datasets("raw", "run", instrument=i)} for i in ("CamA", "CamB")}
    both = one["CamA"] | one["CamB"]
    lab.equal({r.id for r in butler.query_datasets("raw", "run")}, both, "an instrument's datasets are missing")
    for where in (
        "instrument IN ('CamA', 'CamB')",
        "instrument = 'CamA' OR instrument = 'CamB'",
        "(instrument = 'CamA' AND detector > 0) OR (instrument = 'CamB' AND detector IN (1..3))",
        "(instrument = 'CamA' AND exposure > 0) OR instrument = 'CamB'",
    ):
        with lab.step(f"query raw where {where}"):
            lab.equal({r.id for r in butler.query_datasets("raw", "run", where=where)}, both, "query_datasets")
    where = " OR ".join(f"(instrument = '{i}' AND exposure = 11 AND detector = 1)" for i in ("CamA", "CamB"))
    with lab.step(f"query raw where {where}"):
        wanted = {
            r.id
            for r in butler.query_datasets("raw", "run")
            if r.dataId["exposure"] == 11 and r.dataId["detector"] == 1
        }
        lab.equal({r.id for r in butler.query_datasets("raw", "run", where=where)}, wanted, "query_datasets")
        old = butler.registry.queryDatasets("raw", collections="run", where=where)
        lab.equal({r.id for r in old}, wanted, "queryDatasets")


@contract("contract.query.empty-answers", title="What holds for nothing gives an empty answer, not an error")
def empty_answers(lab: Lab) -> None:
    """Nothing found is an answer; tools that ask for the first night of a new instrument get it."""
    butler = observed(lab)
    for name, where in (
        ("raw", "instrument = 'CamA' AND detector = 99"),
        ("calexp", "instrument = 'CamB' AND visit = 13"),
        ("coadd", "band = 'zz'"),
        ("raw", "instrument = 'CamA' AND exposure.timespan OVERLAPS (T'2019-01-01', T'2019-01-02')"),
        ("unused", ""),
        ("unused", "instrument = 'CamA' AND detector = 1"),
    ):
        with lab.step(f"query {name} where {where or '(nothing)'}"):
            lab.equal(butler.query_datasets(name, "run", where=where, explain=False), [], "query_datasets")
            lab.equal(list(butler.registry.queryDatasets(name, collections="run", where=where)), [], "queryDatasets")
            lab.equal(butler.query_datasets(name, "other", where=where, explain=False), [], "in an empty run")
    with lab.step("query records and data IDs that do not exist"):
        lab.equal(
            butler.query_dimension_records("visit", where="instrument = 'CamA' AND visit = 99", explain=False),
            [],
            "records",
        )
        lab.equal(
            butler.query_data_ids(["visit"], where="instrument = 'CamA' AND visit = 99", explain=False), [], "data IDs"
        )


@contract("contract.query.filters-as-python", title="A constraint gives what the same filter in Python gives")
def filters_as_python(lab: Lab) -> None:
    """The expression language is an interface of its own; each operator must mean what it says, for both query
    systems and for several instruments at once.
    """
    butler = observed(lab)
    records = {(r.instrument, r.id): r for r in butler.registry.queryDimensionRecords("exposure")}
    cases: list[tuple[str, dict[str, Any], Any]] = [
        ("exposure = 11", {}, lambda r, _d: r.id == 11),
        ("physical_filter = 'f-one' OR detector = 2", {}, lambda r, d: r.physical_filter == "f-one" or d == 2),
        ("band = 'r'", {}, lambda r, _d: band(r) == "r"),
        ("band != 'r' AND detector IN (2..3)", {}, lambda r, d: band(r) != "r" and d in (2, 3)),
        ("NOT (band = 'r' OR detector = 1)", {}, lambda r, d: band(r) != "r" and d != 1),
        ("exposure IN (11..14:2)", {}, lambda r, _d: r.id in (11, 13)),
        ("exposure NOT IN (11, 13)", {}, lambda r, _d: r.id not in (11, 13)),
        ("detector = number", {"number": 2}, lambda _r, d: d == 2),
        ("detector IN (numbers)", {"numbers": (1, 3)}, lambda _r, d: d in (1, 3)),
        ("exposure.obs_id = name", {"name": "CamA_12"}, lambda r, _d: r.obs_id == "CamA_12"),
        ("exposure.seq_num >= 13", {}, lambda r, _d: r.seq_num >= 13),
        ("exposure.tracking_ra > 52.5", {}, lambda r, _d: r.tracking_ra > 52.5),
        ("exposure.sky_angle = 0.5 AND exposure.exposure_time < 1e3", {}, lambda _r, _d: True),
        ("exposure.target_name = 'target 12'", {}, lambda r, _d: r.target_name == "target 12"),
        ("detector.full_name = 'R0_S1'", {}, lambda r, d: d == (1 if r.instrument == "CamA" else 3)),
        ("2 < detector", {}, lambda _r, d: d > 2),
        ("detector <= 2 AND exposure != 12", {}, lambda r, d: d <= 2 and r.id != 12),
        ("exposure % 2 = 0", {}, lambda r, _d: r.id % 2 == 0),
        (
            "exposure.timespan OVERLAPS (T'2030-01-01T12:18:21/tai', T'2030-01-01T12:20:05/tai')",
            {},
            lambda r, _d: r.id in (11, 12),
        ),
        ("exposure.timespan OVERLAPS T'2030-01-01T12:18:25/tai'", {}, lambda r, _d: r.id == 11),
        ("exposure.timespan.begin > T'2030-01-02T12:00:00/tai'", {}, lambda r, _d: r.id == 14),
        ("exposure.timespan.end < T'2030-01-01T12:20:31/tai'", {}, lambda r, _d: r.id in (11, 12)),
        ("exposure.has_simulated", {}, lambda _r, _d: True),
        ("NOT exposure.can_see_sky", {}, lambda _r, _d: False),
    ]

    def band(record: Any) -> str:
        from ..world import BANDS

        return BANDS[record.instrument, record.physical_filter]

    everything = list(butler.query_datasets("raw", "run"))
    for instrument in lab.some(("CamA", "CamB")):
        for text, bind, holds in lab.some(cases):
            if "bool" not in {type(getattr(r, "has_simulated", None)).__name__ for r in records.values()} and (
                "simulated" in text or "can_see_sky" in text
            ):
                continue
            where = f"instrument = '{instrument}' AND ({text})"
            with lab.step(f"query raw where {where} {bind or ''}".strip()):
                wanted = {
                    r.id
                    for r in everything
                    if r.dataId["instrument"] == instrument
                    and holds(records[instrument, r.dataId["exposure"]], r.dataId["detector"])
                }
                got = [r.id for r in butler.query_datasets("raw", "run", where=where, bind=bind, explain=False)]
                lab.equal(set(got), wanted, "query_datasets")
                lab.equal(len(got), len(set(got)), "query_datasets gives a dataset twice")
                if "timespan." in text or " % " in text or "sim" in text or "can" in text or "OVERLAPS T" in text:
                    continue  # the old system never had these
                old = [r.id for r in butler.registry.queryDatasets("raw", collections="run", where=where, bind=bind)]
                lab.equal(set(old), wanted, "queryDatasets")


@contract("contract.query.spellings-agree", title="A constraint means the same in every place where it can be given")
def spellings_agree(lab: Lab) -> None:
    """A data ID, keywords, a string and a bound value say the same; tools choose one way, users another."""
    butler = observed(lab)
    for name, values in (
        ("raw", {"instrument": "CamA", "exposure": 12}),
        ("raw", {"instrument": "CamB", "detector": 3}),
        ("calexp", {"instrument": "CamB", "visit": 14}),
        ("coadd", {"skymap": "sky-y", "tract": 1}),
        ("warp", {"instrument": "CamA", "skymap": "sky-x"}),
        ("raw", {"instrument": "CamA", "physical_filter": "f-two"}),
        ("raw", {"instrument": "CamA", "band": "r"}),
        ("coadd", {"band": "r"}),
    ):
        with lab.step(f"query {name} with {values}"):
            plain = list(butler.query_datasets(name, "run", with_dimension_records=True))
            wanted = {r.id for r in plain if all(r.dataId[k] == v for k, v in values.items())}
            text = " AND ".join(f"{k} = {v!r}" for k, v in values.items())
            bound = " AND ".join(f"{k} = p{n}" for n, k in enumerate(values))
            bind = {f"p{n}": v for n, v in enumerate(values.values())}
            ways: dict[str, Any] = {
                "data_id": lambda v=values, n=name: butler.query_datasets(n, "run", data_id=v, explain=False),
                "keywords": lambda v=values, n=name: butler.query_datasets(n, "run", explain=False, **v),
                "where": lambda t=text, n=name: butler.query_datasets(n, "run", where=t, explain=False),
                "bind": lambda t=bound, b=bind, n=name: butler.query_datasets(n, "run", where=t, bind=b, explain=False),
                "old dataId": lambda v=values, n=name: butler.registry.queryDatasets(n, collections="run", dataId=v),
                "old where": lambda t=text, n=name: butler.registry.queryDatasets(n, collections="run", where=t),
                "old keywords": lambda v=values, n=name: butler.registry.queryDatasets(n, collections="run", **v),
            }
            for way, ask in ways.items():
                lab.equal({r.id for r in ask()}, wanted, f"given as {way}")


@contract("contract.query.negative-numbers", title="Negative numbers compare as numbers do")
def negative_numbers(lab: Lab) -> None:
    """Half of the sky has negative declinations."""
    butler = observed(lab)
    plain = {r.id for r in butler.query_datasets("raw", "run", instrument="CamA")}
    for text in ("detector > -1", "exposure.tracking_dec < -9.5", "exposure.tracking_dec = -10.0", "detector != -1"):
        where = f"instrument = 'CamA' AND {text}"
        with lab.step(f"query raw where {where}"):
            lab.equal({r.id for r in butler.query_datasets("raw", "run", where=where)}, plain, "query_datasets")
            old = butler.registry.queryDatasets("raw", collections="run", where=where)
            lab.equal({r.id for r in old}, plain, "queryDatasets")


@contract(
    "contract.query.irrelevant-constraints", title="A constraint on what a dataset does not depend on changes nothing"
)
def irrelevant_constraints(lab: Lab) -> None:
    """One constraint is given for all inputs of a pipeline; some of them have none of its dimensions."""
    butler = observed(lab)
    instrument, sky = "instrument = 'CamA'", "skymap = 'sky-x'"
    for name, extras in (
        ("global", (instrument, sky, f"{instrument} AND {sky}", f"{instrument} AND visit = 11", "band = 'g'")),
        ("camera", (sky, f"{sky} AND tract = 0", "band = 'g'")),
        ("filtered", (sky, f"{sky} AND tract = 1 AND patch = 2")),
        ("raw", (sky, f"{sky} AND tract = 0")),
        ("coadd", (instrument, f"{instrument} AND detector = 1")),
    ):
        base = governed(butler.get_dataset_type(name).dimensions.names)
        base = "" if name == "global" else f"{base} AND "
        plain = {r.id for r in butler.query_datasets(name, "run", where=base.removesuffix(" AND "))}
        for extra in extras:
            if "band" in extra and name == "camera":
                continue  # a band is implied by a filter of the instrument: not irrelevant
            with lab.step(f"query {name} where {base}{extra}"):
                got = butler.query_datasets(name, "run", where=base + extra, explain=False)
                lab.equal({r.id for r in got}, plain, "query_datasets")
                old = butler.registry.queryDatasets(name, collections="run", where=base + extra)
                lab.equal({r.id for r in old}, plain, "queryDatasets")
    # a collection that knows one instrument and one sky map only, and constraints on the others
    butler.put({}, "coadd", skymap="sky-x", tract=0, patch=1, band="g", run="other")
    butler.put({}, "camera", instrument="CamA", run="other")
    butler.put({}, "global", run="other")
    for name, data_id in (
        ("coadd", {"instrument": "CamB"}),
        ("camera", {"skymap": "sky-y"}),
        ("global", {"instrument": "CamB"}),
        ("global", {"skymap": "sky-y"}),
    ):
        with lab.step(f"query {name} with {data_id} in a collection without these"):
            plain = {r.id for r in butler.query_datasets(name, "other")}
            got = butler.query_datasets(name, "other", data_id=data_id, explain=False)
            lab.equal({r.id for r in got}, plain, "query_datasets with a data ID")
            where = " AND ".join(f"{k} = '{v}'" for k, v in data_id.items())
            got = butler.query_datasets(name, "other", where=where, explain=False)
            lab.equal({r.id for r in got}, plain, "query_datasets")


@contract(
    "contract.query.once-without-dimensions", title="A dataset without dimensions is listed once, whatever is joined"
)
def once_without_dimensions(lab: Lab) -> None:
    """A constraint that several tracts or exposures meet still names one dataset if that depends on none of them."""
    butler = observed(lab)
    for where in ("skymap = 'sky-x' AND patch = 0", "instrument = 'CamA' AND exposure > 0", "band IN ('g', 'r')"):
        with lab.step(f"query global where {where}"):
            got = butler.query_datasets("global", "run", where=where, explain=False)
            lab.equal(len(got), 1, "query_datasets")


PROPERTIES = (
    irrelevant_constraints,
    once_without_dimensions,
    negative_numbers,
    neutral_constraints,
    neutral_options,
    several_instruments,
    empty_answers,
    filters_as_python,
    spellings_agree,
    *ANSWERS,
)
