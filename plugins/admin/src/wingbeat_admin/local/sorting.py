"""How the history is sorted: by which column or value, over which index, and how a page says where the next one begins. Statements
within the transactions of `Store`."""

from __future__ import annotations

import base64
import sqlite3
from collections.abc import Sequence
from typing import Annotated

import msgspec
from msgspec import Struct

from wingbeat.base.errors import InputError, NotFound
from wingbeat.contracts.admin import BY_LABEL, CAUSE_LABEL, ENTITY_LABEL
from wingbeat.contracts.backfill import BACKFILL_LABEL
from wingbeat.spec.sorts import EXECUTION_SORTS, Sort
from wingbeat_admin.local.telling import is_told
from wingbeat_admin.places import clause

SCHEMA = """
    ALTER TABLE executions ADD COLUMN version_key TEXT NOT NULL DEFAULT '';
    ALTER TABLE executions ADD COLUMN by TEXT NOT NULL DEFAULT '';
    ALTER TABLE executions ADD COLUMN duration REAL AS (ended_at - created_at);
    UPDATE executions SET version_key = version_key(substr(entity, instr(entity, '@') + 1)),
        by = coalesce(json_extract(CAST(labels AS TEXT), '$."wingbeat/by"'), '') WHERE entity != '' OR labels != '{}';
    DROP INDEX executions_by_ended;
    DROP INDEX executions_by_workflow;
    DROP INDEX executions_by_any_phase;
    CREATE INDEX executions_by_ended ON executions (ended_at, number, project, domain);
    CREATE INDEX executions_by_duration ON executions (duration, number, project, domain);
    CREATE INDEX executions_by_any_name ON executions (name, number, project, domain);
    CREATE INDEX executions_by_version ON executions (version_key, number, project, domain);
    CREATE INDEX executions_by_workflow ON executions (workflow, number, project, domain);
    CREATE INDEX executions_by_any_phase ON executions (phase, number, project, domain);
    CREATE INDEX executions_by_by ON executions (by, number, project, domain);
    ALTER TABLE execution_values ADD COLUMN key AS (coalesce(number, text));
    DROP INDEX execution_values_by_number;
    CREATE INDEX execution_values_by_key ON execution_values (side, name, key, execution)
    """
"""`version_key`: see `wingbeat.spec.identity`. `key`: a number where a value is one, else its text; numbers are before texts. What
is gone along has the place of an execution, too: of those of other places nothing else is read."""

_MARK = "~"  # no id of an execution begins with it
_COLUMNS = {
    "created_at": ("number", "NOT INDEXED"),
    "ended_at": ("ended_at", "INDEXED BY executions_by_ended"),
    "duration": ("duration", "INDEXED BY executions_by_duration"),
    "name": ("executions.name", "INDEXED BY executions_by_any_name"),
    "version": ("version_key", "INDEXED BY executions_by_version"),
    "workflow": ("workflow", "INDEXED BY executions_by_workflow"),
    "phase": ("phase", "INDEXED BY executions_by_any_phase"),
    "by": ("by", "INDEXED BY executions_by_by"),
}
OURS = {"project": "project", "domain": "domain", ENTITY_LABEL: "entity", CAUSE_LABEL: "cause"}
"""Labels of ours that are columns."""
_HAVING = {"ended_at": "ended_at IS NOT NULL", "duration": "duration IS NOT NULL", "by": "by > ''"}
_OF_VALUE = "execution_values AS sorted ON sorted.execution = executions.number"

Value = float | str
_Number = Annotated[int, msgspec.Meta(ge=0, le=2**53)]
_decoder = msgspec.json.Decoder(tuple[str, _Number, Value])


