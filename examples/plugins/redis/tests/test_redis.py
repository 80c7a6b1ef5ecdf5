"""The kits, on a server of the test's own."""

from __future__ import annotations

import shutil

import pytest
from server import Server

from wingbeat.base.errors import ConfigurationError
from wingbeat.testing.conformance.catalog import CatalogContract
from wingbeat.testing.conformance.catalog_trim import TrimContract
from wingbeat.testing.conformance.plugin import PluginContract

pytestmark = pytest.mark.skipif(shutil.which("redis-server") is None, reason="redis-server is not installed")


@pytest.fixture(scope="module")
def server():
    made = Server()
    yield made
    made.close()


class TestCatalog(CatalogContract, TrimContract):
    @pytest.fixture(autouse=True)
    def url(self, server):
        self.url = server.url

    def make(self, home, clock):
        from acme_redis.catalog import RedisCatalog
        from acme_redis.plugin import RedisSettings

        return RedisCatalog(RedisSettings(url=self.url, prefix=home.path), clock)


class TestPlugin(PluginContract):
    module = "acme_redis.plugin"
    name = "redis"


@pytest.mark.anyio
async def test_a_server_that_is_not_there_is_told(tmp_path):
    from acme_redis.catalog import RedisCatalog
    from acme_redis.plugin import RedisSettings

    catalog = RedisCatalog(RedisSettings(url=f"unix://{tmp_path}/socket"))
    with pytest.raises(ConfigurationError, match="There is no Redis at"):
        await catalog.start()
    await catalog.close()


@pytest.fixture
def anyio_backend():
    return "asyncio"
