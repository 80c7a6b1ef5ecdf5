"""What every plugin must be, whatever it offers. Derive one test class and name its module::

    class TestPlugin(PluginContract):
        module = "my_plugin.plugin"
        name = "mine"  # of its entry point

A plugin that is not installed leaves `name` out.
"""

from __future__ import annotations

import ast
import importlib
import importlib.metadata
import importlib.util
import inspect
import json
import os
import pkgutil
import re
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, ClassVar

import msgspec
import pluggy
import pytest

from wingbeat.base.errors import ConfigurationError
from wingbeat.contracts import hookspecs
from wingbeat.contracts.admin import Admin
from wingbeat.contracts.catalog import Catalog
from wingbeat.contracts.engine import Engine
from wingbeat.contracts.environment import Environments
from wingbeat.contracts.executor import Executor
from wingbeat.contracts.journal import Journal
from wingbeat.contracts.notifier import Notifier
from wingbeat.contracts.observer import Observer
from wingbeat.contracts.plugin import API_VERSION, PluginInfo, fits
from wingbeat.contracts.server import Serve
from wingbeat.contracts.storage import Storage, StorageRef
from wingbeat.host.discover import boot
from wingbeat.runtime.storages import make_storage
from wingbeat.testing.conformance.kit import Kit
from wingbeat.testing.home import TemporaryHome

SEAMS: dict[str, type] = {
    "executor": Executor, "storage": Storage, "journal": Journal, "catalog": Catalog, "observer": Observer,
    "environments": Environments, "admin": Admin, "engine": Engine, "notifier": Notifier,
}  # fmt: skip
STANDARD = frozenset(sys.stdlib_module_names) | {"__main__", "__mp_main__"}
DOORS = ("attempts", "base", "calls", "contracts", "plans", "spec", "testing", "trees", "types")
"""What plugins may import of the kernel, beside `wingbeat` itself."""
NAME = re.compile(r"[a-z][a-z0-9_+.-]*\Z")
GROUP = "wingbeat"

WATCHED = """
import importlib, json, os, sys
module = importlib.import_module({module!r})
seen, on = [], False
def watch(event, arguments):
    if not on: return
    what = str(arguments[0]) if arguments else ""
    if event in ("open", "os.listdir", "os.scandir", "import") and (event == "import" or what.endswith((".py", ".pyc", ".so"))
            or what in sys.path or "__pycache__" in what or os.path.isdir(what)): return
    if event.split(".")[0] in ("open", "os", "socket", "subprocess", "shutil", "sqlite3", "urllib", "http", "tempfile", "ssl"):
        seen.append(event + " " + what)
class Registrar:
    def __getattr__(self, seam): return lambda *_, **__: None
sys.addaudithook(watch)
on = True
for hook in ("wingbeat_plugin", "wingbeat_register", "wingbeat_types"):
    made = getattr(module, hook, None)
    if made is not None: made(*([Registrar()] if hook == "wingbeat_register" else []))
on = False
print(json.dumps(seen))
"""
IMPORTED = """
import json, sys
import wingbeat.contracts.hookspecs, wingbeat.contracts.plugin, wingbeat.types
before = set(sys.modules)
__import__({module!r})
print(json.dumps(sorted({{name.partition(".")[0] for name in set(sys.modules) - before}})))
"""


class Offers:
    """A registrar that keeps what it is offered: by seam and name, the factories."""

    def __init__(self) -> None:
        self.found: list[tuple[str, str, Callable[..., Any]]] = []
        self.sources: dict[str, str] = {}
        self.servers: dict[str, str] = {}
        self.commands: list[tuple[str, str, str]] = []
        self.wrappers: dict[str, str] = {}

    def command(self, name: str, target: str, help: str) -> None:  # as click calls it
        """A command is imported when it is called."""
        self.commands.append((name, target, help))

    def admin(self, name: str, factory: Callable[[Any, Any], Any]) -> None:
        """An admin is made for an engine; where none is given, nothing is launched."""
        self.found.append(("admin", name, lambda home, engine=None: factory(home, engine or object())))

    def server(self, name: str, target: str, tokens: str = "") -> None:
        """A server is a function; who issues its tokens is made in attempts."""
        self.servers[name] = target
        if tokens:
            self.sources[f"@token of {name}"] = tokens

    def wrapper(self, name: str, target: str) -> None:
        """A wrapper is made in attempts, from what a task's spec says."""
        self.wrappers[name] = target

    def secrets(self, name: str, target: str, settings: Callable[[Any], Any] | None = None) -> None:
        """A source of secrets is made in attempts, from no factory."""
        self.sources[name] = target

    def storage(self, scheme: str, target: str, settings: Callable[[Any], Any] | None = None) -> None:
        """A storage is made from what its plugin says, here as in attempts."""

        def make(home: Any) -> Any:
            return make_storage(StorageRef(scheme, target, dict(settings(home)) if settings is not None else {}))

        self.found.append(("storage", scheme, make))

    def __getattr__(self, seam: str) -> Callable[[str, Callable[[Any], Any]], None]:
        if seam.startswith("_"):
            raise AttributeError(seam)
        return lambda name, factory: self.found.append((seam, name, factory))


