"""What every route may ask for, and what it may answer."""

from __future__ import annotations

from functools import partial
from typing import Annotated

import litestar
from litestar.di import NamedDependency
from litestar.openapi.datastructures import ResponseSpec
from litestar.params import FromPath, HeaderParameter, QueryParameter, SkipValidation

from wingbeat.contracts.admin import PAGE_MAX, Admin
from wingbeat.contracts.engine import Engine
from wingbeat.contracts.home import Home
from wingbeat.spec.sorts import ENTITY_SORTS, EXECUTION_SORTS
from wingbeat_admin.client.access import Login
from wingbeat_admin.problems import MEDIA_TYPE, Problem
from wingbeat_admin.server.gate import Permit
from wingbeat_admin.server.policy import Caller
from wingbeat_admin.server.reach import Reach, Shown
from wingbeat_admin.server.streams import Pace

TheAdmin = SkipValidation[NamedDependency[Admin]]
TheEngine = SkipValidation[NamedDependency[Engine]]
TheHome = SkipValidation[NamedDependency[Home]]
TheEnd = SkipValidation[NamedDependency[Permit]]
"""Until when this may last: what waits is answered then, and streams end."""
ThePace = SkipValidation[NamedDependency[Pace]]
"""Of all streams."""
TheLogin = SkipValidation[NamedDependency[Login]]
TheCaller = SkipValidation[NamedDependency[Caller]]
TheShown = SkipValidation[NamedDependency[Shown]]
"""Told what an answer shows: the caller may ask for the content that this refers to."""
TheReach = SkipValidation[NamedDependency[Reach]]
Part = FromPath[str]
NUMBER_MAX = 2**53
"""Of changes, events and entries: JSON has none that are larger and exact."""
Number = Annotated[int, QueryParameter(ge=-1, le=NUMBER_MAX)]
MOMENT_MAX = 2.0**53
Moment = Annotated[float, QueryParameter(ge=-MOMENT_MAX, le=MOMENT_MAX)]
"""In epoch seconds. Its bounds are none for anybody, but leave out what no moment is compared with: `nan` and `inf`."""
MaybeMoment = Annotated[float | None, QueryParameter(ge=-MOMENT_MAX, le=MOMENT_MAX)]
Last = Annotated[int | None, HeaderParameter(name="last-event-id", ge=-1, le=NUMBER_MAX)]
Limit = Annotated[int, QueryParameter(ge=1, le=PAGE_MAX)]
SortOfExecutions = Annotated[str, QueryParameter(pattern=EXECUTION_SORTS.pattern, description=EXECUTION_SORTS.told)]
SortOfEntities = Annotated[str, QueryParameter(pattern=ENTITY_SORTS.pattern, description=ENTITY_SORTS.told)]

REFUSALS = {
    400: "The request is not what is expected.",
    401: "Who asks is not known.",
    403: "Who asks may not do this; or pages of others may not use this server.",
    404: "There is no such thing, or it is not for who asks.",
    405: "That is not done here; the header `Allow` says what is.",
    409: "There is another one already.",
    413: "The body is too large.",
    415: "The body is no JSON.",
    421: "This server is not the one that was asked for.",
    422: "A value is not what is expected.",
    429: "There are as many already as may be; `Retry-After` says when there is room, where that is known.",
    500: "A mistake of ours.",
    503: "The engine does not answer now.",
    507: "The disk is full.",
}
"""What every route may answer instead: a problem (RFC 9457), by status."""
_RESPONSES = {
    status: ResponseSpec(Problem, generate_examples=False, description=text, media_type=MEDIA_TYPE)
    for status, text in REFUSALS.items()
}

get = partial(litestar.get, responses=_RESPONSES, raises=[])
post = partial(litestar.post, responses=_RESPONSES, raises=[])
put = partial(litestar.put, responses=_RESPONSES, raises=[])
delete = partial(litestar.delete, responses=_RESPONSES, raises=[])
