"""Write the routes of the HTTP API to docs/reference/http-routes.md, from the server's own OpenAPI document: python
tools/http_routes.py"""

import asyncio
import json
import re
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx

from wingbeat.spec.codec import json_schema
from wingbeat.testing.home import TemporaryHome
from wingbeat_admin.local.admin import LocalAdmin
from wingbeat_admin.server.serving import application

PATH = Path(__file__).resolve().parents[1] / "docs" / "reference" / "http-routes.md"
HEAD = """\
# Routes of the HTTP API

Each route with its query, its body and its answer. This page is made from the server's own OpenAPI document, by `make schema`; a
test holds it to that. How the API is used, what is refused and which limits there are: [the HTTP API](http-api.md).

A name with `*` has to be given. What a specification consists of is in its [JSON Schema](spec-schema.json). Everything that goes
wrong is answered with a [problem](http-api.md).
"""
API = "/api/v1/"
HOST = "routes.local"
MANY = 10
"""So many structures of specifications in the place of each other are the types of values: one word is enough for them."""


async def document() -> dict[str, Any]:
    """The OpenAPI document of a server that has nothing."""
    with tempfile.TemporaryDirectory() as folder:
        home = TemporaryHome(Path(folder))
        admin = LocalAdmin(Path(folder, "admin.sqlite"), None, home.storage())  # type: ignore[arg-type]  # never asked
        app = application(home, None, admin, frozenset({HOST}), asyncio.Event())  # type: ignore[arg-type]
        transport = httpx.ASGITransport(app)  # type: ignore[arg-type]  # two libraries that name ASGI differently
        async with httpx.AsyncClient(transport=transport, base_url=f"http://{HOST}") as http:
            found: dict[str, Any] = (await http.get("/api/openapi/openapi.json")).json()
    return found


def text(found: dict[str, Any]) -> str:
    """The page."""
    page = Page(found["components"]["schemas"])
    groups: dict[str, list[str]] = {}
    for path, item in found["paths"].items():
        for method, operation in item.items():
            group = path.removeprefix(API).partition("/")[0]
            groups.setdefault(group, []).append(page.route(method.upper(), path, operation))
    lines = [HEAD]
    for group in sorted(groups):
        lines += [f"## {group}\n", "| route | takes | answers | |", "|---|---|---|---|", *groups[group], ""]
    lines += ["## Structures\n", *page.structures()]
    return "\n".join(lines).rstrip() + "\n"


class Page:
    """Writes what routes and structures of a document are, and remembers which structures were named."""

    def __init__(self, schemas: dict[str, Any]) -> None:
        self._schemas, self._known = schemas, json_schema()["$defs"].keys()
        self._named: list[str] = []

    def route(self, method: str, path: str, operation: dict[str, Any]) -> str:
        """One route, a row of a table."""
        asked = [each for each in operation.get("parameters", ()) if each["in"] != "path"]
        takes = [f"`{each['name']}`{'*' if each.get('required') else ''}" for each in asked]
        takes += [f"body {self._content(operation['requestBody'])}"] if "requestBody" in operation else []
        good = {status: answer for status, answer in operation["responses"].items() if status[0] == "2"}
        answers = [f"{status} {self._content(answer)}".strip() for status, answer in sorted(good.items())]
        what = " ".join(operation.get("description", "").split())
        cells = (f"`{method} /{path.removeprefix(API)}`", ", ".join(takes), ", ".join(answers), what)
        return f"| {' | '.join(cell.replace('|', chr(92) + '|') for cell in cells)} |"

    def structures(self) -> Iterator[str]:
        """What was named, and what that names, in the order of the names."""
        written: dict[str, list[str]] = {}
        while missing := [name for name in self._named if name not in written]:
            written |= {name: list(self._structure(name)) for name in missing}
        for name in sorted(written):
            yield from written[name]

    def _structure(self, name: str) -> Iterator[str]:
        schema = self._schemas[name]
        about, _, attributes = schema.get("description", "").partition("Attributes:")
        meanings = dict(_meanings(attributes))
        yield f"### {name}\n"
        yield " ".join(about.replace("``", "`").split()) + "\n"
        if "prefixItems" in schema:
            yield f"An array: {', '.join(self._type(each) for each in schema['prefixItems'])}.\n"
            return
        yield from ("| field | type | default | |", "|---|---|---|---|")
        required = schema.get("required", ())
        for field, kind in schema.get("properties", {}).items():
            default = f"`{json.dumps(kind['default'])}`" if "default" in kind else ""
            cells = (f"`{field}`{'*' if field in required else ''}", self._type(kind), default, meanings.get(field, ""))
            yield f"| {' | '.join(cell.replace('|', chr(92) + '|') for cell in cells)} |"
        yield ""

    def _content(self, said: dict[str, Any]) -> str:
        content = said.get("content", {})
        found = [(media, self._type(each["schema"]) if each.get("schema") else "") for media, each in content.items()]
        return " or ".join(told if media == "application/json" else f"{media} {told}".strip() for media, told in found)

    def _type(self, schema: dict[str, Any]) -> str:
        match schema:
            case {"$ref": str(ref)}:
                return self._reference(ref.rpartition("/")[2])
            case {"anyOf": list(several)} | {"oneOf": list(several)}:
                types = [each for each in several if each.get("$ref", "").rpartition("/")[2] in self._known]
                rest = [self._type(each) for each in several if each not in types]
                told = [self._type(each) for each in types] if len(types) < MANY else ["[type](spec-schema.json)"]
                return " or ".join(dict.fromkeys([*told, *rest]))
            case {"enum": list(values)}:
                return ", ".join(f"`{value}`" for value in values)
            case {"type": "array", "items": dict(item)} if item:
                return f"list of {self._type(item)}"
            case {"type": "object", "additionalProperties": dict(item)} if item:
                return f"object of {self._type(item)}"
            case {"contentMediaType": _}:
                return ""
        return str(schema.get("type", "any"))

    def _reference(self, name: str) -> str:
        schema = self._schemas[name]
        if "enum" in schema:
            return self._type(schema)
        if name in self._known or name == "Closure":
            return f"[{name}](spec-schema.json)"
        if name not in self._named:
            self._named.append(name)
        return f"[{name}](#{name.lower()})"


def _meanings(attributes: str) -> Iterator[tuple[str, str]]:
    """What a docstring says of its fields, by name."""
    for part in re.split(r"\n\s*\n", attributes):
        names, colon, told = " ".join(part.split()).partition(": ")
        if colon:
            yield from ((name.strip(), told.replace("``", "`")) for name in names.split(","))


if __name__ == "__main__":
    PATH.write_text(text(asyncio.run(document())), encoding="utf-8")
    print(PATH)
