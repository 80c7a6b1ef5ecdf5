"""How executions are found by what is asked: as conditions of statements. Statements within the transactions of `Store`."""

from __future__ import annotations

import sqlite3
from collections.abc import Sequence
from typing import Any

import msgspec
from msgspec import Struct

from wingbeat.contracts.admin import ExecutionQuery
from wingbeat.spec.identity import parse_name, parse_reference, version_key
from wingbeat.spec.valuefilter import number_of, parse_value_filter
from wingbeat_admin.local import inventory
from wingbeat_admin.local.sorting import OURS, Sorting, check_kept
from wingbeat_admin.places import clause

FEW = 1000
"""What holds for so many executions is found first; what holds for more is asked of each at its turn."""
SORTED_MAX = 10_000
"""So many executions are sorted where conditions find no more; where they find more, all are gone along in their order."""
_EQUAL = "{} = ?"
_NUMERIC = {
    "=": _EQUAL,
    "!=": "{} IS NOT ?",
    "<": "{} < ?",
    "<=": "{} <= ?",
    ">": "{} > ? AND {} < ''",
    ">=": "{} >= ? AND {} < ''",
}
_TEXTUAL = {
    "=": _EQUAL,
    "!=": "{} IS NOT ?",
    "<": "{} < ? AND {} >= ''",
    "<=": "{} <= ? AND {} >= ''",
    ">": "{} > ?",
    ">=": "{} >= ?",
}
"""Numbers are before texts: what is compared with a text is none."""


class Condition(Struct, frozen=True):
    """What has to hold: SQL with its values, and whether an index finds what it holds for."""

    text: str
    values: Sequence[Any] = ()
    finds: bool = True


def selected(db: sqlite3.Connection, query: ExecutionQuery, sorting: Sorting) -> list[Condition]:
    """All that has to hold. Raises InputError for a condition that is none."""
    found = []
    if query.within is not None:
        found.append(Condition(*clause(query.within)))
    for column in ("project", "domain", "phase", "workflow"):
        if value := getattr(query, column):
            found.append(Condition(f"{column} = ?", [value]))
    if query.entity:
        found.append(_of_entity(db, query.entity))
    for sign, moment in ((">=", query.since), ("<", query.until)):
        if moment is not None:
            few = f"SELECT number FROM executions WHERE created_at {sign} ?"
            found.append(_few_or_many(db, few, f"+created_at {sign} ?", [moment]))
    found += [_of_label(db, sorting, name, text) for name, text in query.labels.items()]
    for each in map(parse_value_filter, query.values):
        if each.number is not None:  # 1 is 1.0, and PT60M is PT1H
            form = _NUMERIC[each.operator]
            found.append(_of_value(db, sorting, each.side, each.name, "key", form, each.number))
        else:
            column = "text" if each.operator in ("=", "!=") else "key"
            found.append(_of_value(db, sorting, each.side, each.name, column, _TEXTUAL[each.operator], each.value))
    return found


def _of_entity(db: sqlite3.Connection, reference: str) -> Condition:
    """Of a launch plan what was launched as it; of a workflow also what its launch plans have launched, in their versions."""
    name, version = parse_reference(reference)
    values = [name.project, name.domain, name.name]
    if inventory.is_plan(db, name):
        if version:
            return Condition("entity = ?", [reference])
        return Condition("project = ? AND domain = ? AND executions.name = ?", values)
    runs = "project = ? AND domain = ? AND runs = ?"
    if not version:
        return Condition(runs, values)
    exactly = "version_key = ? AND substr(entity, instr(entity, '@') + 1) = ?"
    return Condition(f"{runs} AND {exactly}", [*values, version_key(version), version])


def settled(db: sqlite3.Connection, query: ExecutionQuery, sorting: Sorting) -> Sorting:
    """The same sorting, which knows whether what is asked leaves anything to be sorted but launches."""
    name, _, version = query.entity.partition("@")
    if name and not inventory.is_plan(db, parse_name(name)):
        name = ""  # what runs a workflow may have the names of its launch plans
    asked = {"phase": query.phase, "workflow": query.workflow, "name": name, "version": version}
    conditions = [each for each in map(parse_value_filter, query.values) if each.operator == "="]
    values: set[tuple[str, str]] = {(each.side, each.name) for each in conditions}
    values |= {("labels", name) for name, text in query.labels.items() if _is_text(text)}
    equal = (sorting.side, sorting.name) in values or bool(asked.get(sorting.sort.key))
    return msgspec.structs.replace(sorting, equal=equal)


def _is_text(value: str | float) -> bool:
    """Whether it is no number, nor the text of one: so that nothing but this text has it as its key."""
    return isinstance(value, str) and number_of(value) is None


def _of_value(
    db: sqlite3.Connection, sorting: Sorting, side: str, name: str, column: str, form: str, value: str | float
) -> Condition:
    """A condition on a value, where `form` has the place of the column, twice at most."""
    if (side, name) == (sorting.side, sorting.name):
        column = "key" if form == _EQUAL and _is_text(value) else column
        return Condition(form.format(*[f"sorted.{column}"] * 2), [value], finds=False)
    one = "FROM execution_values WHERE side = ? AND name = ? AND"
    few = f"SELECT execution {one} {form.format(column, column)}"
    many = f"EXISTS (SELECT 1 {one} {form.format(*[f'+{column}'] * 2)} AND execution = executions.number)"
    return _few_or_many(db, few, many, [side, name, value])


def _of_label(db: sqlite3.Connection, sorting: Sorting, name: str, text: str) -> Condition:
    """A condition on a label. Of ours, some are columns; the others are not kept."""
    if column := OURS.get(name):
        return Condition(f"{column} = ? AND {column} != ''", [text])
    check_kept(name)
    return _of_value(db, sorting, "labels", name, "text", _EQUAL, text)


def _few_or_many(db: sqlite3.Connection, few: str, many: str, given: Sequence[Any]) -> Condition:
    """A condition that holds for `few` executions, which are found first; or for many, so that each is asked at its turn."""
    (count,) = db.execute(f"SELECT count(*) FROM ({few} LIMIT {FEW + 1})", given).fetchone()
    is_few = count <= FEW
    return Condition(f"executions.number IN ({few})" if is_few else many, given, finds=is_few)


def is_gone_along(db: sqlite3.Connection, sorting: Sorting, conditions: Sequence[Condition]) -> bool:
    """Whether the order is gone along until a page is full, as conditions find more than is sorted for one. Whatever finds
    executions finds them by their launches: that order needs it only where several places are looked at."""
    finding = [each for each in conditions if each.finds]
    are_several_places = len(finding) == 1 and " OR " in finding[0].text
    if (sorting.by_number and not are_several_places) or (sorting.equal and not sorting.side):
        return False
    if not finding:
        return True
    where = " AND ".join(each.text for each in finding)
    values = [value for each in finding for value in each.values]
    found = f"SELECT 1 FROM executions WHERE {where} LIMIT {SORTED_MAX + 1}"
    (count,) = db.execute(f"SELECT count(*) FROM ({found})", values).fetchone()
    return bool(count > SORTED_MAX)