def offers_of(module: str) -> list[tuple[str, str, Callable[..., Any]]]:
    """What a plugin's module registers: seam, name and factory of each."""
    return registered(module).found


def registered(module: str) -> Offers:
    """Everything that a plugin's module registers."""
    offers = Offers()
    register = getattr(importlib.import_module(module), "wingbeat_register", None)
    if register is not None:
        register(offers)
    return offers


def needs(distribution: str) -> set[str]:
    """Import names of what a distribution needs, and of what that needs: they are there wherever it is."""
    provided: dict[str, set[str]] = {}
    for package, owners in importlib.metadata.packages_distributions().items():
        for owner in owners:
            provided.setdefault(_plain(owner), set()).add(package)
    found, queue = set[str](), [distribution]
    while queue:
        one = _plain(queue.pop())
        if one not in found:
            found.add(one)
            queue += [_plain(re.split(r"[^\w.-]", need)[0]) for need in _required(one)]
    return {package for one in found for package in provided.get(one, set())}


def _plain(name: str) -> str:
    return re.sub(r"[-_.]+", "-", name).lower()


def _required(distribution: str) -> list[str]:
    try:
        return [need for need in importlib.metadata.requires(distribution) or [] if "extra ==" not in need]
    except importlib.metadata.PackageNotFoundError:
        return []


