"""What is registered, run and followed from the shell through a server."""

import json
import signal
import socket
import subprocess
import time
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from threading import Thread

import pytest
from shells import BUILD, Shell

pytestmark = pytest.mark.servers


def test_a_server_serves_until_it_is_told_to_stop(shell: Shell) -> None:
    with shell.serving() as (url, server):
        host, _, port = url.removeprefix("http://").partition(":")
        assert host == "127.0.0.1"
        assert int(port) > 0
        server.send_signal(signal.SIGTERM)
        out, err = server.communicate(timeout=30)
        assert (server.returncode, out, err) == (0, "", "stopped; nothing is lost\n")


def test_what_works_in_a_home_works_through_a_server(there: Shell) -> None:
    assert there.register().status == 0
    assert "already there" in there.register().out
    there.change()
    conflict = there.register()
    assert conflict.status == 6
    assert "task flow.survey: code: changed" in conflict.err
    assert there("launch", f"{BUILD}@v9", "--city", "sf").status == 4
    assert there("launch", f"{BUILD}@v1").status == 2
    assert there("launch", "maps/production/short", "--streets", "2").status == 2
    assert there("activate", "launchplan", "maps/production/trained@v1").status == 0
    done = there("launch", f"{BUILD}@v1", "--city", "sf", "--name", "made", "--wait")
    assert (done.status, done.out) == (0, 'o0 = ["sf 0", "sf 1", "sf 2"]\n')
    end = time.monotonic() + 30
    while not (found := there("get", "executions", "--entity", "maps/production/trained", "-o", "json").json["items"]):
        assert time.monotonic() < end
    assert (found[0]["cause"], found[0]["entity"]) == ("made", "maps/production/trained@v1")
    assert there("deactivate", "launchplan", "maps/production/trained").status == 0


def test_files_that_differ_are_named_though_nothing_of_them_is_here(there: Shell) -> None:
    assert there.register().status == 0
    there.change()
    (there.root / "more.py").touch()
    assert there.register("v2").status == 0
    found = there("spec", "diff", f"{BUILD}@v1", f"{BUILD}@v2", WINGBEAT_HOME=str(there.root / "nothing"))
    assert (found.status, found.err) == (1, "")
    assert found.out.endswith("bundle: changed\n  flow.py: changed\n  more.py: added\n")


def test_other_commands_through_a_server(there: Shell) -> None:
    failed = there("run", "flow.py", "dividing", "--x", "0", "--name", "failed")
    assert failed.status == 1
    assert "ZeroDivisionError" in failed.err
    assert there("get", "execution", "failed", "-o", "json").json["error"]["code"] == "ZeroDivisionError"
    assert "flow.dividing" in there("describe", "execution", "failed").out
    assert "ZeroDivisionError: division by zero" in there("logs", "failed", "n0").out
    assert "not cached" in there("explain", "cache", "failed", "n0").out
    assert "RUNS" in there("recover", "failed", "--plan").out
    assert there("recover", "failed").status == 1
    assert "failed" in there("get", "executions").out
    assert there("get", "execution", "none").status == 4


def test_a_server_is_watched(there: Shell) -> None:
    there.register()
    streams = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE}
    there("launch", "maps/production/short", "--name", "before", "--wait")
    every = there.start("watch", "executions", **streams)
    ours = there.start("watch", "executions", "--entity", "maps/production/flow.waiting", "-o", "json", **streams)
    assert every.stdout is not None
    assert ours.stdout is not None
    assert every.stdout.readline().startswith("before  flow.build  SUCCEEDED")
    there("launch", "maps/production/flow.waiting", "--x", "1", "--name", "long")
    there("launch", "maps/production/short", "--name", "other", "--wait")
    there.until("begun")
    one = there.start("watch", "execution", "long", **streams)
    (there.root / "go").touch()
    out, err = one.communicate(timeout=30)
    assert (one.returncode, err) == (0, "")
    assert out.splitlines()[-1] == "o0 = 1"
    assert any(line.startswith("long  flow.waiting  SUCCEEDED") for line in every.stdout)
    told = [json.loads(ours.stdout.readline())]
    while told[-1]["phase"] != "SUCCEEDED":
        told.append(json.loads(ours.stdout.readline()))
    assert {each["id"] for each in told} == {"long"}
    for process in (every, ours):
        process.send_signal(signal.SIGINT)
        _, err = process.communicate(timeout=30)
        assert (process.returncode, err) == (130, "")


