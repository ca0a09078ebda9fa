"""Tasks that fail when they are told to, made of any others.

Their names are ``Injected__`` and the name of the class with ``__`` for dots. A pipeline that names such a class in
place of a task's own behaves as before, down to the configurations that it writes, unless the file named by the
environment variable `~harness.rerun.injection.VARIABLE` asks for a failure.
"""

from __future__ import annotations

from typing import Any

from .injection import PREFIX, inject

_CLASSES: dict[str, Any] = {}


def __getattr__(name: str) -> Any:
    """Make the class of a name, once."""
    if not name.startswith(PREFIX):
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    if name not in _CLASSES:
        from lsst.utils.doImport import doImportType

        original = doImportType(name.removeprefix(PREFIX).replace("__", "."))

        def run_quantum(self: Any, butlerQC: Any, inputRefs: Any, outputRefs: Any) -> None:
            inject(super(_CLASSES[name], self).runQuantum, self, butlerQC, inputRefs, outputRefs)

        _CLASSES[name] = type(
            name, (original,), {"__module__": __name__, "__doc__": original.__doc__, "runQuantum": run_quantum}
        )
    return _CLASSES[name]
