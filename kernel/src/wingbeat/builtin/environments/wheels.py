"""Wheels of the running installation: Wingbeat as it is here goes into the environments that are built here.

They are made from the import packages and the metadata, whether the distributions are installed editable or not, and
are the same bytes for the same sources.
"""

from __future__ import annotations

import base64
import hashlib
import importlib.metadata
import importlib.util
import io
import os
import zipfile
from collections.abc import Iterable, Iterator
from urllib.parse import quote

from msgspec import Struct

from wingbeat.base.errors import ConfigurationError
from wingbeat.builtin.durable import write_atomic
from wingbeat.builtin.environments.names import KERNEL, is_wingbeat, requirement_name

RUNTIME_NEEDS = "msgspec>=0.20"
"""All that ``import wingbeat`` and the runtime need beside the standard library, if there is no metadata to ask."""

_EPOCH = (1980, 1, 1, 0, 0, 0)


class Wheel(Struct, frozen=True):
    """A wheel in the cache."""

    name: str
    digest: str
    path: str

    def requirement(self, extras: str = "") -> str:
        """The requirement line that means this very file: ``name[extras] @ file:///…``."""
        return f"{self.name}{extras} @ file://{quote(self.path)}"


def pack_runtime(names: Iterable[str], folder: str, *, strict: bool = True) -> list[Wheel]:
    """Wheels of the kernel and of what `names` asks for of its family, with what those need of it.

    Without a plugin the kernel's wheel needs msgspec only; with one, all that the kernel needs.

    Args:
        folder: The wheels of the cache.

        strict: Names that are not installed here are an error; else they are left out.

    Raises:
        ConfigurationError: One of them is not installed here.
    """
    wanted = sorted({n for n in names if is_wingbeat(n)} - {KERNEL})
    family: dict[str, importlib.metadata.Distribution] = {}
    while wanted:
        name = wanted.pop()
        if name in family or name == KERNEL:
            continue
        try:
            family[name] = importlib.metadata.distribution(name)
        except importlib.metadata.PackageNotFoundError:
            if strict:
                raise ConfigurationError(
                    f"The environment asks for {name}, which is not installed here.",
                    hint="Wingbeat's own distributions come from the running installation: install it here.",
                ) from None
            continue
        wanted += [n for n in map(requirement_name, _mandatory(family[name])) if is_wingbeat(n)]
    wheels = [_pack_kernel(folder, complete=bool(family))]
    return wheels + [_pack(name, found, folder) for name, found in sorted(family.items())]


def _mandatory(distribution: importlib.metadata.Distribution) -> list[str]:
    return [line for line in distribution.requires or [] if "extra ==" not in line]


def _pack_kernel(folder: str, *, complete: bool) -> Wheel:
    try:
        found = importlib.metadata.distribution(KERNEL)
    except importlib.metadata.PackageNotFoundError:  # run from its sources
        return _write(KERNEL, "0+source", _metadata(KERNEL, "0+source", [RUNTIME_NEEDS], ">=3.11"), "", folder)
    if complete:
        return _pack(KERNEL, found, folder)
    needs = [line for line in _mandatory(found) if requirement_name(line) == requirement_name(RUNTIME_NEEDS)]
    return _pack(KERNEL, found, folder, needs)


def _pack(name: str, found: importlib.metadata.Distribution, folder: str, needs: list[str] | None = None) -> Wheel:
    (python,) = (found.metadata.get_all("Requires-Python") or [">=3.11"])[:1]
    extras = found.metadata.get_all("Provides-Extra") or []
    if needs is None:
        metadata = _metadata(name, found.version, found.requires or [], python, extras)
    else:
        metadata = _metadata(name, found.version, needs, python)
    return _write(name, found.version, metadata, found.read_text("entry_points.txt") or "", folder)


def _metadata(name: str, version: str, needs: list[str], python: str, extras: Iterable[str] = ()) -> str:
    lines = ["Metadata-Version: 2.1", f"Name: {name}", f"Version: {version}", f"Requires-Python: {python}"]
    lines += [f"Provides-Extra: {extra}" for extra in extras]
    return "\n".join([*lines, *(f"Requires-Dist: {need}" for need in needs), ""])


def _write(name: str, version: str, metadata: str, entry_points: str, folder: str) -> Wheel:
    """Put a wheel into the cache, unless it is there."""
    module = name.replace("-", "_")
    info = f"{module}-{version}.dist-info"
    files = dict(_package_files(module))
    files[f"{info}/METADATA"] = metadata.encode()
    files[f"{info}/WHEEL"] = b"Wheel-Version: 1.0\nGenerator: wingbeat\nRoot-Is-Purelib: true\nTag: py3-none-any\n"
    if entry_points:
        files[f"{info}/entry_points.txt"] = entry_points.encode()
    record = "".join(f"{path},sha256={_record_hash(data)},{len(data)}\n" for path, data in files.items())
    files[f"{info}/RECORD"] = (record + f"{info}/RECORD,,\n").encode()
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_STORED) as archive:
        for path, data in files.items():
            entry = zipfile.ZipInfo(path, _EPOCH)
            entry.external_attr = 0o644 << 16
            archive.writestr(entry, data)
    content = buffer.getvalue()
    digest = hashlib.sha256(content).hexdigest()
    path = os.path.join(folder, digest[:32], f"{module}-{version}-py3-none-any.whl")
    if not os.path.exists(path):
        os.makedirs(os.path.dirname(path), exist_ok=True)
        write_atomic(path, content, durable=True)
    return Wheel(name, digest, path)


def _package_files(module: str) -> Iterator[tuple[str, bytes]]:
    """The files of an import package, sorted, without what Python compiled."""
    found = importlib.util.find_spec(module)
    locations = list(found.submodule_search_locations or ()) if found else []
    if not locations:
        raise ConfigurationError(f"The import package {module} cannot be found to be put into an environment.")
    top = locations[0]
    paths = []
    for folder, folders, names in os.walk(top):
        folders[:] = [f for f in folders if f != "__pycache__" and not f.startswith(".")]
        paths += [os.path.join(folder, n) for n in names if not n.endswith((".pyc", ".pyo"))]
    for path in sorted(paths):
        with open(path, "rb") as stream:
            yield f"{module}/{os.path.relpath(path, top)}", stream.read()


def _record_hash(data: bytes) -> str:
    return base64.urlsafe_b64encode(hashlib.sha256(data).digest()).decode().rstrip("=")
