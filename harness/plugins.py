"""Loading plugins: each is validated on its own, and a broken one is quarantined, never fatal."""

from __future__ import annotations

import dataclasses
import importlib.metadata
import sys
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import pluggy

from . import hookspecs
from .errors import nearest

__all__ = ["PluginState", "Plugins", "load_plugins"]

CORE = "gen3-harness"
"""Distribution whose plugins are loaded first."""


@dataclasses.dataclass
class PluginState:
    """A plugin and what became of it.

    Parameters
    ----------
    name : `str`
        Name of its entry point; ``builtin`` for the core's own.
    distribution, version : `str`
        Where it comes from.
    hooks : `list` [`str`]
        The hooks that it implements.
    reason : `str`
        Why it is quarantined; empty if it is sound.
    """

    name: str
    distribution: str
    version: str
    hooks: list[str]
    reason: str = ""


class Plugins:
    """The loaded plugins, and what they provide.

    Parameters
    ----------
    trace : `~collections.abc.Callable` [[`str`], `None`], optional
        Called with one line for every call of a hook.
    """

    def __init__(self, trace: Callable[[str], None] | None = None) -> None:
        self.manager = pluggy.PluginManager(hookspecs.PROJECT)
        self.manager.add_hookspecs(hookspecs)
        self.states: list[PluginState] = []
        self._trace = trace
        self._collected: dict[str, dict[str, Any]] = {}

    # --- loading ---------------------------------------------------------------------------------

    def add(self, name: str, load: Callable[[], object], distribution: str, version: str) -> None:
        """Load, validate and register one plugin; quarantine it if any of this fails.

        Parameters
        ----------
        name : `str`
            Its name.
        load : `~collections.abc.Callable`
            Returns the plugin object (a module, mostly).
        distribution, version : `str`
            Where it comes from.
        """
        state = PluginState(name, distribution, version, [])
        self.states.append(state)
        try:
            plugin = load()
        except Exception as error:  # whatever a plugin's import raises is that plugin's fault, and is shown
            state.reason = f"cannot be imported: {type(error).__name__}: {error}"
            return
        known = hookspecs.hook_names()
        named = [n for n in dir(plugin) if n.startswith("harness_") and callable(getattr(plugin, n))]
        unknown = [n for n in named if n not in known]
        if unknown:
            state.reason = f"no such hook: {nearest('hook', unknown[0], known)}"
            return
        unmarked = [n for n in named if not hasattr(getattr(plugin, n), hookspecs.PROJECT + "_impl")]
        if unmarked:
            state.reason = f"{unmarked[0]} is not marked with @hookimpl"
            return
        try:
            self.manager.register(plugin, name)
        except (pluggy.PluginValidationError, ValueError) as error:
            if self.manager.get_plugin(name) is plugin:
                self.manager.unregister(plugin)
            state.reason = f"does not fit the hooks: {' '.join(str(error).split())}"
            return
        state.hooks = sorted(named)

    def quarantine(self, name: str, reason: str) -> None:
        """Take a registered plugin out of use and remember why."""
        for state in self.states:
            if state.name == name and not state.reason:
                state.reason = reason
        plugin = self.manager.get_plugin(name)
        if plugin is not None:
            self.manager.unregister(plugin)
        for provided in self._collected.values():
            for key in [k for k, (owner, _) in provided.items() if owner == name]:
                del provided[key]

    @property
    def quarantined(self) -> list[PluginState]:
        """The plugins that are out of use (`list` [`PluginState`])."""
        return [s for s in self.states if s.reason]

    # --- calling ---------------------------------------------------------------------------------

    def _implementations(self, hook: str) -> list[pluggy.HookImpl]:
        implementations: list[pluggy.HookImpl] = getattr(self.manager.hook, hook).get_hookimpls()
        return implementations  # pluggy keeps the last registered last; the first to provide a name owns it

    def each(self, hook: str, **kwargs: Any) -> Iterable[tuple[str, Any]]:
        """Call a hook plugin by plugin; one that raises is quarantined and skipped.

        Parameters
        ----------
        hook : `str`
            Name of the hook.
        **kwargs
            Its arguments.

        Yields
        ------
        name : `str`
            The plugin.
        value : `object`
            What its implementation returned.
        """
        for implementation in self._implementations(hook):
            name = implementation.plugin_name
            if self._trace:
                shown = ", ".join(f"{k}={_short(v)}" for k, v in kwargs.items())
                self._trace(f"{hook}({shown}) -> {name}")
            try:
                arguments = {k: kwargs[k] for k in implementation.argnames}
                value: Any = implementation.function(**arguments)
                if not hook.endswith(("_started", "_progress", "_finished")):
                    value = list(value)
            except Exception as error:  # a plugin's exception is that plugin's fault, and is shown
                self.quarantine(name, f"{hook} raised {type(error).__name__}: {error}")
                continue
            yield name, value

    def notify(self, hook: str, **kwargs: Any) -> None:
        """Call an observer hook of every plugin."""
        for _ in self.each(hook, **kwargs):
            pass

    def collect(self, hook: str, kind: type, key: Callable[[Any], str]) -> dict[str, Any]:
        """Return everything that the plugins provide through a hook, by name.

        Parameters
        ----------
        hook : `str`
            Name of the hook.
        kind : `type`
            What each value must be an instance of.
        key : `~collections.abc.Callable`
            Gives the name of a value.

        Returns
        -------
        provided : `dict` [`str`, `object`]
            Values by name. A plugin with a value of a wrong type, or with a name that another one has
            already taken, is quarantined.
        """
        if hook not in self._collected:
            provided: dict[str, tuple[str, Any]] = {}
            self._collected[hook] = provided
            for name, values in self.each(hook):
                problem = ""
                mine: dict[str, tuple[str, Any]] = {}
                for value in values:
                    if not isinstance(value, kind):
                        problem = f"{hook} gave {_short(value)}, which is no {kind.__name__}"
                        break
                    try:
                        own = key(value)
                    except Exception as error:  # a name may be computed by the plugin's own code
                        problem = f"{hook} gave a {kind.__name__} without a name: {type(error).__name__}: {error}"
                        break
                    taken = provided.get(own) or mine.get(own)
                    if taken:
                        problem = f"{hook} gave {own!r}, which {taken[0]} provides already"
                        break
                    mine[own] = (name, value)
                if problem:
                    self.quarantine(name, problem)
                else:
                    provided.update(mine)
        return {k: v for k, (_, v) in self._collected[hook].items()}

    def owner(self, hook: str, name: str) -> str:
        """Return the plugin that provides something.

        Parameters
        ----------
        hook : `str`
            Name of the hook, whose values have been collected.
        name : `str`
            Name of the thing.
        """
        return str(self._collected[hook][name][0])

    # --- what is provided ------------------------------------------------------------------------

    def instruments(self) -> dict[str, Any]:
        """Return the instrument kits by name (`dict` [`str`, `~harness.instrument.kit.InstrumentKit`])."""
        from .instrument.kit import InstrumentKit

        return self.collect("harness_instruments", InstrumentKit, lambda k: str(k.name))

    def dataset_folders(self) -> dict[str, Path]:
        """Return the folders of the datasets by name (`dict` [`str`, `~pathlib.Path`])."""
        return self.collect("harness_datasets", Path, lambda p: str(p.name))

    def stages(self) -> dict[str, Any]:
        """Return the stages by name (`dict` [`str`, `~harness.stage.Stage`])."""
        from .stage import Stage

        return self.collect("harness_stages", Stage, lambda s: str(s.name))

    def checks(self) -> dict[str, Any]:
        """Return the checks by id (`dict` [`str`, `~harness.verdicts.Check`])."""
        from .verdicts import Check

        return self.collect("harness_checks", Check, lambda c: str(c.id))

    def defects(self) -> dict[str, Any]:
        """Return the seeded defects by id (`dict` [`str`, `~harness.defects.base.Defect`])."""
        from .defects.base import Defect

        return self.collect("harness_defects", Defect, lambda d: str(d.id))

    def engines(self) -> dict[str, Any]:
        """Return the engines by name (`dict` [`str`, `~harness.engines.base.Engine`])."""
        return self.collect("harness_engines", object, lambda e: str(e.name))

    def find(self, what: str, name: str) -> Any:
        """Return one provided thing by name.

        Parameters
        ----------
        what : `str`
            ``instrument``, ``stage``, ``check``, ``defect`` or ``engine``.
        name : `str`
            Its name.

        Raises
        ------
        HarnessError
            If there is none: names the nearest, or the broken plugin that may have provided it.
        """
        provided: dict[str, Any] = getattr(self, what + "s")()
        if name in provided:
            return provided[name]
        error = nearest(what, name, provided)
        if self.quarantined:
            broken = ", ".join(f"{s.name} ({s.distribution})" for s in self.quarantined)
            error.remedy += f"; quarantined plugins that might provide it: {broken}, see 'harness plugins'"
        raise error