def test_gates_and_aborts_through_a_server(there: Shell) -> None:
    there.register()
    there("launch", "maps/production/flow.gated", "--name", "gated")
    assert there("signal", "gated", "number", "many").status == 2
    assert there("signal", "gated", "number", "4").status == 0
    assert there("approve", "gated", "good").status == 0
    done = there("launch", "maps/production/flow.gated", "--name", "gated", "--wait")
    assert (done.status, done.out) == (0, "o0 = 0.25\n")
    launched = there("launch", "maps/production/flow.waiting", "--x", "1", "--name", "long")
    assert (launched.status, launched.err) == (0, "")
    there.until("begun")
    assert "n0" in there("explain", "waiting", "long").out
    assert there("abort", "long", "--reason", "enough").out == "long ABORTED: enough\n"
    assert there("get", "executions", "-p", "maps", "--phase", "ABORTED", "-o", "json").json["items"][0]["id"] == "long"


def test_who_waits_goes_on_with_the_next_server(shell: Shell) -> None:
    with shell.serving() as (url, server):
        there, port = Shell(shell.root, url), url.rpartition(":")[2]
        there.register()
        line = ("launch", "maps/production/flow.waiting", "--x", "7", "--wait")
        waiting = there.start(*line, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        there.until("begun")
        server.kill()
        server.wait()
    with shell.serving("--port", port):
        (shell.root / "go").touch()
        out, err = waiting.communicate(timeout=30)
    assert (waiting.returncode, out) == (0, "o0 = 7\n"), err


def test_a_server_that_is_stopped_while_others_follow_says_nothing_more(shell: Shell) -> None:
    with shell.serving() as (url, server):
        there, port = Shell(shell.root, url), url.rpartition(":")[2]
        there.environment["HTTP_PROXY"] = "http://127.0.0.1:9"  # is not for this machine
        waiting = there.start("run", "flow.py", "waiting", "--x", "7", stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        there.until("begun")
        server.send_signal(signal.SIGTERM)
        out, err = server.communicate(timeout=30)
        assert (server.returncode, err) == (0, "stopped; nothing is lost\n")
    with shell.serving("--port", port):
        (shell.root / "go").touch()
        out, err = waiting.communicate(timeout=30)
    assert (waiting.returncode, out) == (0, "o0 = 7\n"), err


def test_commands_find_the_server_of_their_home(shell: Shell) -> None:
    shell.register()
    with shell.serving() as (url, _):
        assert f"{BUILD}@v1" in shell("get", "workflows").out
        assert shell("launch", "maps/production/short", "--name", "beside", "--wait").status == 0
        assert shell("get", "executions", "-p", "maps", "-o", "json").json["items"][0]["id"] == "beside"
        assert shell("run", "flow.py", "dividing", "--x", "1").status == 0
        again = shell("serve", "--port", "0")
        assert (again.status, again.out) == (2, "")
        assert f"is served already, at {url}" in again.err
        other = Shell(shell.root)
        other.environment["WINGBEAT_HOME"] = str(shell.root / "another")
        taken = other("serve", "--port", url.rpartition(":")[2])
        assert taken.status == 2
        assert "Address already in use" in taken.err
        open_to_all = other("serve", "--host", "0.0.0.0", "--port", "0")
        assert open_to_all.status == 2
        assert "loopback only" in open_to_all.err


def test_a_server_is_used_from_another_home(there: Shell) -> None:
    """Code goes there with what is registered or run, files with the inputs; values, files and logs come back."""
    there.environment["WINGBEAT_HOME"] = str(there.root / "another")
    assert there.register().status == 0
    assert there("run", "flow.py", "dividing", "--x", "4").out == "o0 = 0.25\n"
    done = there("launch", "maps/production/flow.both", "--text", "hello", "--name", "both", "--wait", "-o", "json")
    assert (done.status, done.json["phase"]) == (0, "SUCCEEDED")
    large, file = done.json["outputs"].values()
    assert len(large) > 2**20
    assert Path(file).read_text() == "hello"
    assert there("describe", "execution", "both").status == 0
    assert there("launch", "maps/production/flow.build", "--city", "sf", "--name", "built", "--wait").status == 0
    assert "surveying sf" in there("logs", "built").out


class Stranger(BaseHTTPRequestHandler):
    """Some other server."""

    def do_GET(self) -> None:
        self.send_response(200 if "entities" in self.path else 404)
        self.end_headers()
        self.wfile.write(b"<html>hello</html>")

    def log_message(self, *_: object) -> None:
        pass


def test_an_engine_chosen_by_settings_needs_no_home_here(there: Shell, tmp_path: Path) -> None:
    there("run", "flow.py", "dividing", "--x", "1", "--name", "one")
    chosen = {
        "WINGBEAT_HOME": str(tmp_path / "other"), "WINGBEAT_KERNEL__ENGINE": "http", "WINGBEAT_ENDPOINT": "",
        "WINGBEAT_ADMIN__ENDPOINT": there.environment["WINGBEAT_ENDPOINT"],
    }  # fmt: skip
    assert "one  flow.dividing  SUCCEEDED" in there("get", "executions", **chosen).out
    assert there("get", "execution", "one", **chosen).out == "o0 = 1.0\n"


def test_a_list_goes_on_behind_what_is_there(shell: Shell) -> None:
    shell("run", "flow.py", "dividing", "--x", "1", "--name", "one")
    with shell.serving() as (url, _):
        for line in (["get", "executions"], ["get", "executions", "-d", "x"], ["--endpoint", url, "get", "executions"]):
            done = shell(*line, "--after", "none")
            assert (done.status, done.out) == (4, "")
            assert "There is no execution 'none'" in done.err
    assert shell("get", "executions", "--after", "none").status == 4
    assert shell("get", "executions", "--after", "one").err == "there are no executions\n"


def test_endpoints_that_are_none(shell: Shell) -> None:
    for url in ("nonsense", "ftp://127.0.0.1:1", "http://", "http://127.0.0.1:99999", "http://a b:1", "http://[::1"):
        done = shell("--endpoint", url, "get", "workflows")
        assert done.status == 2, url
        assert "is no endpoint of a server" in done.err
    stranger = HTTPServer(("127.0.0.1", 0), Stranger)
    Thread(target=stranger.serve_forever, daemon=True).start()
    try:
        for listed in ("workflows", "executions"):
            done = shell("--endpoint", f"http://127.0.0.1:{stranger.server_port}", "get", listed)
            assert done.status == 1
            assert "is no Wingbeat server" in done.err
            assert "<html>" not in done.err
    finally:
        stranger.shutdown()
        stranger.server_close()


def test_that_nobody_answers_is_told_soon(shell: Shell) -> None:
    with socket.socket() as bound:
        bound.bind(("127.0.0.1", 0))  # and does not listen
        url = f"http://127.0.0.1:{bound.getsockname()[1]}"
        trying = shell.start("--endpoint", url, "get", "workflows", stderr=subprocess.PIPE)
        assert trying.stderr is not None
        assert trying.stderr.readline() == f"warning: Nobody answers at {url}; it is tried for 30 s.\n"
        trying.kill()
        trying.communicate()
