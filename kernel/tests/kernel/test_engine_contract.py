"""The engine in this process, and that of another one through its socket, keep the contract."""

import contextlib

from wingbeat import Kernel
from wingbeat.testing.conformance.engine_quotas import QuotasContract
from wingbeat.testing.conformance.engine_vouching import VouchingContract


class TestInThisProcess(QuotasContract, VouchingContract):
    @contextlib.asynccontextmanager
    async def opened(self, home):
        async with Kernel(home.path, discover=False) as kernel:
            assert kernel.holds
            yield kernel.engine


class TestThroughTheSocket(QuotasContract, VouchingContract):
    @contextlib.asynccontextmanager
    async def opened(self, home):
        async with Kernel(home.path, discover=False), Kernel(home.path, discover=False) as kernel:
            assert not kernel.holds
            yield kernel.engine
