"""The middleware keeps its promises: properties of the middleware itself, whatever its release.

A property is a `~harness.verdicts.Check` whose id is ``contract.AREA.what-must-hold``. It makes small repositories of
its own with the public interface, does things to them, and says what came out differently from what a simple model,
or another way of asking the same, leads one to expect. No instrument kit, no pipeline and no ``lsst.images`` is
needed: ``harness contract`` runs in an environment that has ``lsst-daf-butler`` and little else, of any release from
2024.45 on.

======================  ==============================================================================================
module                  what it has
======================  ==============================================================================================
`base`                  `~harness.contract.base.contract` makes a property of a function;
                        `~harness.contract.base.run_property` runs one
`lab`                   `~harness.contract.lab.Lab`, what a property is given: folders, repositories, a seeded random
                        generator, and the words in which it says what it expects
`shelf`                 repositories that are made once in a process, and copied
`world`                 the dimension records of a small world: two instruments that use the same numbers and names
`things`                Python types that no release knows, with their storage classes
`state`                 a repository as a value: every row of every table and every file, or all that is public
`report`                text, JSON and JUnit
``butler``,             the properties, a module for each subject with ``PROPERTIES``
``resources`` …
======================  ==============================================================================================

Writing a property
------------------
::

    @contract("contract.searches.first-wins", title="The first collection wins")
    def first_wins(lab: Lab) -> None:
        \"\"\"Why it matters; who is hurt when it fails.\"\"\"
        butler = lab.repository()
        lab.needs(hasattr(butler, "query_datasets"), "Butler.query_datasets")
        with lab.step("find a dataset in a chain"):
            lab.equal(butler.find_dataset(...), expected, "find_dataset gives another dataset than the model")

- ``lab.equal`` and ``lab.expect`` count what they looked at, and record a finding when it does not hold; they return
  whether it holds. A property that looked at nothing is unknown.
- An exception that comes out of the middleware's own code is a finding ("raised KeyError …"), attributed to the
  ``lsst`` module that it came from: just call what must work. ``lab.step`` turns it into a finding and lets the
  property go on. An exception of the property's own code makes it unknown.
- ``lab.refused`` is for what must fail, ``lab.unchanged`` for what must leave no trace.
- ``lab.needs`` is for public interfaces that some releases do not have. The property then does not apply, unless it has
  looked at something before.
- ``lab.some`` and ``lab.few`` take fewer cases where less effort is wanted, as in tests; ``lab.prepared`` makes a
  repository with contents once for all properties that begin with it.
- Nothing in a property names a ticket or a release, and the order of what a query may return in any order is not
  relied on.
- Each property is named in ``tests/contract/`` with at least one mutant: a defect patched into the middleware of the
  test process, which the property must find.

To add an area make a module with ``PROPERTIES`` (a tuple) and name it in `AREAS`. Modules import nothing heavy at the
top: ``harness contract --list`` must not wait for the middleware.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from ..verdicts import Check

__all__ = ["AREAS", "all_properties", "area_of"]

AREAS: dict[str, str] = {
    "put": "butler.puts",
    "search": "butler.searches",
    "query": "butler.queries",
    "refusal": "butler.refusals",
    "transfer": "butler.transfers",
    "names": "butler.names",
    "command": "butler.commands",
    "configuration": "butler.configurations",
    "membership": "butler.memberships",
    "value": "butler.values",
    "uri": "resources.uris",
    "pipeline": "pipes.building",
    "object": "pipes.objects",
    "graph": "pipes.graphs",
    "run": "pipes.running",
    "qbb": "pipes.qbb",
    "universe": "pipes.universes",
    "bps": "pipes.bps",
}
"""Modules that have properties, by area, in the order in which they are run."""


def all_properties() -> tuple[Check, ...]:
    """Return the properties of all areas; nothing heavy is imported.

    Returns
    -------
    properties : `tuple` [`~harness.verdicts.Check`]
        With unique ids ``contract.AREA.NAME``.
    """
    found: dict[str, Check] = {}
    for area, module in AREAS.items():
        for item in import_module(f".{module}", __name__).PROPERTIES:
            assert area_of(item) == area, f"{item.id} is in the module of area {area}"
            assert item.id not in found, f"two properties are called {item.id}"
            found[item.id] = item
    return tuple(found.values())


def area_of(item: Check) -> str:
    """Return the area of a property: the second part of its id."""
    return item.id.split(".")[1]
