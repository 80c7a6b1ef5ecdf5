"""A kit that is run from a program."""

import os
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import pytest

from wingbeat.base.errors import ConfigurationError
from wingbeat.testing import check
from wingbeat.testing.conformance.admin_told import ToldContract
from wingbeat.testing.conformance.engine_quotas import QuotasContract
from wingbeat.testing.conformance.journal_prune import PruneContract
from wingbeat.testing.conformance.registered import kit
from wingbeat.testing.conformance.storage_sweep import SweepContract
from wingbeat.testing.home import TemporaryHome

pytestmark = pytest.mark.timeout(180)
BEGIN_IN_THE_MIDDLE = {
    "test_it_takes_events_of_every_kind",
    "test_it_takes_what_it_was_told_before",
    "test_it_leaves_the_events_as_they_are",
}


def outcomes(results):
    return {result.test: result.outcome for result in results}


def test_what_keeps_its_contract_passes():
    results = list(check.run("p_good", "observer", "silent"))
    assert {result.seam for result in results} == {"observer"}
    assert set(outcomes(results).values()) == {"passed", "skipped"}
    (skipped,) = (result for result in results if result.outcome == "skipped")
    assert skipped.summary == "nobody knows what has come out: override told()"
    assert all(result.passed for result in results)


@pytest.mark.parametrize(
    ("seam", "name", "also"), [("journal", "sqlite", PruneContract), ("storage", "store", SweepContract)]
)
def test_what_can_be_done_besides_is_tested_by_its_name(seam, name, also):
    assert issubclass(kit("wingbeat.builtin.plugin", seam, name), also)


def test_what_cannot_be_is_not():
    assert not issubclass(kit("p_elsewhere", "engine", "far"), QuotasContract)
    assert not issubclass(kit("p_elsewhere", "admin", "far"), ToldContract)


def test_what_does_not_fails_with_the_reason():
    results = [result for result in check.run("p_undocumented", "plugin", "") if not result.passed]
    assert [result.test for result in results] == ["test_its_settings_are_documented"]
    assert "settings of [kit_colors] that its docstring does not tell (Attributes:): ['size']" in results[0].summary


def test_what_ends_the_process_fails_and_the_others_go_on():
    results = {result.test: result for result in check.run("p_ends", "observer", "ends")}
    assert {test for test, result in results.items() if not result.passed} == BEGIN_IN_THE_MIDDLE
    why = "it has ended the process of the test (exit code 3)"
    assert {results[test].message.partition(": \n")[0][: len(why)] for test in BEGIN_IN_THE_MIDDLE} == {why}
    assert len(results) == 12


def test_what_hangs_fails_and_the_others_go_on_until_too_many_hang(monkeypatch):
    monkeypatch.setattr(check, "HANGS_MAX", len(BEGIN_IN_THE_MIDDLE))
    results = list(check.run("p_ends", "observer", "sleeps", test_s_max=1))
    began = [result for result in results if not result.message.startswith("not run: too many tests before it")]
    assert {result.test for result in began if not result.passed} == BEGIN_IN_THE_MIDDLE
    assert {result.message for result in began if not result.passed} == {"it hangs: no end after 1 s"}
    assert began[4].passed, "there are two that hang before it, and one behind"
    assert len(began) < len(results) == 12
    assert not any(result.passed for result in results[len(began) :])


def test_what_cannot_be_cancelled_fails_early_and_as_soon_as_patience_says():
    began = time.monotonic()
    results = list(check.run("p_ends", "observer", "keeps", patience_s=0.5))
    assert time.monotonic() - began < 60
    assert (results[0].test, results[0].outcome) == ("test_a_call_lets_itself_be_cancelled", "failed")
    assert "observe does not let itself be cancelled: it goes on 0.25 s after that" in results[0].message
    assert "has not answered for 0.5 s, and does not let itself be cancelled" in results[1].message
    assert "p_ends.py:" in results[1].summary, "where it stays"
    assert results[-1].message.startswith("not run: too many tests before it have ended the process or hung")


def test_a_bound_of_its_own_wins_over_that_of_patience(monkeypatch):
    asked = []

    def turn(folder, number, story, test_s_max):
        asked.append(test_s_max)
        return iter(())

    monkeypatch.setattr(check, "_turn", turn)
    for given in ({}, {"patience_s": 2}, {"patience_s": 100}, {"patience_s": 100, "test_s_max": 7}):
        list(check.run("p_good", "observer", "silent", **given))
    assert asked == [check.TEST_S_MAX, 8 + check.MARGIN_S, 400 + check.MARGIN_S, 7]


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM])
def test_no_process_of_a_kit_stays_behind_who_asked(number, tmp_path):
    says = tmp_path / "says"
    program = "from wingbeat.testing import check; list(check.run('p_ends', 'observer', 'says', test_s_max=120))"
    places = os.pathsep.join(path for path in sys.path if path)
    environment = {**os.environ, "P_ENDS_SAYS": str(says), "PYTHONPATH": places, "TMPDIR": str(tmp_path)}
    asking = subprocess.Popen([sys.executable, "-c", program], env=environment)
    try:
        until(lambda: says.exists() and says.read_text())
    finally:
        asking.send_signal(number)
        asking.wait()
    until(lambda: is_gone(int(says.read_text())))


def until(condition):
    end = time.monotonic() + 60
    while not condition():
        assert time.monotonic() < end
        time.sleep(0.02)


def is_gone(process):
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return True
    stat = Path(f"/proc/{process}/stat")
    return stat.exists() and stat.read_text().rpartition(")")[2].split()[0] == "Z"  # nobody here waits for it


