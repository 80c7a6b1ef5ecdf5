"""What the tests of all distributions share."""

import pytest


@pytest.fixture(scope="session")
def anyio_backend() -> str:
    """Tests written as `async def` run on asyncio, the one loop that Wingbeat supports."""
    return "asyncio"
