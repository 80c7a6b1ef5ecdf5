"""Bodies of requests: what reads them, and what two readers could read differently."""

from typing import Any

import pytest

from wingbeat.base.errors import InputError
from wingbeat.contracts.admin import Launch
from wingbeat_admin.server.bodies import TWICE_BYTES_MAX, body_of


class Request:
    def __init__(self, text: str) -> None:
        self._body = text.encode()

    async def body(self) -> bytes:
        return self._body


async def read(text: str) -> Any:
    return await body_of(Request(text), Launch)


@pytest.mark.parametrize(
    ("body", "name"),
    [
        ('{"entity": "a/b/c", "name": "x", "name": "y"}', "name"),
        ('{"entity": "a/b/c", "inputs": {"n": 1, "n": 2}}', "n"),
        ('{"entity": "a/b/c", "inputs": {"all": [{"k": {"\\u0061": 1, "a": 2}}]}}', "a"),
    ],
)
async def test_a_name_that_is_there_twice_is_refused(body, name):
    with pytest.raises(InputError, match=f"The body has '{name}' twice in one object"):
        await read(body)


async def test_names_of_several_objects_are_not_twice_there():
    found = await read(
        '{"entity": "a/b/c", "inputs": {"x": [{"a": 1}, {"a": -1.5e3}], "a": {"a": 123456789012345678901}}}'
    )
    assert found.inputs["x"] == [{"a": 1}, {"a": -1500.0}]


async def test_in_a_large_body_the_last_one_counts():
    found = await read('{"entity": "a/b/c", "name": "x", "name": "y", "inputs": {"x": "%s"}}' % ("x" * TWICE_BYTES_MAX))
    assert found.name == "y"