def _distribution(entry: importlib.metadata.EntryPoint) -> str:
    return entry.dist.name if entry.dist else "?"


def _short(value: object) -> str:
    text = getattr(value, "name", None) or getattr(value, "id", None) or repr(value)
    return str(text) if len(str(text)) < 60 else f"{type(value).__name__}"


def load_plugins(trace: bool = False) -> Plugins:
    """Load the built-in and the installed plugins.

    Parameters
    ----------
    trace : `bool`, optional
        Print every hook call to standard error.

    Returns
    -------
    plugins : `Plugins`
        Sound and quarantined plugins. Of two with the same entry-point name, the later one is quarantined.
    """
    plugins = Plugins((lambda line: print(f"hook: {line}", file=sys.stderr)) if trace else None)  # noqa: T201
    seen: dict[str, str] = {}
    entries = importlib.metadata.entry_points(group=hookspecs.ENTRY_POINT_GROUP)
    # The core's own come first, so that a plugin which takes one of their names is the one to be quarantined.
    for entry in sorted(entries, key=lambda e: (_distribution(e) != CORE, e.name, e.value)):
        distribution = _distribution(entry)
        version = entry.dist.version if entry.dist else "?"
        if entry.name in seen:
            reason = f"the name {entry.name!r} is that of a plugin of {seen[entry.name]}: uninstall one of them"
            plugins.states.append(PluginState(entry.name, distribution, version, [], reason))
            continue
        seen[entry.name] = distribution
        plugins.add(entry.name, entry.load, distribution, version)
    return plugins
