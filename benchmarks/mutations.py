"""Which arbitrary changes of a repository the checks notice: rows, cells and files, one at a time.

    python benchmarks/mutations.py [--rounds 2] [--seed 1] [--only TEXT] [--what TEXT]

Nothing here knows what a check looks at: every table and every column of the registry, and every kind of file of the
datastore, is changed in a fork, as by a slip of a hand, a bad disk or half a transaction. A change that no check
notices is either a gap, or truly invisible: nothing else in the repository says what the value should be.
"""

from __future__ import annotations

import argparse
import os
import random
import shutil
import sqlite3
import tempfile
from collections import Counter, defaultdict
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from harness.checks.context import CheckContext
from harness.cli.common import find_dataset
from harness.errors import HarnessError
from harness.plugins import load_plugins
from harness.repository import open_repository
from harness.stages.fork import fork_repository
from harness.stages.runner import Runner
from harness.stages.snapshots import SnapshotStore
from harness.verdicts import Check, Verdict, run_check

SLOW = ("identifiers.raw-header", "calibrations.epoch-found", "datastore.contents", "identifiers.exposure-header")
"""Asked last: a change that something else notices need not wait for them."""

MIXTURES = 6
"""How many cells of a column may refuse a change (constraints of the database) before it is given up."""

Mutation = Callable[[Path, random.Random], str]
"""Changes a repository and says what it did; raises `LookupError` if there is nothing to change."""


# --- rows and cells ----------------------------------------------------------------------------------


def columns(db: sqlite3.Connection, table: str) -> list[tuple[str, bool]]:
    """Return the columns of a table and whether each belongs to the primary key."""
    return [(r[1], bool(r[5])) for r in db.execute(f'PRAGMA table_info("{table}")')]


def pick(db: sqlite3.Connection, table: str, rng: random.Random) -> tuple[int, dict[str, Any]]:
    """Return a random row with its number."""
    db.row_factory = sqlite3.Row
    count = db.execute(f'SELECT count(*) FROM "{table}"').fetchone()[0]
    if not count:
        raise LookupError("no rows")
    row = db.execute(f'SELECT rowid AS _rowid, * FROM "{table}" LIMIT 1 OFFSET ?', (rng.randrange(count),)).fetchone()
    values = dict(row)
    return values.pop("_rowid"), values


def changed(value: Any, others: list[Any], rng: random.Random) -> Iterator[Any]:
    """Give other values for a cell: that of another row, one that is near, one that is far, none."""
    different = [o for o in others if o != value and o is not None]
    if different:
        yield rng.choice(different)
    if isinstance(value, str):
        yield value[:-1] + ("A" if not value.endswith("A") else "B")
        yield f"{value} "
    elif isinstance(value, float):
        yield value * 1.01 + 0.01
    elif isinstance(value, int):
        yield 1 - value if value in (0, 1) else value + rng.choice((-1, 1))
        yield value + 1_000_000


def open_db(repo: Path) -> sqlite3.Connection:
    """Open the registry behind the middleware's back."""
    db = sqlite3.connect(repo / "gen3.sqlite3")
    db.execute("PRAGMA foreign_keys = OFF")
    return db


def delete_row(table: str) -> Mutation:
    """Make the mutation that deletes a row."""

    def apply(repo: Path, rng: random.Random) -> str:
        with open_db(repo) as db:
            number, values = pick(db, table, rng)
            db.execute(f'DELETE FROM "{table}" WHERE rowid=?', (number,))
        return str(values)[:160]

    return apply


def change_cell(table: str, column: str) -> Mutation:
    """Make the mutation that changes a cell to another value."""

    def apply(repo: Path, rng: random.Random) -> str:
        with open_db(repo) as db:
            for _ in range(MIXTURES):
                number, values = pick(db, table, rng)
                others = [r[0] for r in db.execute(f'SELECT DISTINCT "{column}" FROM "{table}" LIMIT 50')]
                options = list(changed(values[column], others, rng))
                rng.shuffle(options)
                for option in options:
                    try:
                        db.execute(f'UPDATE "{table}" SET "{column}"=? WHERE rowid=?', (option, number))
                    except sqlite3.IntegrityError:
                        continue
                    return f"{column}: {values[column]!r:.60} -> {option!r:.60}"
        raise LookupError("refused")

    return apply


def null_cell(table: str, column: str) -> Mutation:
    """Make the mutation that empties a cell."""

    def apply(repo: Path, rng: random.Random) -> str:
        with open_db(repo) as db:
            number, values = pick(db, table, rng)
            if values[column] is None:
                raise LookupError("empty already")
            try:
                db.execute(f'UPDATE "{table}" SET "{column}"=NULL WHERE rowid=?', (number,))
            except sqlite3.IntegrityError as error:
                raise LookupError("refused") from error
        return f"{column}: {values[column]!r:.60} -> NULL"

    return apply