class PluginContract(Kit):
    """What holds for a plugin's module, as tests.

    Attributes:
        module: Its name, as the entry point has it.

        name: That of the entry point; empty for a plugin that is not installed.

        opens: The factories may be called here: they reach what they need. Where not, the tests of what they make are skipped.
    """

    module: ClassVar[str] = ""
    name: ClassVar[str] = ""
    opens: ClassVar[bool] = True

    @property
    def package(self) -> str:
        """The top package of the plugin."""
        return self.module.partition(".")[0]

    @property
    def loaded(self) -> Any:
        """The module, or whatever it is that has the hooks."""
        return importlib.import_module(self.module)

    def info(self) -> PluginInfo:
        """What the plugin says of itself."""
        found = self.loaded.wingbeat_plugin()
        assert isinstance(found, PluginInfo), f"wingbeat_plugin() answers {type(found).__name__}, not a PluginInfo"
        return found

    # What it says of itself

    def test_it_says_what_it_was_built_for(self) -> None:
        """`wingbeat_plugin`: an installed plugin without it is refused. `PluginInfo.api`: of contracts that are here, a literal."""
        api = self.info().api
        assert type(api) is tuple
        assert len(api) == 2
        assert fits(api), f"it was built for other contracts than are here: {api}"
        assert "API_VERSION" not in Path(self._source()).read_text(), (
            f"write api={API_VERSION}: a number that moves says nothing"
        )

    def test_its_settings_have_defaults(self) -> None:
        """`PluginInfo.settings`: structs with a default for every field, so that a home without settings works."""
        for section, struct in self.info().settings.items():
            assert NAME.match(section), f"{section!r} is no section of a TOML file"
            without = [f.name for f in msgspec.structs.fields(struct) if f.required]
            assert without == [], f"settings without a default in [{section}]: {without}"
            made = struct()
            assert msgspec.convert(msgspec.to_builtins(made), struct) == made

    def test_its_settings_are_documented(self) -> None:
        """`PluginInfo.settings`: a docstring that says what they mean, each by its name."""
        for section, struct in self.info().settings.items():
            text = inspect.getdoc(struct) or ""
            without = [
                f.name for f in msgspec.structs.fields(struct) if not re.search(rf"^\s*{f.name}:", text, re.MULTILINE)
            ]
            assert text, f"the struct of [{section}] has no docstring"
            assert without == [], f"settings of [{section}] that its docstring does not tell (Attributes:): {without}"

    def test_its_settings_are_read_from_a_home(self, home: TemporaryHome) -> None:
        """`Home.settings`: each section can be read; what it does not know is an error."""
        for section, struct in self.info().settings.items():
            assert isinstance(home.settings(section, struct), struct)

    # Loading

    def test_importing_it_is_cheap(self) -> None:
        """Importing a plugin module is cheap, the factory imports on use: of other packages, only those of the kernel."""
        found = set(json.loads(_python(IMPORTED.format(module=self.module)))) - STANDARD - needs("wingbeat")
        others = sorted(found - {self.package, "wingbeat"})
        assert others == [], f"importing {self.module} imports {', '.join(others)}; import it where it is used"

    def test_registering_does_no_io(self) -> None:
        """`wingbeat_register`: must not do I/O; neither do the other hooks."""
        done = json.loads(_python(WATCHED.format(module=self.module)))
        assert done == [], f"registering does I/O: {', '.join(map(str, done))}"

    def test_it_fits_the_hooks(self) -> None:
        """Hooks: those that there are, with the arguments that they have, marked with `hookimpl`."""
        manager = pluggy.PluginManager("wingbeat")
        manager.add_hookspecs(hookspecs)
        manager.register(self.loaded)
        manager.check_pending()
        marked = {caller.name for caller in manager.get_hookcallers(self.loaded) or []}
        named = {n for n, v in vars(self.loaded).items() if n.startswith("wingbeat_") and inspect.isfunction(v)}
        assert marked == named, f"hooks without @hookimpl, or that there are not: {sorted(named - marked)}"

    def test_it_boots_beside_what_is_in_the_box(self) -> None:
        """`Registrar`: a duplicate is an error; so is a section of settings that somebody else reads."""
        self._check_guest()
        for _ in range(2):  # once for each kernel
            broken: dict[str, ConfigurationError] = {}
            registry = boot([], {self.name or "kit": self.module}, broken=broken)
            for error in broken.values():
                raise error
            assert registry.plugins[self.name or "kit"].info == self.info()

    def test_it_is_found(self) -> None:
        """A plugin is a module named by an entry point of the group ``wingbeat``."""
        if not self.name:
            pytest.skip("it is not installed")
        points = {point.name: point.value for point in importlib.metadata.entry_points(group=GROUP)}
        assert points.get(self.name) == self.module, f"entry points of the group {GROUP!r}: {points}"

    def test_it_imports_nothing_private_of_the_kernel(self) -> None:
        """Public are `wingbeat`, `attempts`, `base`, `calls`, `contracts`, `plans`, `spec`, `testing`, `trees`, `types`."""
        self._check_guest()
        private = {
            f"{file.name}:{line}: {name}"
            for file in self._sources()
            for line, name in _imported(ast.parse(file.read_text(encoding="utf-8")))
            if name.startswith("wingbeat.") and (name.split(".")[1] not in DOORS or "._" in name)
        }
        assert not private, f"private modules of the kernel are imported: {', '.join(sorted(private))}"

    def test_its_kits_have_tests(self) -> None:
        """`PluginInfo.kits`: ``module:class`` of test classes of the plugin's own."""
        for target in self.info().kits:
            module, _, name = target.partition(":")
            found = getattr(importlib.import_module(module), name, None)
            assert isinstance(found, type), f"there is no class {target}"
            assert any(member.startswith("test_") for member in dir(found)), f"{target} has no tests"

    # What it offers

    def test_names_are_unique_and_can_be_written_in_settings(self) -> None:
        """`Registrar`: the name is what configuration chooses by; of storage, the scheme of a URI."""
        offers = registered(self.module)
        names = [(seam, name) for seam, name, _ in offers.found] + [("command", name) for name, _, _ in offers.commands]
        names += [("wrapper", name) for name in offers.wrappers]
        assert len(set(names)) == len(names), f"a name is registered twice: {names}"
        odd = [name for _, name in names if not NAME.match(name)]
        assert not odd, f"cannot be written in settings: {odd}"

    def test_factories_make_what_was_registered(self, tmp_path: Path) -> None:
        """`Registrar`: a factory takes a home, and gives a new object of the seam each time, with every call of its contract."""
        if not self.opens:
            pytest.skip("what its factories need is not here")
        for number, (seam, name, factory) in enumerate(offers_of(self.module)):
            home = self.another_home(tmp_path, f"home{number}")
            made, other = factory(home), factory(home)
            if seam in ("observer", "notifier") and made is None:
                continue  # its settings switch it off
            assert made is not None
            assert made is not other, f"the {seam} {name!r} is one object for all kernels"
            lacking = list(_lacking(made, SEAMS.get(seam, object)))
            assert not lacking, f"the {seam} {name!r}: {'; '.join(lacking)}"

    def test_its_sources_of_secrets_can_be_imported(self) -> None:
        """`Registrar.secrets`: ``module:class`` of a `SecretSource`."""
        for name, target in registered(self.module).sources.items():
            module, _, attribute = target.partition(":")
            found = getattr(importlib.import_module(module), attribute, None)
            assert callable(getattr(found, "get", None)), f"the source of secrets {name!r} ({target}) has no get"

    def test_its_wrappers_are_registered(self) -> None:
        """`Registrar.wrapper`: ``module:class`` of a `Wrapper`; of contracts that have it, each one that the plugin's kits test."""
        from wingbeat.testing.conformance.wrapper import WrapperContract  # which imports this module

        wrappers = registered(self.module).wrappers
        for name, target in wrappers.items():
            found = pkgutil.resolve_name(target)
            lacking = [call for call in ("enter", "leave") if not callable(getattr(found, call, None))]
            assert not lacking, f"the wrapper {name!r} ({target}) has no {' and no '.join(lacking)}"
        if self.info().api < (0, 3):
            return
        kits = [pkgutil.resolve_name(target) for target in self.info().kits]
        tested = {kit.target for kit in kits if isinstance(kit, type) and issubclass(kit, WrapperContract)}
        unknown = sorted(tested.difference(wrappers.values()))
        assert not unknown, f"no name is registered (registrar.wrapper) for {', '.join(unknown)}"

    def test_its_servers_can_be_imported(self) -> None:
        """`Registrar.server`: ``module:function`` of a `Serve`."""
        for name, target in registered(self.module).servers.items():
            found = pkgutil.resolve_name(target)
            assert inspect.iscoroutinefunction(found), f"the server {name!r} ({target}) is no async function"
            wanted = inspect.signature(Serve.__call__).parameters
            given = inspect.signature(found).parameters
            assert [*given] == [n for n in wanted if n != "self"], (
                f"the server {name!r} takes other arguments: {[*given]}"
            )

    def test_its_commands_can_be_imported(self) -> None:
        """`Registrar.command`: ``module:attribute`` of a command of click; the kit for it is `CommandContract`."""
        for name, target, _ in registered(self.module).commands:
            found = pkgutil.resolve_name(target)
            assert callable(getattr(found, "make_context", None)), f"the command {name!r} ({target}) is none of click"

    def _check_guest(self) -> None:
        if self.package == "wingbeat":
            pytest.skip("it is in the box itself")

    def _source(self) -> str:
        spec = importlib.util.find_spec(self.module)
        assert spec is not None
        assert spec.origin is not None
        return spec.origin

    def _sources(self) -> Iterator[Path]:
        top = importlib.import_module(self.package)
        for folder in getattr(top, "__path__", []):
            yield from sorted(Path(folder).rglob("*.py"))
        if not hasattr(top, "__path__"):
            yield Path(self._source())


