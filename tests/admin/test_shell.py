"""What is registered, from the shell: `wingbeat` with `wingbeat-admin`, in a home."""

import pytest
import yaml
from shells import BUILD, FLOW, MISTAKEN, Shell

pytestmark = pytest.mark.servers


# -- register, launch, lists


def test_a_version_never_changes(shell: Shell) -> None:
    done = shell.register()
    assert done.status == 0, done.err
    assert "maps/production/flow.build@v1     workflow     new" in done.out
    assert "maps/production/short@v1          launch plan  new" in done.out
    again = shell.register()
    assert again.status == 0
    assert "already there" in again.out
    assert " new" not in again.out
    shell.change()
    other = shell.register()
    assert (other.status, other.out) == (6, "")
    assert "maps/production/flow.build@v1 is registered already, with another content:" in other.err
    assert "task flow.survey: code: changed" in other.err
    assert "register under another one" in other.err
    assert f"wingbeat spec diff {BUILD}@v1 flow.py:build\n" in other.err
    assert shell.register("v2").status == 0
    as_it_was = shell("launch", f"{BUILD}@v1", "--city", "sf", "--streets", "1", "--wait")
    assert (as_it_was.status, as_it_was.out) == (0, 'o0 = ["sf 0"]\n')
    newest = shell("launch", BUILD, "--city", "sf", "--streets", "1", "--wait")
    assert newest.out == 'o0 = ["sf 1"]\n'


def test_registered_as_json_and_by_a_version_of_its_content(shell: Shell) -> None:
    first = shell("register", "flow.py", "-o", "json").json
    version = first["version"]
    assert len(version) == 16
    short = {"id": f"default/development/short@{version}", "kind": "launchplan", "created": True, "active": False}
    assert short in first["entities"]
    again = shell("register", "flow.py", "-o", "json").json
    assert again["version"] == version
    assert not any(each["created"] for each in again["entities"])
    shell.change()
    assert shell("register", "flow.py", "-o", "json").json["version"] != version


def test_several_files_are_registered_together_or_none_of_them(shell: Shell) -> None:
    (shell.root / "more.py").write_text("from wingbeat import task\n\n@task\ndef one() -> int:\n    return 1\n")
    (shell.root / "bad.py").write_text("from wingbeat import task\n\n@task\ndef two(x) -> int:\n    return 2\n")
    refused = shell("register", "more.py", "bad.py", "--version", "v1")
    assert refused.status == 3
    assert "two" in refused.err
    assert shell("get", "tasks", "-o", "json").json["items"] == []
    found = shell("register", "more.py", "flow.py", "more.py", "--version", "v1", "-o", "json").json["entities"]
    names = [each["id"] for each in found]
    assert names == sorted(set(names))
    assert {"default/development/more.one@v1", "default/development/flow.build@v1"} <= set(names)


@pytest.mark.parametrize(
    ("line", "said"),
    [
        (["register", "flow.py", "-p", "Maps"], "'Maps' cannot name a project"),
        (["register", "flow.py", "--version", "a b"], "'a b' cannot be a version"),
        (["register", "none.py"], "'none.py' does not exist"),
        (["register", "nothing"], "nothing has no workflow, no task and no launch plan"),
    ],
    ids=["project", "version", "no file", "no entity"],
)
def test_what_cannot_be_registered(shell: Shell, line: list[str], said: str) -> None:
    (shell.root / "nothing").mkdir()
    done = shell(*line)
    assert (done.status, done.out) == (2, "")
    assert said in done.err


def test_it_runs_without_its_sources(shell: Shell) -> None:
    shell.register()
    (shell.root / "flow.py").unlink()
    done = shell("launch", f"{BUILD}@v1", "--city", "sf", "--streets", "1", "--wait", "-o", "json")
    assert done.status == 0
    assert done.json["phase"] == "SUCCEEDED"
    assert done.json["outputs"] == {"o0": ["sf 0"]}
    before = shell("launch", "--wait", "-o", "json", "--label", "team=a", "maps/production/short@v1")
    assert before.json["outputs"] == {"o0": ["sf 0"]}
    task = shell("launch", "maps/production/flow.survey@v1", "--city=la", "--input", "streets=1", "--wait")
    assert task.out == 'o0 = ["la 0"]\n'


