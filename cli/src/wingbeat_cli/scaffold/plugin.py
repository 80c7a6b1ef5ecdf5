"""The files of a new plugin."""

from __future__ import annotations

import keyword
import os
import re
import shutil
import sys
import tempfile
from importlib.resources import files
from importlib.util import find_spec
from pathlib import Path

from wingbeat.base.errors import ConfigurationError, ConflictError
from wingbeat.contracts.plugin import API_VERSION

OFFERED = {
    "executor": "Executor",
    "storage": "Storage",
    "catalog": "Catalog",
    "journal": "Journal",
    "observer": "Observer",
    "environments": "Environments",
    "admin": "Admin",
    "engine": "RemoteEngine",
}
"""Seams whose objects are made from what a plugin registers, and their protocols."""
SEAMS = (*OFFERED, "notifier", "types", "wrapper", "secrets", "command")
WHOLE_HOME = ("executor", "environments", "admin", "engine")
"""Seams whose objects are given the home itself: its storage, what makes environments, secrets. Others need its folder."""
MODULES = {"environments": "environment"}
"""Of seams whose module has another name."""
NEEDS = {"command": ("wingbeat-cli",)}
"""What a plugin for a seam needs besides the kernel, of the same series."""
WHAT = {
    "executor": "An executor",
    "storage": "A storage",
    "catalog": "A catalog",
    "journal": "A journal",
    "observer": "An observer",
    "environments": "What makes environments",
    "admin": "An admin",
    "engine": "An engine",
    "notifier": "A notifier",
    "command": "A command",
    "secrets": "A source of secrets",
    "types": "A type",
    "wrapper": "A wrapper",
}
LINE_MAX = 120
NAME = re.compile(r"[a-z][a-z0-9]*(-[a-z0-9]+)*")
WORKS = "It works as it is, and passes the kits: change it step by step."
TO_DO = (
    "Its calls are to be written: each says what it has to do, and the kit fails until they do it.\n"
    "The contract is in the docstrings of `wingbeat.contracts.{seam}`."
)
TEXTS = {
    "plugin.py": "the hooks: what is offered",
    "settings.py": "what can be set",
    "config.py": "what an author says of a task",
    "session.py": "what the function is given",
    "values.py": "the class",
    "source.py": "the source",
    "command.py": "the commands, imported when they are called",
    "kits.py": "what the kit has to know",
}


def check_name(name: str) -> None:
    """Raises ConfigurationError for a name that no package or no plugin can have."""
    package = name.replace("-", "_")
    if not NAME.fullmatch(name):
        raise ConfigurationError(
            f"{name!r} is no name for a plugin.", hint="Small letters, digits and hyphens, such as acme-lines."
        )
    if keyword.iskeyword(package) or package in sys.stdlib_module_names or find_spec(package) is not None:
        raise ConfigurationError(f"There is a module {package!r} already.", hint=f"Take another name: acme-{name}.")


def write(name: str, seam: str, into: Path) -> Path:
    """Write the folder of a new plugin, whole or not at all. Raises ConflictError if there is something of that name."""
    check_name(name)
    target = into / name
    if os.path.lexists(target):
        raise ConflictError(f"{target} is there already; nothing was written.")
    try:
        into.mkdir(parents=True, exist_ok=True)
        made = Path(tempfile.mkdtemp(prefix=f".{name}.", dir=into))
        try:
            made.chmod(0o755)
            for path, text in contents(name, seam).items():
                (made / path).parent.mkdir(parents=True, exist_ok=True)
                (made / path).write_text(text, encoding="utf-8")
            made.rename(target)
        except BaseException:
            shutil.rmtree(made, ignore_errors=True)
            raise
    except OSError as error:
        raise ConfigurationError(f"{target} cannot be written: {error.strerror}.") from error
    return target


def contents(name: str, seam: str) -> dict[str, str]:
    """By path, the files of a plugin."""
    package = name.replace("-", "_")
    values = _values(name, package, seam)
    sources = {"__init__.py": _template("all/__init__.py")}
    if seam in OFFERED:
        sources |= {"plugin.py": _template(_offers(seam, "plugin.py")), "settings.py": _template("all/settings.py")}
    own = files("wingbeat_cli.scaffold").joinpath("templates", seam)
    if own.is_dir():
        names = sorted(path.name.removesuffix(".tmpl") for path in own.iterdir() if path.is_file())
        sources |= {file: _template(f"{seam}/{file}") for file in names}
    else:
        sources[f"{seam}.py"] = _unwritten(seam, package, values["CLASS"], name)
    test = sources.pop("test.py", None) or _template(_offers(seam, "test.py"))
    rows = (
        f"| `src/{package}/{file}` | {TEXTS.get(file, f'the {seam}')} |" for file in sources if file != "__init__.py"
    )
    values["FILES"] = "\n".join([*rows, f"| `tests/test_{package}.py` | the kits, and tests of your own |"])
    found = {
        "pyproject.toml": _template("all/pyproject.toml"),
        "README.md": _template("all/README.md"),
        f"tests/test_{package}.py": test,
        f"src/{package}/py.typed": "",
        **{f"src/{package}/{file}": text for file, text in sources.items()},
    }
    return {path: _filled(text, values) for path, text in found.items()}