class Sorting(Struct, frozen=True):
    """A sort as statements have it.

    Attributes:
        text: As it is asked for.

        sort: The same, read.

        key: SQL of what decides, before the number of the execution.

        walk: Says over which index executions are gone along, where that is not by a value.

        side, name: Of a value.

        equal: Whether conditions leave one key only, so that numbers decide.
    """

    text: str
    sort: Sort
    key: str
    walk: str = ""
    side: str = ""
    name: str = ""
    equal: bool = False

    @property
    def order(self) -> str:
        """What ``ORDER BY`` says."""
        way = "DESC" if self.sort.descending else "ASC"
        number = "sorted.execution" if self.side else "number"
        return f"{number} {way}" if self.by_number or self.equal else f"{self.key} {way}, {number} {way}"

    @property
    def order_of_few(self) -> str:
        """The same of what conditions have found, which is sorted: an index in this order would be gone along all of a place."""
        return self.order if self.by_number or self.equal or self.side else f"+{self.order}"

    @property
    def by_number(self) -> bool:
        """Whether it is that of their launches."""
        return self.key == "number"

    def having(self) -> tuple[str, Sequence[str]]:
        """A condition that only what has something to be sorted by fulfils, and its values."""
        if self.side:
            return "sorted.side = ? AND sorted.name = ?", (self.side, self.name)
        return _HAVING.get(self.key, "1"), ()

    def source(self, *, along: bool) -> str:
        """What ``FROM`` says, to go `along` the order, or to have executions found by conditions."""
        if self.side:
            walked = "execution_values AS sorted INDEXED BY execution_values_by_key CROSS JOIN executions"
            return (
                f"{walked} ON executions.number = sorted.execution" if along else f"executions CROSS JOIN {_OF_VALUE}"
            )
        return f"executions {self.walk}" if along else "executions"

    def behind(self, at: tuple[int, Value]) -> tuple[str, Sequence[Value]]:
        """The condition that holds behind a place, and its values."""
        than = "<" if self.sort.descending else ">"
        number = "sorted.execution" if self.side else "number"
        if self.by_number or self.equal:
            return f"{number} {than} ?", (at[0],)
        return f"({self.key}, {number}) {than} (?, ?)", (at[1], at[0])

    def token(self, id: str, number: int, key: Value) -> str:
        """Where the next page begins: behind what was last, as it was then. It may have another place when that is asked for, or
        none."""
        if self.by_number:
            return id
        return _MARK + base64.urlsafe_b64encode(msgspec.json.encode((self.text, number, key))).decode().rstrip("=")


def check_kept(name: str) -> None:
    """Raise InputError for a label of ours that the history does not have."""
    if not is_told(name):
        raise InputError(
            f"The history does not have the label {name[:80]!r}: nothing is found or sorted by it.",
            hint=f"Of those that are ours, executions are found by {', '.join((*OURS, BACKFILL_LABEL, BY_LABEL))}.",
        )


def sorting_of(text: str) -> Sorting:
    """Raises InputError."""
    sort = EXECUTION_SORTS.parse(text)
    if sort.key == "labels":
        check_kept(sort.name)
    if sort.name:
        return Sorting(text, sort, "sorted.key", side=sort.key, name=sort.name)
    return Sorting(text, sort, *_COLUMNS[sort.key])


def place_of(db: sqlite3.Connection, sorting: Sorting, after: str, within: tuple[str, ...] | None) -> tuple[int, Value]:
    """The number and the key behind which a page begins: those of a token, or those that an execution within places has now.

    Raises:
        NotFound: There is no such execution, or it is not in a list of this sort.
        InputError: The token is of another sort.
    """
    if after.startswith(_MARK):
        return _read(sorting, after)
    condition, inside = clause(within)
    having, values = sorting.having()
    row: tuple[int, Value] | None = db.execute(
        f"SELECT executions.number, {sorting.key} FROM {sorting.source(along=False)} "
        f"WHERE executions.id = ? AND {condition} AND {having}",
        (after, *inside, *values),
    ).fetchone()
    if row is None:
        why = "" if sorting.by_number else f", or it has nothing to be sorted by: {sorting.text.removeprefix('-')}"
        raise NotFound(f"There is no execution {after[:80]!r} in the history{why}.")
    return row


def _read(sorting: Sorting, token: str) -> tuple[int, Value]:
    try:
        raw = base64.b64decode(token[1:] + "=" * (-(len(token) - 1) % 4), altchars=b"-_", validate=True)
        text, number, key = _decoder.decode(raw)
    except (ValueError, msgspec.MsgspecError):
        raise NotFound(f"There is no page behind {token[:80]!r}.") from None
    if text != sorting.text:
        raise InputError(
            f"{token[:80]!r} continues a list that is sorted by {text[:80]}, not by {sorting.text}.",
            hint="Begin the list anew.",
        )
    return number, key
