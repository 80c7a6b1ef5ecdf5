"""The kits, on a cluster of the test's own."""

from __future__ import annotations

import pytest
from distributed import LocalCluster

from acme_dask import plugin
from wingbeat.testing.conformance.executor import ExecutorContract
from wingbeat.testing.conformance.plugin import PluginContract


@pytest.fixture(scope="module")
def cluster():
    with LocalCluster(n_workers=2, threads_per_worker=4, dashboard_address=None) as made:
        yield made


class TestExecutor(ExecutorContract):
    patience_s = 90.0
    load = 30
    examples = 5

    @pytest.fixture(autouse=True)
    def address(self, cluster):
        self.settings = {"dask": {"address": cluster.scheduler_address}}

    def make(self, home):
        return plugin.make(home)


class TestPlugin(PluginContract):
    module = "acme_dask.plugin"
    name = "dask"