def test_inputs_of_a_launch_are_checked(shell: Shell) -> None:
    shell.register()

    def refused(*line: str) -> str:
        done = shell("launch", *line)
        assert (done.status, done.out) == (2, ""), done
        return done.err

    assert "input 'city' is missing; give it as --city STR" in refused(f"{BUILD}@v1")
    assert "No such option '--town'" in refused(f"{BUILD}@v1", "--town", "sf")
    assert "there is no input 'town'; the inputs are: city, streets" in refused(f"{BUILD}@v1", "--input", "town=sf")
    assert "input 'streets'" in refused(f"{BUILD}@v1", "--city", "sf", "--streets", "many")
    for line in (["--streets", "2"], ["--streets=2"], ["--input", "streets=2"], ["--input=streets=2"]):
        assert "input 'streets' is fixed by the launch plan maps/production/short@v1" in refused(
            "maps/production/short", *line
        )
    assert "--label takes NAME=VALUE" in refused("maps/production/short", "--label", "x")
    assert "The label 'project' is ours" in refused("maps/production/short", "--label", "project=x")
    assert "there are no executions" in shell("get", "executions").err


def test_references_that_are_none(shell: Shell) -> None:
    shell.register()
    nothing = shell("launch", "maps/production/flow.nothing", "--city", "sf")
    assert nothing.status == 4
    assert "Nothing is registered as maps/production/flow.nothing" in nothing.err
    assert "wingbeat get workflows" in nothing.err
    version = shell("launch", f"{BUILD}@v9", "--city", "sf", "-o", "json")
    assert version.status == 4
    assert "Its versions are v1" in version.err
    assert version.json["error"]["code"] == "NotFound"
    elsewhere = shell("launch", "flow.build", "--city", "sf")
    assert elsewhere.status == 4
    assert "Nothing is registered as default/development/flow.build" in elsewhere.err


def test_a_launch_has_a_name_and_labels(shell: Shell) -> None:
    shell.register()
    line = ("launch", "maps/production/short", "--name", "one", "--label", "team=a", "-o", "json")
    first = shell(*line)
    assert first.json == {"id": "one", "entity": "maps/production/short@v1", "created": True}
    assert "wingbeat serve" in first.err  # nobody goes on with it now
    shell.change()
    shell.register("v2")
    assert shell(*line).json == {**first.json, "created": False}, "also where there is a newer version by now"
    other = shell("launch", "maps/production/short", "--name", "one", "--city", "la")
    assert other.status == 6
    waited = shell("launch", "maps/production/short", "--name", "one", "--wait", "--label", "team=a")
    assert (waited.status, waited.out) == (0, 'o0 = ["sf 0"]\n')
    (entry,) = shell("get", "executions", "-p", "maps", "-o", "json").json["items"]
    assert (entry["entity"], entry["labels"], entry["phase"]) == (
        "maps/production/short@v1",
        {"team": "a"},
        "SUCCEEDED",
    )


def test_help_of_a_launch_names_inputs_and_what_is_fixed(shell: Shell) -> None:
    shell.register()
    plan = shell("launch", "maps/production/short", "--help")
    assert plan.status == 0
    assert "One street." in plan.out
    assert "--city STR" in plan.out
    assert "Fixed by the launch plan:\n    streets = 1" in plan.out
    assert "--streets" not in plan.out


def test_a_place_that_the_settings_say_need_not_be_named(shell: Shell) -> None:
    (shell.root / "wingbeat.toml").write_text('[project]\nname = "maps"\ndomain = "production"\n')
    (shell.root / "flow.py").write_text(FLOW + MISTAKEN)
    refused = shell("register", "flow.py", "--version", "v1", "--activate")
    assert refused.status == 2
    assert "has no output 'o7'" in refused.err
    assert shell("get", "workflows", "-o", "json").json["items"] == [], "all of it is registered, or nothing"
    (shell.root / "flow.py").write_text(FLOW + MISTAKEN.replace("o7", "o0"))
    registered = shell("register", "flow.py", "--version", "v2", "--activate", "-o", "json")
    assert registered.status == 0, registered.err
    active = {each["id"] for each in registered.json["entities"] if each["active"]}
    assert active == {f"maps/production/{name}@v2" for name in ("short", "trained", "mistaken")}
    assert shell("launch", "short", "--wait", "-o", "json").json["phase"] == "SUCCEEDED"
    assert shell("launch", "flow.build@v2", "--city", "sf", "--wait").status == 0
    assert shell("deactivate", "launchplan", "short").out == "maps/production/short@v2 is not active any more\n"


def test_lists_come_in_pages(shell: Shell) -> None:
    for version in ("v1", "v2", "v3"):
        shell.register(version)
    line = ("get", "workflows", "-p", "maps", "-d", "production", "--name", "flow.build", "-o", "json", "--limit", "2")
    first = shell(*line).json
    assert [each["id"] for each in first["items"]] == [f"{BUILD}@v3", f"{BUILD}@v2"]
    rest = shell(*line, "--after", first["next"]).json
    assert ([each["id"] for each in rest["items"]], rest["next"]) == ([f"{BUILD}@v1"], None)
    assert shell("get", "tasks", "-p", "nobody").err == "there are no tasks\n"
    table = shell("get", "tasks", "--name", "flow.survey", "--limit", "1").out
    assert "maps/production/flow.survey@v3" in table
    assert "(city: str, streets: int) -> list[str]" in table
    plans = shell("get", "launchplans", "--name", "short", "--limit", "1", "-o", "json").json
    assert plans["items"][0]["fixed"] == {"streets": 1}
    assert shell("get", "workflows", "--after", "nonsense").status == 2
    assert shell("get", "workflows", "--after", f"{BUILD}@v9").status == 4
    assert shell("get", "workflows", "--limit", "0").status == 2