def _lacking(made: object, seam: type) -> Iterator[str]:
    """What a protocol has and an object does not."""
    for name, wanted in vars(seam).items():
        if name.startswith("_") or not (callable(wanted) or isinstance(wanted, property)):
            continue
        found = getattr(made, name, None)
        if found is None:
            yield f"{type(made).__name__} has no {name}"
        elif callable(wanted) and inspect.iscoroutinefunction(wanted) != inspect.iscoroutinefunction(found):
            yield f"{type(made).__name__}.{name} has to be {'an async' if inspect.iscoroutinefunction(wanted) else 'a'} function"
        elif callable(wanted) and not _takes(found, wanted):
            yield f"{type(made).__name__}.{name} takes other arguments than the contract's {inspect.signature(wanted)}"


def _takes(found: Callable[..., Any], wanted: Callable[..., Any]) -> bool:
    """Whether what may be given to one function may be given to the other."""
    parameters = list(inspect.signature(wanted).parameters.values())[1:]
    named = {p.name: None for p in parameters if p.kind is p.KEYWORD_ONLY}
    try:
        inspect.signature(found).bind(*[None for p in parameters if p.kind is not p.KEYWORD_ONLY], **named)
    except TypeError:
        return False
    return True


def _imported(tree: ast.AST) -> Iterator[tuple[int, str]]:
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from ((node.lineno, alias.name) for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module == "wingbeat":
            yield from ((node.lineno, f"wingbeat.{alias.name}") for alias in node.names if alias.name.islower()
                        and importlib.util.find_spec(f"wingbeat.{alias.name}") is not None)  # fmt: skip
        elif isinstance(node, ast.ImportFrom) and node.module:
            yield node.lineno, node.module


def _python(program: str) -> str:
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, sys.path))}
    done = subprocess.run([sys.executable, "-c", program], env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout.strip().splitlines()[-1]
