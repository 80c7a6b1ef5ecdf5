"""Other processes of the machine find the server of a home."""

import fcntl
import subprocess
import sys
import threading

import pytest

from wingbeat.base.errors import ConfigurationError
from wingbeat.testing.home import TemporaryHome
from wingbeat_admin import plugin
from wingbeat_admin.client.admin import HttpAdmin
from wingbeat_admin.local.admin import LocalAdmin
from wingbeat_admin.place import Served, announce, announced, server_of

HOLD = """
import sys, time
from wingbeat_admin.place import Served, announce, announced
with announced(sys.argv[1]) as place:
    announce(place, Served("http://127.0.0.1:1", "k"))
    print("there", flush=True)
    time.sleep(60)
"""


def test_a_server_is_found_while_it_runs(tmp_path):
    assert server_of(str(tmp_path)) is None
    with announced(str(tmp_path)) as place:
        announce(place, Served("http://127.0.0.1:12345", "k"))
        announce(place, Served("http://[::1]:1", "k"))
        assert server_of(str(tmp_path)) == Served("http://[::1]:1", "k")
        with (
            pytest.raises(ConfigurationError, match=r"is served already, at http://\[::1\]:1"),
            announced(str(tmp_path)),
        ):
            pass
        assert server_of(str(tmp_path)) == Served("http://[::1]:1", "k")
    assert server_of(str(tmp_path)) is None


def test_who_only_looks_keeps_no_server_from_its_place(tmp_path):
    """Attempts look often while they wait for one."""
    (tmp_path / "server").touch()
    with (tmp_path / "server").open() as looking:
        fcntl.flock(looking, fcntl.LOCK_SH)
        threading.Timer(0.1, lambda: fcntl.flock(looking, fcntl.LOCK_UN)).start()
        with announced(str(tmp_path)) as place:
            announce(place, Served("http://127.0.0.1:1"))
            assert server_of(str(tmp_path)) == Served("http://127.0.0.1:1")


def test_one_that_was_killed_is_not_found(tmp_path):
    with subprocess.Popen([sys.executable, "-c", HOLD, str(tmp_path)], stdout=subprocess.PIPE) as server:
        assert server.stdout.readline() == b"there\n"
        assert server_of(str(tmp_path)).url == "http://127.0.0.1:1"
        server.kill()
    assert server_of(str(tmp_path)) is None


def test_the_admin_of_a_home_is_that_of_its_server(tmp_path):
    home = TemporaryHome(tmp_path)
    assert isinstance(plugin._local(home, object()), LocalAdmin)
    with announced(home.path) as place:
        announce(place, Served("http://127.0.0.1:1", "k"))
        assert isinstance(plugin._local(home, object()), HttpAdmin)