def test_lists_are_sorted(shell: Shell) -> None:
    for version in ("v10", "v9"):
        shell.register(version)
    line = ("get", "workflows", "--name", "flow.build", "-o", "json")
    found = shell(*line, "--sort", "-version").json["items"]
    assert [each["id"] for each in found] == [f"{BUILD}@v10", f"{BUILD}@v9"]
    assert [each["id"] for each in shell(*line, "--version", "v9", "--by", found[0]["by"]).json["items"]] == [
        f"{BUILD}@v9"
    ]
    assert shell(*line, "--by", "nobody").json["items"] == []
    for name, city in (("one", "sf"), ("two", "la"), ("three", "sf")):
        assert shell("launch", "maps/production/flow.build@v9", "--city", city, "--name", name, "--wait").status == 0
    line = ("get", "executions", "--sort", "-inputs.city", "--limit", "2", "-o", "json")
    first = shell(*line).json
    assert [each["id"] for each in first["items"]] == ["three", "one"]
    rest = shell(*line, "--after", first["next"]).json
    assert ([each["id"] for each in rest["items"]], rest["next"]) == (["two"], None)
    assert shell("get", "executions", "-o", "json").json == shell("get", "executions", "-p", "maps", "-o", "json").json
    (project,) = shell("get", "projects", "-o", "json").json["items"]
    assert (project["id"], project["active"]) == ("maps/production", 0)
    assert "maps     production  " in shell("get", "projects").out
    assert shell("get", "schedules").err == "there are no active schedules\n"
    refused = shell("get", "executions", "--sort", "team")
    assert refused.status == 2
    assert "inputs.NAME, outputs.NAME, labels.NAME" in refused.err


def test_the_history_knows_what_was_launched_before_it_was_asked(shell: Shell) -> None:
    """Also where the command that asks is the first one that follows the engine since."""
    shell.register()
    for name in ("a", "b"):
        shell("launch", "maps/production/short", "--name", name)
        found = shell("get", "executions", "--entity", "maps/production/short", "-o", "json").json
        assert found["items"][0]["id"] == name
    page = shell("get", "executions", "-p", "maps", "--limit", "1", "-o", "json").json
    assert page["next"] == "b"
    rest = shell("get", "executions", "-p", "maps", "--limit", "1", "--after", "b", "-o", "json").json
    assert [each["id"] for each in rest["items"]] == ["a"]
    assert shell("get", "executions", "--phase", "NEVER").status == 2
    assert shell("get", "executions", "-p", "maps", "--after", "none").status == 4
    assert shell("get", "executions", "--entity", "nonsense").status == 2
    assert shell("get", "executions", "-p", "nobody").err == "there are no such executions\n"


def test_active_launch_plans(shell: Shell) -> None:
    for version in ("v1", "v2"):
        shell.register(version)
    plan = "maps/production/trained"
    done = shell("activate", "launchplan", f"{plan}@v1")
    assert (done.status, done.out) == (0, f"{plan}@v1 is active\n")
    listed = shell("get", "launchplans", "--name", "trained", "-o", "json").json["items"]
    assert [(each["id"], each["active"]) for each in listed] == [(f"{plan}@v2", False), (f"{plan}@v1", True)]
    assert shell("activate", "launchplan", f"{plan}@v2", "-o", "json").json["active"] is True
    assert shell("deactivate", "launchplan", plan).out == f"{plan}@v2 is not active any more\n"
    assert shell("activate", "launchplan", f"{plan}@v1").status == 0
    versioned = shell("deactivate", "launchplan", f"{plan}@v2")
    assert versioned.status == 2
    assert f"name it without one, as {plan}" in versioned.err
    assert shell("get", "launchplans", "--name", "trained", "-o", "json").json["items"][1]["active"] is True
    nothing = shell("activate", "launchplan", "maps/production/none@v1")
    assert nothing.status == 4
    workflow = shell("activate", "launchplan", f"{BUILD}@v1")
    assert workflow.status == 2
    assert "only launch plans start by themselves" in workflow.err