def _offers(seam: str, file: str) -> str:
    """The template of a seam where it has one of its own, else that of all."""
    own = f"offers/{seam}.{file}"
    return own if files("wingbeat_cli.scaffold").joinpath("templates", f"{own}.tmpl").is_file() else f"offers/{file}"


def _values(name: str, package: str, seam: str) -> dict[str, str]:
    major, minor = API_VERSION
    module = MODULES.get(seam, seam)
    works = files("wingbeat_cli.scaffold").joinpath("templates", seam).is_dir()
    return {
        "NAME": name,
        "PACKAGE": package,
        "CLASS": _class(name, seam),
        "SEAM": seam,
        "PROTOCOL": OFFERED.get(seam, ""),
        "WHAT": WHAT[seam],
        "KIT": f"wingbeat.testing.conformance.{module}",
        "API": f"({major}, {minor})",
        "NEEDS": ", ".join(f'"{needed}>={_series()}"' for needed in ("wingbeat", *NEEDS.get(seam, ()))),
        "HOME": "home" if seam in WHOLE_HOME else "home.path",
        "HINTS": _sorted(
            "    from wingbeat.contracts.home import Home",
            f"    from wingbeat.contracts.{module} import {OFFERED.get(seam)}",
        ),
        "KITS": _sorted(
            "from wingbeat.testing.conformance.plugin import PluginContract",
            f"from wingbeat.testing.conformance.{module} import {OFFERED.get(seam)}Contract",
        ),
        "STATE": WORKS if works else TO_DO.format(seam=module),
    }


def _class(name: str, seam: str) -> str:
    """What its classes begin with; a seam that the name ends with stands behind it anyway."""
    *parts, last = name.split("-")
    return "".join(part.capitalize() for part in (parts if parts and last == seam else [*parts, last]))


def _sorted(*imports: str) -> str:
    return "\n".join(sorted(imports))


def _series() -> str:
    """What the plugin asks of the kernel: this version's series."""
    from importlib.metadata import version

    major, minor = version("wingbeat").split(".")[:2]
    return f"{major}.{minor},<{major}.{int(minor) + 1}"


def _template(path: str) -> str:
    return files("wingbeat_cli.scaffold").joinpath("templates", f"{path}.tmpl").read_text(encoding="utf-8")


def _filled(text: str, values: dict[str, str]) -> str:
    for key, value in values.items():
        text = text.replace(f"@{key}@", value)
    return text


def _unwritten(seam: str, package: str, start: str, name: str) -> str:
    """The module of a seam whose calls are to be written."""
    from wingbeat_cli.scaffold.skeleton import imports, skeleton

    module, protocol = f"wingbeat.contracts.{MODULES.get(seam, seam)}", OFFERED[seam]
    needed = imports(module, protocol)
    if seam in WHOLE_HOME:
        needed.setdefault("wingbeat.contracts.home", set()).add("Home")
    if seam == "admin":
        needed.setdefault("wingbeat.contracts.engine", set()).add("Engine")
    if seam == "catalog":
        needed.setdefault("collections.abc", set()).add("Callable")
    standard = {source for source in needed if not source.startswith("wingbeat.")}
    ours = {source: names for source, names in needed.items() if source not in standard}
    blocks = [f'"""The {seam}."""', "from __future__ import annotations"]
    if standard:
        blocks.append("\n".join(_import(source, needed[source]) for source in sorted(standard)))
    blocks.append("\n".join(_import(source, ours[source]) for source in sorted(ours)))
    own = "" if seam == "storage" else _import(f"{package}.settings", {f"{start}Settings"})
    if own:
        blocks.append(own)
    kind = {"engine": "Engine"}.get(seam, protocol)
    return "\n\n".join(blocks) + "\n\n\n" + skeleton(module, protocol, f"{start}{kind}", name, _made_with(seam, start))


def _made_with(seam: str, start: str) -> dict[str, str]:
    """The arguments of the constructor, and their types."""
    if seam == "storage":  # which is made from plain data, in every process
        return {"home": "str", "folder": "str"}
    engine = {"engine": "Engine"} if seam == "admin" else {}
    clock = {"clock": "Callable[[], float]"} if seam == "catalog" else {}
    return {"home": "Home" if seam in WHOLE_HOME else "str", **engine, "settings": f"{start}Settings", **clock}


def _import(source: str, names: set[str]) -> str:
    line = f"from {source} import {', '.join(sorted(names))}"
    if len(line) <= LINE_MAX:
        return line
    return "\n".join([f"from {source} import (", *(f"    {name}," for name in sorted(names)), ")"])
