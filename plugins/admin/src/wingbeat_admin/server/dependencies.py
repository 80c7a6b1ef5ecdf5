"""What every route may ask for."""

from __future__ import annotations

from typing import Annotated

from litestar.di import NamedDependency
from litestar.params import FromPath, QueryParameter, SkipValidation

from wingbeat.contracts.admin import PAGE_MAX, Admin
from wingbeat.contracts.engine import Engine
from wingbeat.contracts.home import Home

TheAdmin = SkipValidation[NamedDependency[Admin]]
TheEngine = SkipValidation[NamedDependency[Engine]]
TheHome = SkipValidation[NamedDependency[Home]]
Part = FromPath[str]
Limit = Annotated[int, QueryParameter(ge=1, le=PAGE_MAX)]