def test_a_paused_schedule_stays_paused_and_says_so(shell: Shell) -> None:
    nightly = """
from wingbeat import Cron

@workflow
def idle() -> int:
    return count([])

nightly = LaunchPlan(idle, name="nightly", trigger=Cron("0 3 * * *"))
"""
    (shell.root / "flow.py").write_text(FLOW + nightly)
    registered = shell.register()
    assert registered.status == 0, registered.err
    plan = "maps/production/nightly@v1"
    active = shell("activate", "launchplan", plan)
    assert active.out == f"{plan} is active\n", active.err
    for reason in (["--reason", "the map is wrong"], []):
        paused = shell("schedule", "pause", plan, *reason, "-o", "json")
        assert paused.json["paused"] == "the map is wrong", paused.err
    assert shell("activate", "launchplan", plan).out == f"{plan} is active, and paused: the map is wrong\n"
    assert "goes on" in shell("schedule", "resume", plan).out


# -- specs


def test_what_differs_between_versions(shell: Shell) -> None:
    shell.register()
    same = shell("spec", "diff", f"{BUILD}@v1", "flow.py", "build")
    assert (same.status, same.out) == (0, "They are the same.\n")
    assert shell("spec", "diff", "maps/production/short@v1", "flow.py:short").status == 0
    (shell.root / "flow.py").write_text(
        FLOW.replace("streets: int = 3", "streets: int = 5").replace('s": 1}', 's": 2}')
    )
    shell.register("v2")
    other = shell("spec", "diff", f"{BUILD}@v1", BUILD)
    told = "workflow flow.build: interface.inputs.streets.default: 3 → 5"
    assert other.status == 1
    assert other.out.splitlines() == [told, "bundle: changed", "  flow.py: changed"]
    assert other.err == f"without a version: {BUILD}@v2\n"
    plan = shell("spec", "diff", "maps/production/short@v1", "maps/production/short@v2")
    assert plan.status == 1
    more = ["launch plan short: fixed.streets: 1 → 2", "bundle: changed", "  flow.py: changed"]
    assert plan.out.splitlines() == [told, *more]
    found = shell("spec", "diff", f"{BUILD}@v1", BUILD, "-o", "json")
    assert (found.status, found.err) == (1, "")
    assert (found.json["old"], found.json["new"]) == (f"{BUILD}@v1", f"{BUILD}@v2")
    assert found.json["differences"][0] == {
        "entity": "workflow flow.build", "path": "interface.inputs.streets.default", "old": 3, "new": 5,
    }  # fmt: skip
    assert shell("spec", "diff", f"{BUILD}@v9", BUILD).status == 4
    assert shell("spec", "diff", "maps/production/none", BUILD).status == 4
    assert shell("spec", "diff", "maps/flow.build", BUILD).status == 2


def test_registered_specs_are_shown_through_a_server(there: Shell) -> None:
    there.register()
    shown = there("spec", "show", f"{BUILD}@v1")
    assert shown.status == 0
    assert shown.json == there("spec", "show", "flow.py:build").json
    plan = there("spec", "show", "maps/production/short", "-o", "json").json
    assert (plan["root"], plan["launchplan"]["fixed"]) == (shown.json["root"], {"streets": 1})
    text = there("spec", "show", f"{BUILD}@v1", "-o", "yaml").out
    assert yaml.safe_load(text) == shown.json
    assert there("spec", "diff", f"{BUILD}@v1", "maps/production/flow.survey", "-o", "yaml").status == 1


def test_registered_specs_need_a_home(shell: Shell) -> None:
    done = shell("spec", "show", f"{BUILD}@v1")
    assert done.status == 4
    assert "there is no home" in done.err
    assert not (shell.root / "home").exists()


# -- completion


def completed(shell: Shell, line: str) -> list[str]:
    """What a shell is offered. Asked again if nothing is: a busy machine may not answer in the time that a person waits."""
    words = {"COMP_WORDS": line, "COMP_CWORD": str(len(line.split(" ")) - 1), "_WINGBEAT_COMPLETE": "zsh_complete"}
    for _ in range(5):
        done = shell(**words)
        assert done.err == ""
        if found := done.out.splitlines()[1::3]:
            return found
    return []


def test_what_commands_have_registered_or_listed_is_completed(shell: Shell) -> None:
    assert completed(shell, "wingbeat launch maps/production/sh") == []
    shell.register()
    assert completed(shell, "wingbeat launch maps/production/sh") == ["maps/production/short@v1"]
    assert completed(shell, "wingbeat deactivate launchplan maps/production/t") == ["maps/production/trained"]
    (shell.root / "home" / "registered").unlink()
    assert shell("get", "launchplans").status == 0
    assert len(completed(shell, "wingbeat activate launchplan ")) == 2


def test_what_a_server_has_is_completed(there: Shell) -> None:
    there.register()
    there("launch", "maps/production/short", "--name", "one", "--wait")
    assert completed(there, "wingbeat launch maps/production/sh") == ["maps/production/short@v1"]
    assert len(completed(there, "wingbeat schedule pause ")) == 2
    assert completed(there, "wingbeat abort ") == ["one"]
