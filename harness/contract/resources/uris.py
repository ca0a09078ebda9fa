"""URIs and files behind them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ..base import contract

if TYPE_CHECKING:
    from ..lab import Lab

__all__ = ["PROPERTIES"]

NAMES = (
    "plain.txt",
    "a b.txt",
    "a?b.txt",
    "a%b",
    "é.fits",
    "a+b=c&d.txt",
    "a;b",
    "a:b.txt",
    "~x",
    "x.tar.gz",
    ".hidden",
    "[a]",
    "{a}",
    "a'b\"c",
)
SIZE = 1_000_000
"""Size (bytes) of a file that is raced for: large enough that writing it takes time."""

WRITERS = 8
"""Threads that try to write one file at once."""


@contract("contract.uri.names", title="A file of any name is written, listed, copied and read back")
def names(lab: Lab) -> None:
    """Names come from people and from other systems; a character that is taken as a part of the URI loses the file."""
    from lsst.resources import ResourcePath

    root = ResourcePath(str(lab.root / "files"), forceDirectory=True)
    root.mkdir()
    for name in NAMES:
        with lab.step(f"write and read {name!r}"):
            uri = root.join(name, forceDirectory=False)
            uri.write(name.encode())
            lab.equal((lab.root / "files" / name).exists(), True, "the file is not where its name says")
            lab.equal(uri.read(), name.encode(), "content")
            lab.equal(uri.basename(), name, "basename")
            lab.equal(uri.exists(), True, "exists")
            lab.equal(uri.size(), len(name.encode()), "size")
            again = ResourcePath(str(uri), forceDirectory=False)
            lab.equal(again.read(), name.encode(), "content by the URI as text")
            lab.equal(again, uri, "the URI of its own text")
            lab.equal(ResourcePath(uri.ospath, forceDirectory=False), uri, "the URI of its path")
            lab.equal(uri.dirname(), root, "dirname")
            copied = ResourcePath(str(lab.root / "copies"), forceDirectory=True).join(name, forceDirectory=False)
            copied.transfer_from(uri, transfer="copy")
            lab.equal(copied.read(), name.encode(), "content of a copy")
            lab.equal(uri.relative_to(root), name, "relative_to")
    with lab.step("list the files"):
        found = {f for _, _, files in root.walk() for f in files}
        lab.equal(found, set(NAMES), "walk")
        listed = {u.basename() for u in ResourcePath.findFileResources([root])}
        lab.equal(listed, set(NAMES), "findFileResources")
        some = {u.basename() for u in ResourcePath.findFileResources([root], file_filter=r"\.txt$")}
        lab.equal(some, {n for n in NAMES if n.endswith(".txt")}, "findFileResources with a filter")


@contract("contract.uri.percent-signs", title="A name with a percent sign is not decoded twice")
def percent_signs(lab: Lab) -> None:
    """Some systems write names that are encoded already. Decoding them once more names another file, or none."""
    from lsst.resources import ResourcePath

    root = ResourcePath(str(lab.root / "files"), forceDirectory=True)
    root.mkdir()
    for name in ("a%20b.txt", "a%2Fb.txt", "100%25"):
        (lab.root / "files" / name).write_bytes(name.encode())
        with lab.step(f"find {name!r}"):
            found = [u for u in ResourcePath.findFileResources([root]) if u.basename() == name]
            lab.equal(len(found), 1, "findFileResources")
            for uri in found:
                lab.equal(uri.read(), name.encode(), "content")
                lab.equal(uri.relative_to(root), name, "relative_to")
                lab.equal(
                    ResourcePath(str(uri), forceDirectory=False).read(), name.encode(), "content by the URI as text"
                )


@contract("contract.uri.algebra", title="Joining, splitting and changing URIs are each other's inverse")
def algebra(lab: Lab) -> None:
    """Paths are put together and taken apart everywhere; each slash that is lost or doubled is another file."""
    from lsst.resources import ResourcePath

    for base in (
        "file:///a/b/",
        "/a/b/",
        "s3://bucket/a/b/",
        "https://host.example/a/b/",
        "resource://lsst.daf.butler/configs/",
        "mem://x/y/",
    ):
        try:
            root = ResourcePath(base, forceDirectory=True)
        except ImportError:  # what this scheme needs is not installed
            continue
        with lab.step(f"URIs below {base}"):
            lab.equal(bool(root.dirLike), True, "dirLike")
            for parts in (("c",), ("c", "d"), ("c", "d", "e.txt")):
                uri = root
                for part in parts[:-1]:
                    uri = uri.join(part, forceDirectory=True)
                uri = uri.join(parts[-1], forceDirectory=False)
                lab.equal(uri.relative_to(root), "/".join(parts), "relative_to")
                lab.equal(root.join("/".join(parts), forceDirectory=False), uri, "join at once")
                lab.equal(
                    uri.parent() if len(parts) > 1 else root,
                    root.join("/".join(parts[:-1]), forceDirectory=True) if len(parts) > 1 else root,
                    "parent",
                )
                lab.equal(uri.split()[1], parts[-1], "split")
                lab.equal(uri.split()[0].join(uri.split()[1], forceDirectory=False), uri, "join of a split")
                lab.equal(ResourcePath(str(uri), forceDirectory=False), uri, "its own text")
                lab.equal(hash(ResourcePath(str(uri), forceDirectory=False)), hash(uri), "hash of its own text")
            uri = root.join("name.tar.gz", forceDirectory=False)
            lab.equal(uri.updatedExtension(".fits").basename(), "name.fits", "updatedExtension")
            lab.equal(uri.updatedExtension(".fits").getExtension(), ".fits", "getExtension")
            lab.equal(root.join("x.txt").updatedExtension("yaml").basename(), "x.yaml", "extension without a dot")
            lab.equal(uri.updatedFile("other.txt").basename(), "other.txt", "updatedFile")
            lab.equal(uri.updatedFile("other.txt").dirname(), root, "dirname of updatedFile")
            lab.equal(
                root.join("/absolute/x", forceDirectory=False).relativeToPathRoot.lstrip("/") != "",
                True,
                "an absolute path",
            )
            lab.equal(root.relative_to(uri), None, "a folder below its own file")
    with lab.step("sorted and pickled URIs"):
        import pickle

        uris = [ResourcePath(f"file:///x/{n}") for n in "cab"]
        lab.equal([u.basename() for u in sorted(uris)], ["a", "b", "c"], "sorted")
        lab.equal(pickle.loads(pickle.dumps(uris)), uris, "pickled")  # noqa: S301


def _race(lab: Lab, transfer: str, trials: int) -> None:
    """Let several threads transfer files of their own to one target; exactly one must win, and all others be told."""
    import threading

    from lsst.resources import ResourcePath

    for trial in range(trials):
        target = ResourcePath(str(lab.root / f"target-{transfer}-{trial}"), forceDirectory=False)
        sources = []
        for n in range(WRITERS):
            source = lab.root / f"source-{transfer}-{n}"
            source.write_bytes(str(n).encode() * SIZE)
            sources.append(ResourcePath(str(source), forceDirectory=False))
        barrier = threading.Barrier(WRITERS)
        won: list[int] = []
        told: list[str] = []

        def write(
            n: int, to: Any = target, all_: Any = sources, start: Any = barrier, w: Any = won, t: Any = told
        ) -> None:
            start.wait()
            try:
                to.transfer_from(all_[n], transfer=transfer, overwrite=False)
            except FileExistsError:
                return
            except OSError as error:
                t.append(repr(error))
            else:
                w.append(n)

        threads = [threading.Thread(target=write, args=(n,)) for n in range(WRITERS)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        where = f"{WRITERS} threads, transfer {transfer}"
        lab.expect(len(won) == 1, "not exactly one writer won", where=where, seen=len(won), expected=1)
        lab.equal(told, [], "a writer that lost was told something else", where=where)
        if len(won) == 1:
            content = target.read()
            lab.equal(content[:8] + content[-8:], str(won[0]).encode() * 16, "content is not the winner's", where=where)
            lab.equal(len(content), SIZE, "size", where=where)
        target.remove()


@contract("contract.uri.one-writer-wins", title="Of several that write one file without overwriting, exactly one wins")
def one_writer_wins(lab: Lab) -> None:
    """Two processes that put the same dataset at once: one must be told that it lost, or a file is replaced under
    whoever has read it.
    """
    for transfer, trials in (("copy", 12), ("hardlink", 4), ("symlink", 4), ("link", 4)):
        _race(lab, transfer, trials)


@contract(
    "contract.uri.one-mover-wins",
    title="Of several that move a file to one place without overwriting, exactly one wins",
)
def one_mover_wins(lab: Lab) -> None:
    """A file that is moved has no other copy: if two win, the content of one of them is gone for good."""
    _race(lab, "move", 48)


@contract(
    "contract.uri.writing", title="Writing replaces only when asked, whole or not at all, and leaves nothing behind"
)
def writing(lab: Lab) -> None:
    """A refused write that has emptied the file, or left a part beside it, is worse than none."""
    from lsst.resources import ResourcePath

    folder = lab.root / "w"
    folder.mkdir()
    uri = ResourcePath(str(folder / "x.txt"))
    with lab.step("write"):
        uri.write(b"one")
        with lab.refused("write without overwriting", FileExistsError):
            uri.write(b"two", overwrite=False)
        lab.equal(uri.read(), b"one", "content after a refused write")
        uri.write(b"three", overwrite=True)
        lab.equal(uri.read(), b"three", "content after a write")
        lab.equal(uri.read(2), b"th", "a part of it")
    source = ResourcePath(str(folder / "source.txt"))
    for transfer in ("copy", "move", "hardlink", "symlink"):
        source.write(b"new", overwrite=True)
        with lab.step(f"transfer by {transfer} onto a file"):
            with lab.refused("transfer without overwriting"):
                uri.transfer_from(source, transfer=transfer)
            lab.equal(uri.read(), b"three", "content after a refused transfer")
            lab.equal(source.read(), b"new", "source after a refused transfer")
            other = ResourcePath(str(folder / f"to-{transfer}"), forceDirectory=False)
            other.write(b"old")
            other.transfer_from(source, transfer=transfer, overwrite=True)
            lab.equal(other.read(), b"new", "content after a transfer")
            lab.equal(source.exists(), transfer != "move", "whether the source is there")
    with lab.step("transfer what does not exist"):
        missing = ResourcePath(str(folder / "missing"), forceDirectory=False)
        for transfer in ("copy", "move"):
            with lab.refused("transfer of a missing file", FileNotFoundError):
                uri.transfer_from(missing, transfer=transfer, overwrite=True)
            lab.equal(uri.read(), b"three", "content after a transfer that failed")
    with lab.step("open for writing"):
        out = ResourcePath(str(folder / "opened.txt"))
        with out.open("w") as stream:
            stream.write("é\n")
        lab.equal(out.read().decode(), "é\n", "content")
        with lab.refused("open a file that exists", FileExistsError), out.open("x") as stream:
            stream.write("no")
        with out.open("r") as stream:
            lab.equal(stream.read(), "é\n", "content after a refused opening")
    with lab.step("what is left"):
        left = {p.name for p in folder.iterdir()}
        known = {"x.txt", "source.txt", "opened.txt", *(f"to-{t}" for t in ("copy", "move", "hardlink", "symlink"))}
        lab.equal(left - known, set(), "files left behind")
    with lab.step("temporary files"):
        with ResourcePath.temporary_uri(suffix=".txt") as temporary:
            temporary.write(b"x")
            path = temporary.ospath
        from pathlib import Path

        lab.equal(Path(path).exists(), False, "a temporary file is left")
        with uri.as_local() as local:
            lab.equal(local.ospath, uri.ospath, "as_local of a local file")
        lab.equal(uri.exists(), True, "as_local removed the file")
    with lab.step("remove"):
        uri.remove()
        lab.equal(uri.exists(), False, "exists after its removal")
        with lab.refused("remove what is not there", FileNotFoundError):
            uri.remove()


PROPERTIES = (names, percent_signs, algebra, one_writer_wins, one_mover_wins, writing)