def test_what_does_not_even_start_is_told(monkeypatch):
    monkeypatch.setattr(check, "START_S_MAX", 0.1)
    with pytest.raises(ConfigurationError, match=r"cannot be run .* 'silent' of p_good: it hangs: no end after 0\.1 s"):
        list(check.run("p_good", "observer", "silent"))


def test_what_makes_environments_is_tested_by_its_name():
    results = list(check.run("wingbeat.builtin.plugin", "environments", "uv"))
    assert all(result.passed for result in results)
    assert outcomes(results)["test_interpreters_run_wingbeat"] == "passed"
    assert outcomes(results)["test_a_lock_of_a_project_is_read_and_made"] == "skipped"


async def test_engines_and_admins_are_opened_by_their_names(tmp_path):
    home = TemporaryHome(tmp_path)
    async with kit("p_elsewhere", "engine", "far")().opened(home) as engine:
        assert engine.calls == ["open"]
    assert engine.calls == ["open", "close"]
    made = kit("p_elsewhere", "admin", "far")
    async with made().opened(home, engine) as admin:
        assert (admin.calls, admin.engine) == (["open"], engine)
    assert admin.calls == ["open", "close"]
    assert made.searches is None, "what it looks for is not known by its name"


def test_nothing_is_sent_to_the_channels_of_a_notifier_that_is_tested_by_its_name():
    results = list(check.run("p_elsewhere", "notifier", "silent"))
    assert {test for test, outcome in outcomes(results).items() if outcome == "passed"} == {
        "test_it_knows_its_channels",
        "test_closing_is_always_possible",
    }
    assert all(result.passed for result in results)
    assert {result.summary for result in check.run("p_elsewhere", "notifier", "off")} == {
        "its settings switch it off; --set those that switch it on"
    }


def test_a_command_is_tested_by_its_name():
    results = list(check.run("p_elsewhere", "command", "notes"))
    assert all(result.passed for result in results)
    assert outcomes(results)["test_it_can_be_completed"] == "passed"
    with pytest.raises(ConfigurationError, match=r"registers no command 'x'(.|\n)*'notes'"):
        list(check.run("p_elsewhere", "command", "x"))


def test_patience_is_that_of_who_asks():
    results = {result.test: result for result in check.run("p_elsewhere", "observer", "waits", patience_s=0.3)}
    assert "has not answered for 0.3 s" in results["test_it_takes_events_of_every_kind"].message
    assert kit("p_good", "kit", "own_kits:TestRing", patience_s=7).patience_s == 7
    for none in (0, -1, float("inf"), float("nan")):
        with pytest.raises(ConfigurationError, match="A patience of .* s is none"):
            list(check.run("p_good", "observer", "silent", patience_s=none))


def test_kits_say_what_was_compared_not_that_something_was():
    failed = [result for result in check.run("p_good", "kit", "own_kits:TestTalks") if not result.passed]
    assert {result.test.partition("[")[0] for result in failed} == {"test_it_tells_of_every_phase"}
    assert "notify answers nothing, not {'a': 1}" in failed[0].summary
    assert any("assert {'a': 1} is None" in line for line in failed[0].message.splitlines())


def test_settings_are_given_to_the_factory():
    results = list(check.run("wingbeat.builtin.plugin", "journal", "sqlite", settings={"journal": {"busy": 1}}))
    assert {result.outcome for result in results} == {"failed"}
    said = [result for result in results if "There is no setting journal.busy (given to the test)" in result.message]
    assert len(said) >= len(results) - 2  # what is to be killed cannot say it


def test_what_is_not_registered_is_told():
    with pytest.raises(ConfigurationError, match=r"registers no observer 'other'(.|\n)*observer 'silent'"):
        list(check.run("p_good", "observer", "other"))
    with pytest.raises(ConfigurationError, match="no kit that tests a wrapper by its name"):
        list(check.run("p_good", "wrapper", "silent"))


def test_without_pytest_it_says_what_to_install(monkeypatch):
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    with pytest.raises(ConfigurationError, match=r"pytest and hypothesis(.|\n)*wingbeat\[testing\]"):
        list(check.run("p_good", "observer", "silent"))


def test_importing_the_package_imports_no_pytest():
    program = "import sys, wingbeat.testing.check, wingbeat.testing.home; sys.exit('pytest' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", program], check=False).returncode == 0


def test_test_classes_of_the_plugin_are_run():
    results = list(check.run("p_good", "kit", "own_kits:TestRing"))
    assert len(results) > 5
    assert all(result.passed for result in results)
    broken = [result for result in check.run("p_good", "kit", "own_kits:TestForgetful") if not result.passed]
    assert "test_values_come_back" in {result.test for result in broken}
    for target in ("own_kits:Nowhere", "nowhere:TestRing", "own_kits:SAMPLES"):
        with pytest.raises(ConfigurationError, match=f"The kit {target} of the plugin"):
            list(check.run("p_good", "kit", target))


def test_what_hangs_in_a_wrapper_is_told_with_its_place_and_goes_with_the_kit(monkeypatch, tmp_path):
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    monkeypatch.setattr(tempfile, "tempdir", None)
    found = {r.test: r for r in check.run("p_good", "kit", "own_kits:TestHangs", patience_s=1.0)}
    told = found["test_it_offers_parameters_by_type_or_name"].summary
    assert told.startswith("Failed: it hangs: HangsWhenItIsEntered.enter has not ended for 1 s; wrapped.py:")
    assert "Sink.ended('e/n/0', …) has not been called" in found["test_an_attempt_inside_it_succeeds"].summary
    running = subprocess.run(["ps", "-eo", "args"], capture_output=True, text=True, check=True).stdout
    assert str(tmp_path) not in running, "the parent of the attempt that hangs"
