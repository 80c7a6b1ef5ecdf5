"""Parameters of requests: which there are, from the signatures of routes; and what is said where something else is sent."""

from __future__ import annotations

import enum
from collections.abc import Iterable
from typing import Any, Literal, get_args, get_origin

from litestar import Request
from litestar.connection import ASGIConnection
from litestar.exceptions import HTTPException, MethodNotAllowedException, NotFoundException, ValidationException
from litestar.handlers import BaseRouteHandler
from litestar.params import HeaderParameter, ParameterKwarg, QueryParameter
from litestar.typing import FieldDefinition

from wingbeat.base.errors import InputError, NotFound
from wingbeat_admin.problems import Problem

DOCUMENT = "/api/openapi/openapi.json"
_TOLD_MAX = 200
"""Of what was sent, so many letters are sent back."""
_PATTERN = "matching regex"
"""So msgspec says that a text does not fit, which nobody reads who is told in words what does."""


async def only_known(connection: ASGIConnection[Any, Any, Any, Any], handler: BaseRouteHandler) -> None:
    """Raise ValidationException for a parameter of the query that the route does not have: a guard of all routes. Who has
    mistyped a filter must not be given everything."""
    if not connection.scope.get("query_string"):
        return
    known = [_name(field) for field in _fields(handler) if isinstance(field.kwarg_definition, QueryParameter)]
    for name in connection.query_params:
        if name not in known:
            what = f"There are {', '.join(known)}." if known else "It takes none."
            raise ValidationException(f"There is no parameter {_shown(name)} here.", extra={"hint": what})


def refusal(request: Request[Any, Any, Any], error: HTTPException) -> Problem:
    """What is said of a request that the framework, or `only_known`, has refused."""
    path, method = _shown(request.scope["path"]), request.method
    if error.status_code >= 500:
        return Problem(error.detail, error.status_code)
    if isinstance(error, NotFoundException):
        here = "The API is at /api/v1 of the URL that 'wingbeat serve' has printed"
        return Problem(
            f"This server has nothing at {path}.",
            404,
            code=NotFound.__name__,
            hint=f"{here}; {DOCUMENT} names all of it.",
        )
    found = Problem(error.detail or type(error).__name__, error.status_code, code=InputError.__name__)
    if isinstance(error, MethodNotAllowedException):
        found.title, found.hint = f"{method} is not done at {path}.", f"There is {allowed(error)}."
    elif isinstance(error.extra, dict):
        found.hint = str(error.extra.get("hint", ""))
    elif isinstance(error.extra, list) and error.extra:
        fields = {field.name: field for field in _fields(request.route_handler)}
        said = [_mistake(each, fields) for each in error.extra if isinstance(each, dict)]
        found.title = " ".join(title for title, _ in said)
        found.hint = " ".join(hint for _, hint in said if hint)
    return found


def allowed(error: MethodNotAllowedException) -> str:
    """What is done there instead, as the header ``Allow`` says it."""
    methods = (error.headers or {}).get("allow", "").split(", ")
    return ", ".join(method for method in methods if method != "OPTIONS")  # nothing answers that


def _mistake(said: dict[str, Any], fields: dict[str, FieldDefinition]) -> tuple[str, str]:
    """What the framework says of one parameter, as a sentence with its name; and what it takes."""
    message = str(said.get("message", ""))[:_TOLD_MAX]
    field = fields.get(str(said.get("key", "")).partition(".")[0])
    if field is None:
        return f"{message}.", ""
    given = field.kwarg_definition
    what = "header" if isinstance(given, HeaderParameter) else "parameter"
    values = _values(field.annotation)
    hint = f"It is one of {', '.join(values)}." if values else (getattr(given, "description", None) or "")
    why = "" if hint and _PATTERN in message else f": {message}"
    return f"The {what} {_name(field)!r} is not what is expected{why}.", hint


def _fields(handler: Any) -> Iterable[FieldDefinition]:
    found: dict[str, FieldDefinition] = handler.parsed_fn_signature.parameters
    return found.values()


def _name(field: FieldDefinition) -> str:
    """As it is sent."""
    given = field.kwarg_definition
    return (isinstance(given, ParameterKwarg) and given.name) or field.name


def _values(kind: Any) -> list[str]:
    """All that there is of a type, if that is listed."""
    for each in (kind, *get_args(kind)):
        if get_origin(each) is Literal:
            return [str(value) for value in get_args(each)]
        if isinstance(each, type) and issubclass(each, enum.Enum):
            return [str(value.value) for value in each]
    return []


def _shown(text: str) -> str:
    return repr(text if len(text) <= _TOLD_MAX else f"{text[:_TOLD_MAX]}…")
