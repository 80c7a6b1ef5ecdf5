"""The OpenAPI document, as far as it does not come from the signatures of routes: bodies that they read, answers that they write
themselves, and links."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import msgspec
from litestar import Request
from litestar.openapi.plugins import JsonRenderPlugin
from litestar.routes import HTTPRoute

from wingbeat_admin.server.links import LINKS, Link
from wingbeat_admin.server.table import TABLE

BODY, ANSWER, ALSO = "body", "answer", "also"
"""What a route says of itself in its `opt`: the type of its body, that of its answer, another status of that."""
_SCHEMAS = "#/components/schemas/"


_SPEC = {
    "title": "Closure",
    "description": "A specification. Its JSON Schema is published apart: spec-schema.json, in the reference of Wingbeat.",
    "type": "object",
}
"""Ten times as long as all the rest; and nobody writes one by hand."""


class Document(JsonRenderPlugin):
    """Renders the document, completed."""

    _rendered = b""

    def render(self, request: Request[Any, Any, Any], openapi_schema: dict[str, Any]) -> bytes:
        """The document as JSON."""
        if not self._rendered:
            completed = msgspec.json.decode(self.render_json(request, openapi_schema))
            complete(completed, [route for route in request.app.routes if isinstance(route, HTTPRoute)])
            self._rendered = msgspec.json.encode(completed)
        return self._rendered


def complete(document: dict[str, Any], routes: list[HTTPRoute]) -> None:
    """Add to a document what its routes say of themselves."""
    operations = list(_operations(document, routes))
    ids = {handler.fn.__name__: operation["operationId"] for operation, handler in operations}
    said = [kind for _, handler in operations for what in (BODY, ANSWER) if (kind := handler.opt.get(what))]
    schemas, components = msgspec.json.schema_components(said, ref_template=_SCHEMAS + "{name}")
    document["components"]["schemas"] |= components | {"Closure": _SPEC}
    schema_of = dict(zip(map(repr, said), schemas, strict=True))
    for operation, handler in operations:
        if body := handler.opt.get(BODY):
            content = {"application/json": {"schema": schema_of[repr(body)]}}
            operation["requestBody"] = {"required": True, "content": content}
        answers = operation["responses"]
        good = answers[str(handler.status_code)]
        if answer := handler.opt.get(ANSWER):
            good["content"] = {handler.media_type or "application/json": {"schema": schema_of[repr(answer)]}}
        for to, link in LINKS.get(handler.fn.__name__, {}).items():
            good.setdefault("links", {})[to] = _link(ids[to], link)
        if also := handler.opt.get(ALSO):
            answers[str(also)] = good
    for (method, path), rule in TABLE.items():
        if rule.needs is None:
            document["paths"][path][method.lower()]["security"] = []
    _prune(document)


def _prune(document: dict[str, Any]) -> None:
    """Leave out the schemas that nothing refers to."""
    known: dict[str, Any] = document["components"]["schemas"]
    used: dict[str, Any] = {}
    stack: list[Any] = [document["paths"]]
    while stack:
        one = stack.pop()
        if isinstance(one, dict):
            name = str(one.get("$ref", "")).removeprefix(_SCHEMAS)
            if name in known and name not in used:
                used[name] = known[name]
                stack.append(known[name])
            stack += one.values()
        elif isinstance(one, list):
            stack += one
    document["components"]["schemas"] = used


def _operations(document: dict[str, Any], routes: list[HTTPRoute]) -> Iterator[tuple[dict[str, Any], Any]]:
    for route in routes:
        for handler in route.route_handlers:
            for method in handler.http_methods:
                operation = document["paths"].get(route.path_format, {}).get(method.lower())
                if operation is not None:
                    yield operation, handler


def _link(operation: str, link: Link) -> dict[str, Any]:
    found: dict[str, Any] = {"operationId": operation}
    if link.parameters:
        found["parameters"] = link.parameters
    if link.body is not None:
        found["requestBody"] = link.body
    return found