def add_row(table: str) -> Mutation:
    """Make the mutation that adds a row: another one, with some of its key changed."""

    def apply(repo: Path, rng: random.Random) -> str:
        with open_db(repo) as db:
            keys = [n for n, key in columns(db, table) if key] or [n for n, _ in columns(db, table)]
            for _ in range(MIXTURES):
                _, values = pick(db, table, rng)
                for column in rng.sample(keys, len(keys)):
                    others = [r[0] for r in db.execute(f'SELECT DISTINCT "{column}" FROM "{table}" LIMIT 50')]
                    for option in changed(values[column], others, rng):
                        new = values | {column: option}
                        names = ", ".join(f'"{n}"' for n in new)
                        marks = ", ".join("?" * len(new))
                        try:
                            db.execute(f'INSERT INTO "{table}" ({names}) VALUES ({marks})', tuple(new.values()))
                        except sqlite3.IntegrityError:
                            continue
                        return str(new)[:160]
        raise LookupError("refused")

    return apply


def table_mutations(repo: Path) -> Iterator[tuple[str, str, Mutation]]:
    """Give all mutations of the registry: table, what is done, and the mutation."""
    with open_db(repo) as db:
        names = [r[0] for r in db.execute("SELECT name FROM sqlite_master WHERE type='table' ORDER BY name")]
        filled = [n for n in names if db.execute(f'SELECT 1 FROM "{n}" LIMIT 1').fetchone()]
        for table in filled:
            yield table, "delete row", delete_row(table)
            yield table, "add row", add_row(table)
            for column, _ in columns(db, table):
                yield table, f"change {column}", change_cell(table, column)
                yield table, f"empty {column}", null_cell(table, column)


# --- files -------------------------------------------------------------------------------------------


def replace(path: Path, content: bytes) -> None:
    """Give a file a new content under its name; forks share their files."""
    new = path.with_name(".new")
    new.write_bytes(content)
    new.replace(path)


def flip(content: bytes, rng: random.Random) -> bytes:
    """Flip one bit of a random byte."""
    at = rng.randrange(len(content))
    return content[:at] + bytes([content[at] ^ (1 << rng.randrange(8))]) + content[at + 1 :]


def zeros(content: bytes, rng: random.Random) -> bytes:
    """Empty a block, as a bad disk does."""
    size = min(512, len(content))
    at = rng.randrange(len(content) - size + 1)
    return content[:at] + bytes(size) + content[at + size :]


EDITS: dict[str, Callable[[bytes, random.Random], bytes]] = {
    "cut": lambda content, rng: content[: rng.randrange(len(content))],
    "lengthen": lambda content, _: content + b"\n",
    "empty": lambda _content, _rng: b"",
    "flip a bit": flip,
    "zero a block": zeros,
    "all zeros": lambda content, _: bytes(len(content)),
}
"""What may happen to the content of a file."""


def file_mutations(repo: Path) -> Iterator[tuple[str, str, Mutation]]:
    """Give all mutations of files, by suffix."""
    found: dict[str, list[str]] = defaultdict(list)
    with open_db(repo) as db:
        for (path,) in db.execute("SELECT path FROM file_datastore_records ORDER BY path"):
            found[Path(path).suffix].append(path)

    def edit(paths: list[str], how: Callable[[bytes, random.Random], bytes]) -> Mutation:
        def apply(here: Path, rng: random.Random) -> str:
            path = rng.choice(paths)
            replace(here / path, how((here / path).read_bytes(), rng))
            return path

        return apply

    def rename(paths: list[str]) -> Mutation:
        def apply(here: Path, rng: random.Random) -> str:
            path = rng.choice(paths)
            (here / path).rename((here / path).with_stem("renamed"))
            return path

        return apply

    def delete(paths: list[str]) -> Mutation:
        def apply(here: Path, rng: random.Random) -> str:
            path = rng.choice(paths)
            (here / path).unlink()
            return path

        return apply

    def copy(paths: list[str]) -> Mutation:
        def apply(here: Path, rng: random.Random) -> str:
            path = rng.choice(paths)
            shutil.copy(here / path, (here / path).with_stem("copied"))
            return path

        return apply

    def exchange(paths: list[str]) -> Mutation:
        def apply(here: Path, rng: random.Random) -> str:
            first = rng.choice(paths)
            size, folder = (here / first).stat().st_size, Path(first).parents[1]
            twins = [p for p in paths if p != first and (here / p).stat().st_size == size]
            near = [p for p in twins if Path(p).parents[1] == folder] or twins
            if not near:
                raise LookupError("no file of the same size")
            second = rng.choice(near)
            one, other = (here / first).read_bytes(), (here / second).read_bytes()
            if one == other:
                raise LookupError("same content")
            replace(here / first, other)
            replace(here / second, one)
            return f"{first} <-> {second}"

        return apply

    for suffix, paths in sorted(found.items()):
        for name, how in EDITS.items():
            yield f"*{suffix}", name, edit(paths, how)
        yield f"*{suffix}", "delete", delete(paths)
        yield f"*{suffix}", "rename", rename(paths)
        yield f"*{suffix}", "copy beside", copy(paths)
        yield f"*{suffix}", "exchange two", exchange(paths)


