"""The ``butler`` command line: each verb does what its name says, and lists what the interface lists."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ..base import contract
from .scene import CALIB, PLAIN, make_scene, span
from .shell import members, rows, run

if TYPE_CHECKING:
    from ..lab import Lab

__all__ = ["PROPERTIES"]


@contract("contract.command.listings", title="Listings on the command line show what the interface gives, in order")
def listings(lab: Lab) -> None:
    """What people see of a repository is what these commands print; order in a chain is the order of search."""
    scene = make_scene(lab)
    root = lab.root / "scene"
    butler = scene.butler
    with lab.step("query-collections"):
        names = {r[0] for r in rows(run(lab, "query-collections", root, "--chains", "no-children"))}
        lab.equal(names, {*scene.members, *scene.ranges, *scene.chains}, "names listed")
        for mode in ("flatten",):
            got = [r[0] for r in rows(run(lab, "query-collections", root, "chain2", "--chains", mode))]
            expected = scene.flat("chain2")
            lab.equal([n for n in got if n in expected], expected, f"children in mode {mode}")
        tree = [r[0] for r in rows(run(lab, "query-collections", root, "chain2", "--chains", "tree"))]
        lab.equal(tree, ["chain2", "cal1", "chain1", "run2", "tag1", "empty", "cal2"], "children in mode tree")
        table = run(lab, "query-collections", root, "chain2", "--chains", "table")
        seen = [w for r in rows(table) for w in r if w in scene.chains["chain2"]]
        lab.equal(seen, list(scene.chains["chain2"]), "children in mode table")
        kinds = {r[0] for r in rows(run(lab, "query-collections", root, "--collection-type", "calibration"))}
        lab.equal(kinds, {"cal1", "cal2"}, "collections of type CALIBRATION")
    with lab.step("query-dataset-types"):
        types = {r[0] for r in rows(run(lab, "query-dataset-types", root))}
        lab.equal(types, {CALIB, PLAIN}, "dataset types listed")
    with lab.step("query-datasets"):
        for path in lab.some((["run1"], ["run1", "run2"], ["chain1"], ["tag1", "run1"])):
            out = run(lab, "query-datasets", root, PLAIN, "--collections", ",".join(path), "--find-first")
            ids = {w for r in rows(out) for w in r if len(w) == 36}
            wanted = {str(scene.find(PLAIN, d, path)) for d in (1, 2, 3)} - {"None"}
            lab.equal(ids, wanted, f"first datasets in {path}")
            out = run(lab, "query-datasets", root, PLAIN, "--collections", ",".join(path))
            ids = {w for r in rows(out) for w in r if len(w) == 36}
            lab.equal(ids, {str(i) for i in scene.all(PLAIN, path)}, f"all datasets in {path}")
        out = run(lab, "query-datasets", root, "--collections", "run1", "--where", "instrument='CamA' AND detector=2")
        ids = {w for r in rows(out) for w in r if len(w) == 36}
        lab.equal(ids, {str(scene.members["run1"][n, 2].id) for n in (PLAIN, CALIB)}, "datasets of a constraint")
        out = run(lab, "query-datasets", root, PLAIN, "--collections", "run1", "--show-uri")
        uris = {w.rsplit("/", 1)[-1] for r in rows(out) for w in r if w.startswith("file:")}
        wanted = {butler.getURI(scene.members["run1"][PLAIN, d]).basename() for d in (1, 2)}
        lab.equal(uris, wanted, "URIs of datasets")
    with lab.step("query-data-ids"):
        out = run(lab, "query-data-ids", root, "exposure", "--where", "instrument='CamB'")
        found = {w for r in rows(out) for w in r if w in ("11", "12", "13", "14")}
        lab.equal(found, {"11", "12", "13", "14"}, "data IDs listed")
        lab.expect("CamA" not in out, "data IDs of another instrument are listed")
        out = run(lab, "query-data-ids", root, "detector", "--collections", "run1", "--datasets", PLAIN)
        lab.equal(sorted(r[-1] for r in rows(out)), ["1", "2"], "data IDs with a dataset")
    with lab.step("query-dimension-records"):
        out = run(
            lab, "query-dimension-records", root, "detector", "--where", "instrument='CamA'", "--order-by", "-detector"
        )
        lab.equal([r[1] for r in rows(out)], ["3", "2", "1"], "records in order")
        out = run(lab, "query-dimension-records", root, "exposure", "--where", "instrument='CamA'", "--limit", "2")
        lab.equal(len({r[1] for r in rows(out) if r[0] == "CamA"}), 2, "records within a limit")


@contract("contract.command.chains", title="The command collection-chain does to a chain what its mode says")
def chains(lab: Lab) -> None:
    """Chains are edited while others use them; what a mode does not name must stay, in its place."""
    from lsst.daf.butler import CollectionType

    names = [f"r{n}" for n in range(6)]
    butler = lab.repository(runs=names)
    root = lab.root / "repo"
    butler.registry.registerCollection("inner", CollectionType.CHAINED)
    butler.registry.setCollectionChain("inner", ["r4", "r5"])
    cases: list[tuple[str, list[str], list[str], list[str]]] = [
        ("redefine", ["r0", "r1"], [], ["r0", "r1"]),
        ("redefine", ["r2", "r0", "inner"], [], ["r2", "r0", "inner"]),
        ("extend", ["r1"], [], ["r2", "r0", "inner", "r1"]),
        ("extend", ["r2"], [], ["r0", "inner", "r1", "r2"]),
        ("prepend", ["r3"], [], ["r3", "r0", "inner", "r1", "r2"]),
        ("prepend", ["r1", "r2"], [], ["r1", "r2", "r3", "r0", "inner"]),
        ("remove", ["r3"], [], ["r1", "r2", "r0", "inner"]),
        ("pop", [], [], ["r2", "r0", "inner"]),
        ("pop", ["1"], [], ["r2", "inner"]),
        ("pop", ["--", "-1"], [], ["r2"]),
        ("extend", ["inner"], ["--flatten"], ["r2", "r4", "r5"]),
        ("redefine", ["inner", "r0"], [], ["inner", "r0"]),
        ("prepend", ["r1"], ["--flatten"], ["r1", "inner", "r0"]),
        ("extend", ["r3"], ["--flatten"], ["r1", "inner", "r0", "r3"]),
        ("remove", ["r1", "r0"], [], ["inner", "r3"]),
    ]
    for mode, children, options, expected in cases[: lab.few(len(cases))]:
        with lab.step(f"collection-chain --mode {mode} {' '.join(options)} {','.join(children)}"):
            words = children if mode == "pop" else [",".join(children)]
            out = run(lab, "collection-chain", root, "chain", *options, "--mode", mode, *words)
            got = list(lab.open(butler).registry.getCollectionChain("chain"))
            lab.equal(got, expected, "children of the chain")
            lab.expect(
                str(expected).replace("'", "") in out.replace("'", ""), "what is printed", seen=out, expected=expected
            )
    with lab.step("a chain is given a child that does not exist"), lab.unchanged(butler, "a refused command"):
        run(lab, "collection-chain", root, "chain", "nowhere", fails=True)


@contract("contract.command.changes", title="Commands that change collections change what they name, and nothing else")
def changes(lab: Lab) -> None:
    """Operators work with these commands; each must do the one thing that it says, and say so if it does not."""
    scene = make_scene(lab)
    butler, root = scene.butler, lab.root / "scene"
    with lab.step("associate"):
        run(lab, "associate", root, "tag2", "--dataset-type", PLAIN, "--collections", "run1")
        wanted = {scene.members["run1"][PLAIN, d].id for d in (1, 2)}
        lab.equal(members(lab, butler, PLAIN, "tag2"), wanted, "members of the tag")
        lab.equal(members(lab, butler, CALIB, "tag2"), set(), "members of another type")
    with lab.step("certify-calibrations"):
        run(
            lab,
            "certify-calibrations",
            root,
            "new",
            "cal3",
            CALIB,
            "--begin-date",
            "2030-01-01T00:00:00",
            "--end-date",
            "2030-01-02T00:00:00",
        )
        got = lab.open(butler).registry.queryDatasetAssociations(CALIB, collections="cal3")
        seen = {(a.ref.id, str(a.timespan)) for a in got}
        wanted = {(scene.members["new"][CALIB, d].id, "[2030-01-01T00:00:00, 2030-01-02T00:00:00)") for d in (1, 2, 3)}
        lab.equal(seen, wanted, "certifications")
    with lab.step("register-dataset-type and remove-dataset-type"):
        run(lab, "register-dataset-type", root, "other", "StructuredDataDict", "instrument", "visit")
        got = lab.open(butler).get_dataset_type("other")
        lab.equal(set(got.dimensions.required), {"instrument", "visit"}, "dimensions of the new type")
        run(lab, "register-dataset-type", root, "othercal", "StructuredDataDict", "instrument", "--is-calibration")
        lab.equal(lab.open(butler).get_dataset_type("othercal").isCalibration(), True, "calibration")
        run(lab, "remove-dataset-type", root, "other", "othercal")
        left = {t.name for t in lab.open(butler).registry.queryDatasetTypes()}
        lab.equal(left, {PLAIN, CALIB}, "types left")
    with lab.step("remove-collections"):
        run(lab, "remove-collections", root, "tag2", "--no-confirm")
        names = set(lab.open(butler).registry.queryCollections())
        lab.equal(names, {*scene.members, *scene.ranges, *scene.chains, "cal3"}, "collections left")
    with lab.step("remove-collections of one in a chain"), lab.unchanged(butler, "a refused command"):
        run(lab, "remove-collections", root, "cal1", "--no-confirm", fails=True)
    with lab.step("remove-runs"):
        lone = butler.registry.registerRun("lone")
        lab.equal(lone, True, "registerRun")
        ref = butler.put({}, PLAIN, instrument="CamB", detector=1, run="lone")
        path = butler.getURI(ref).ospath
        run(lab, "remove-runs", root, "lone", "--no-confirm")
        lab.expect("lone" not in set(lab.open(butler).registry.queryCollections()), "the run is still there")
        from pathlib import Path

        lab.expect(not Path(path).exists(), "its file is still there", where=path)
        lab.equal(len(members(lab, butler, PLAIN, "run1")), 2, "datasets of another run")


@contract("contract.command.prune", title="The command prune-datasets removes what it names, in each of its modes")
def prune(lab: Lab) -> None:
    """It is how space is won back; it must remove the files that it says, keep the others, and do nothing in a dry
    run.
    """
    butler = lab.repository(
        runs=["a", "b"], types={"thing": ("instrument", "detector"), "other": ("instrument", "detector")}
    )
    from lsst.daf.butler import CollectionType

    root = lab.root / "repo"
    refs = {
        (t, r, d): butler.put({"r": r}, t, instrument="CamA", detector=d, run=r)
        for t in ("thing", "other")
        for r in ("a", "b")
        for d in (1, 2, 3)
    }
    butler.registry.registerCollection("tag", CollectionType.TAGGED)
    butler.registry.associate("tag", [refs["thing", "a", d] for d in (1, 2)])

    def check(what: str, gone: set[Any], unstored: set[Any], tagged: set[Any]) -> None:
        fresh = lab.open(butler)
        ids = {refs[k].id for k in refs if k not in gone}
        seen = {
            r.id
            for t in ("thing", "other")
            for r in fresh.query_datasets(t, ["a", "b"], find_first=False, explain=False)
        }
        lab.equal(seen, ids, f"{what}: datasets")
        stored = {k for k, r in refs.items() if k not in gone and fresh.stored(r)}
        lab.equal(stored, {k for k in refs if k not in gone | unstored}, f"{what}: stored")
        lab.equal(members(lab, butler, "thing", "tag"), {refs[k].id for k in tagged}, f"{what}: tagged")
        for key in stored:
            lab.equal(fresh.get(refs[key]), {"r": key[1]}, f"{what}: value")

    tags = {("thing", "a", 1), ("thing", "a", 2)}
    first, second, third = ("thing", "a", 1), ("thing", "a", 2), ("other", "b", 3)
    where = "instrument='CamA' AND detector={}"
    with lab.step("prune-datasets --dry-run"), lab.unchanged(butler, "a dry run"):
        run(lab, "prune-datasets", root, "a", "--purge", "a", "--datasets", "thing", "--dry-run")
    with lab.step("prune-datasets --unstore"):
        run(
            lab,
            "prune-datasets",
            root,
            "a",
            "--unstore",
            "--datasets",
            "thing",
            "--where",
            where.format(1),
            "--no-confirm",
        )
        check("unstore", set(), {first}, tags)
    with lab.step("prune-datasets --disassociate"):
        run(
            lab,
            "prune-datasets",
            root,
            "tag",
            "--disassociate",
            "tag",
            "--datasets",
            "thing",
            "--where",
            where.format(2),
            "--no-confirm",
        )
        check("disassociate", set(), {first}, {first})
    with lab.step("prune-datasets --purge"):
        run(
            lab,
            "prune-datasets",
            root,
            "a",
            "--purge",
            "a",
            "--datasets",
            "thing",
            "--where",
            where.format(2),
            "--no-confirm",
        )
        check("purge", {second}, {first}, {first})
    with lab.step("prune-datasets --purge --quiet"):
        run(
            lab,
            "prune-datasets",
            root,
            "b",
            "--purge",
            "b",
            "--datasets",
            "other",
            "--where",
            where.format(3),
            "--quiet",
            "--no-confirm",
        )
        check("purge quietly", {second, third}, {first}, {first})


@contract("contract.command.files", title="Commands that bring files in or out keep their contents")
def files(lab: Lab) -> None:
    """Files go in with ``ingest-files``, out with ``retrieve-artifacts`` and ``export-calibs``, across with
    ``transfer-datasets``.
    """
    import json

    scene = make_scene(lab)
    butler, root = scene.butler, lab.root / "scene"
    with lab.step("ingest-files"):
        lines = ["filename,instrument,detector"]
        for d in (1, 2):
            path = lab.root / f"in{d}.yaml"
            path.write_text(json.dumps({"in": d}))
            lines.append(f"{path},CamB,{d}")
        table = lab.root / "table.csv"
        table.write_text("\n".join(lines) + "\n")
        run(
            lab,
            "ingest-files",
            root,
            PLAIN,
            "ingested",
            table,
            "--transfer",
            "copy",
            "--formatter",
            "lsst.daf.butler.formatters.yaml.YamlFormatter",
        )
        fresh = lab.open(butler)
        for d in (1, 2):
            lab.equal(fresh.get(PLAIN, instrument="CamB", detector=d, collections="ingested"), {"in": d}, "value")
    with lab.step("retrieve-artifacts"):
        out = lab.root / "out"
        run(
            lab,
            "retrieve-artifacts",
            root,
            f"{out}/",
            "--dataset-type",
            PLAIN,
            "--collections",
            "run1",
            "--transfer",
            "copy",
        )
        got = sorted(p.read_text() for p in out.rglob("*.yaml"))
        wanted = sorted(butler.getURI(scene.members["run1"][PLAIN, d]).read().decode() for d in (1, 2))
        lab.equal(got, wanted, "contents of the files")
    with lab.step("transfer-datasets"):
        target = lab.repository("target", world=False)
        run(
            lab,
            "transfer-datasets",
            root,
            lab.root / "target",
            "--dataset-type",
            PLAIN,
            "--collections",
            "run1",
            "--register-dataset-types",
            "--transfer-dimensions",
            "--transfer",
            "copy",
        )
        for d in (1, 2):
            ref = scene.members["run1"][PLAIN, d]
            lab.equal(lab.open(target).get(ref), butler.get(ref), "value")
        lab.equal(members(lab, target, PLAIN, "run1"), {scene.members["run1"][PLAIN, d].id for d in (1, 2)}, "datasets")
    with lab.step("export-calibs and butler import"):
        out = lab.root / "calibs"
        run(lab, "export-calibs", root, out, "cal1", "--transfer", "copy")
        other = lab.repository("imported", world=True)
        run(lab, "import", lab.root / "imported", out, "--export-file", out / "export.yaml", "--transfer", "copy")
        items = lab.open(other).registry.queryDatasetAssociations(CALIB, collections="cal1")
        seen = {(a.ref.id, a.timespan) for a in items}
        lab.equal(seen, {(r.id, span(b, e)) for _, b, e, r in scene.ranges["cal1"]}, "certifications")
    with lab.step("create"):
        run(lab, "create", lab.root / "created")
        lab.equal(
            list(lab.open(lab.root / "created").registry.queryCollections()), [], "collections of a new repository"
        )
        run(lab, "create", lab.root / "created", fails=True)
    with lab.step("config-dump and config-validate"):
        lab.expect("datastore" in run(lab, "config-dump", root), "no datastore in the configuration")
        run(lab, "config-validate", root)


PROPERTIES = (listings, chains, changes, prune, files)