# --- the experiment ----------------------------------------------------------------------------------


def notice(repo: Path, checks: list[Check], kits: dict[str, Any], dataset: Any, before: dict[str, Verdict]) -> str:
    """Return which check is the first to notice a change; ``(cannot be opened)`` and ``?check`` for an unknown one."""
    unknown = ""
    try:
        with open_repository(repo) as butler:
            context = CheckContext(butler, repo, kits, dataset)
            for item in checks:
                verdict = run_check(item, context, "process").verdict
                if verdict is Verdict.FAIL:
                    return item.id
                if verdict is not before.get(item.id, verdict):
                    unknown = unknown or f"?{item.id}"
    except HarnessError:
        return "(cannot be opened)"
    except Exception as error:  # what the middleware does with a broken registry is no one's promise
        return f"(cannot be opened: {type(error).__name__})"
    return unknown


def main() -> None:
    """Run the experiment and print a table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=2)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--dataset", default="ci_hsc")
    parser.add_argument("--stage", default="process")
    parser.add_argument("--repo", type=Path, help="a repository in place of the stage's")
    parser.add_argument("--only", default="", help="only tables and files whose name contains this")
    parser.add_argument("--what", default="", help="only mutations whose name contains this")
    parser.add_argument("--known", action="store_true", help="let the checks know the dataset, as in `harness run`")
    options = parser.parse_args()

    plugins = load_plugins()
    dataset = find_dataset(plugins, options.dataset)
    kit = plugins.find("instrument", dataset.instrument)
    source = options.repo
    if source is None:
        work = Path(os.environ.get("HARNESS_WORK", ".harness"))
        runner = Runner(plugins, dataset, kit, plugins.find("engine", "inprocess"), SnapshotStore(work / "snapshots"))
        source = runner.build(options.stage).repo
    kits, known = dict(plugins.instruments()), dataset if options.known else None
    checks = [c for c in plugins.checks().values() if c.family not in ("quality", "rerun", "roundtrip", "together")]
    checks.sort(key=lambda c: c.id in SLOW)
    with open_repository(source) as butler:
        context = CheckContext(butler, source, kits, known)
        results = [run_check(c, context, options.stage) for c in checks]
    before = {r.check.id: r.verdict for r in results}
    failing = [r.check.id for r in results if r.verdict is Verdict.FAIL]
    if failing:
        raise SystemExit(f"{source} is not sound: {', '.join(failing)}")
    checks = [c for c in checks if before[c.id] is not Verdict.UNKNOWN or "chain" in c.id]

    work_list = [*table_mutations(source), *file_mutations(source)]
    total, missed = Counter[str](), []
    for thing, what, mutation in work_list:
        if options.only not in thing or options.what not in what:
            continue
        by: Counter[str] = Counter()
        for number in range(options.rounds):
            rng = random.Random(f"{options.seed} {thing} {what} {number}")
            with tempfile.TemporaryDirectory(prefix="mutation-") as folder:
                repo = Path(folder) / "repo"
                fork_repository(source, repo)
                try:
                    told = mutation(repo, rng)
                except LookupError:
                    continue
                asked = checks if thing.startswith(("*", "exposure", "detector")) else [c for c in checks if not c.deep]
                found = notice(repo, asked, kits, known, before)
            by[found] += 1
            if not found:
                missed.append(f"{thing}: {what}: {told}")
        if not by:
            continue
        caught = sum(n for k, n in by.items() if k)
        total += Counter(caught=caught, all=sum(by.values()))
        names = ", ".join(sorted(k for k in by if k))
        print(f"{thing:45} {what:28} {100 * caught / sum(by.values()):4.0f} %  {names}", flush=True)
    print(f"\n{total['caught']} of {total['all']} changes noticed; not noticed:")
    print("\n".join(f"  {m}" for m in missed))


if __name__ == "__main__":
    main()
