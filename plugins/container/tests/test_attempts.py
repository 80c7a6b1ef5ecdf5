"""Attempts in real containers: what they find and leave, their limits, and what is said of their end."""

import json
import os
import threading
from pathlib import Path

import pytest

from wingbeat.base.errors import ErrorKind
from wingbeat.contracts.executor import Aborted, Failed, Succeeded
from wingbeat.spec.entities import ResourceSpec
from wingbeat.spec.literal import Inline, Offloaded
from wingbeat.types import Directory, File
from wingbeat_container.settings import ContainerSettings

pytestmark = [pytest.mark.containers, pytest.mark.timeout(180)]


async def test_a_command_finds_its_inputs_and_leaves_its_outputs(bench, ask, tmp_path):
    words = tmp_path / "words, all.txt"
    words.write_text("one two\nthree\n")
    folder = tmp_path / "folder"
    folder.mkdir()
    (folder / "a.txt").write_text("inside")
    long = bench.store.put_bytes(json.dumps("y" * 70_000).encode())
    inputs = {
        "n": Inline(3),
        "x": Inline(0.5),
        "sure": Inline(True),
        "name": Inline("a b"),
        "none": Inline(None),
        "raw": Inline("AAH/"),
        "many": Inline([1, 2]),
        "words": Inline(bench.store.put_file(str(words)).wire()),
        "folder": Inline(bench.store.put_directory(str(folder)).wire()),
        "long": Offloaded(long.uri, long.size, long.digest),
    }
    types = {
        "n": int, "x": float, "sure": bool, "name": str, "none": int | None, "raw": bytes, "many": list[int], "words": File,
        "folder": Directory, "long": str,
    }  # fmt: skip
    outputs = {
        "o0": int,
        "text": str,
        "made": File,
        "tree": Directory,
        "both": dict[str, list[int]],
        "gone": int | None,
    }
    command = """
        cd /wingbeat
        cat inputs/n inputs/x inputs/sure inputs/name; wc -c < inputs/raw; cat inputs/many inputs/none; wc -c < inputs/long
        cat inputs.json > outputs/text
        wc -w < inputs/words > outputs/o0
        cat "{{inputs.words}}" {{inputs.folder}}/a.txt > {{outputs.made}}
        mkdir outputs/tree; cp inputs/folder/a.txt outputs/tree/b.txt
        echo '{"both": {"a": [1, 2]}}' > outputs.json
        if touch inputs/words 2> /dev/null; then echo "the input is not read-only"; fi
    """
    outcome = await bench.run(ask(command, inputs, outputs, types=types))
    assert isinstance(outcome, Succeeded), (outcome, bench.log())
    found = {name: bench.value(literal) for name, literal in outcome.outputs.items()}
    assert found["o0"] == 3
    assert found["both"] == {"a": [1, 2]}
    assert found["gone"] is None
    read = json.loads(found["text"])
    assert (read["n"], read["x"], read["sure"], read["many"]) == (3, 0.5, True, [1, 2])
    assert read["words"].startswith("/wingbeat/files/")
    assert Path(bench.store.fetch(bench.store.blob(found["made"]["digest"]))).read_text() == "one two\nthree\ninside"
    assert found["tree"]["layout"] == "directory"
    log = bench.log()
    assert log.splitlines()[:2] == ["30.5truea b3", "[1,2]null70000"]
    assert "not read-only" not in log
    assert outcome.evidence["engine"].startswith("Podman")
    assert not (bench.home / "attempts/e/n.0/task/outputs").exists()


@pytest.mark.parametrize(
    ("command", "code", "words"),
    [
        ("true", "OutputMissing", "output o0"),
        ("echo seven > /wingbeat/outputs/o0", "TypeError", "expected int"),
        ("mkdir /wingbeat/outputs/o0", "TypeError", "no file"),
        ("ln -s /etc/passwd /wingbeat/outputs/o0", "TypeError", "no file"),
        ("mkfifo /wingbeat/outputs/o0", "TypeError", "no file"),
        ("echo '{' > /wingbeat/outputs.json", "TypeError", "cannot be read"),
        ("exit 3", "Exited", "code 3"),
        ("sh -c 'kill -SEGV $$'; exit $?", "Crashed", "SIGSEGV"),
        ("echo nonsense > /wingbeat/error.json", "Error", "cannot be read"),
        (("no-such-program",), "ImageUnfit", "no-such-program"),
    ],
)
async def test_how_it_failed_is_told(bench, ask, command, code, words):
    outcome = await bench.run(ask(command))
    assert isinstance(outcome, Failed)
    assert (outcome.error.code, outcome.error.kind) == (code, ErrorKind.USER), outcome
    assert words in outcome.error.message
    assert ("started_at" in outcome.error.evidence) == (code != "ImageUnfit")
    assert not any(str(told).startswith("0001-") for told in outcome.error.evidence.values())


@pytest.mark.parametrize(
    ("command", "words"),
    [
        ("ln -s /etc/passwd /wingbeat/outputs/o0", "is a link, which is not followed"),
        ("mkfifo /wingbeat/outputs/o0", "neither a file nor a folder"),
        ("true", "left no output o0"),
    ],
)
@pytest.mark.parametrize("kind", [File, Directory])
async def test_what_is_no_file_or_folder_is_told_as_what_it_is(bench, ask, kind, command, words):
    outcome = await bench.run(ask(command, outputs={"o0": kind}))
    assert isinstance(outcome, Failed)
    assert words in outcome.error.message


async def test_an_error_of_the_system_is_not_the_users(bench, ask):
    said = {"code": "Quota", "message": "none left", "kind": "system", "retryable": False, "trace": "line 1"}
    outcome = await bench.run(ask(f"echo '{json.dumps(said)}' > /wingbeat/error.json; exit 1"))
    error = outcome.error
    assert (error.code, error.message, error.kind, error.retryable, error.trace) == (
        "Quota", "none left", ErrorKind.SYSTEM, False, "line 1",
    )  # fmt: skip
    assert error.evidence["exit_code"] == 1


async def test_files_out_of_the_attempt_are_not_taken(bench, ask):
    secret = bench.place / "secret"
    secret.write_text("secret")
    for path in ("/etc/hostname", "../../../secret", str(secret), "outputs/link"):
        command = f'ln -s {secret} /wingbeat/outputs/link; echo \'{{"o0": "{path}"}}\' > /wingbeat/outputs.json'
        name = f"e/{abs(hash(path))}/0"
        outcome = await bench.run(ask(command, outputs={"o0": File}, id=name))
        assert isinstance(outcome, Failed), (path, outcome)
        assert outcome.error.code == "TypeError"


async def test_it_is_shut_in(bench, ask):
    command = """
        touch /file 2> /dev/null && echo "the root is writable"
        touch /tmp/file || echo "no /tmp"
        id -u; cat /proc/self/status; ls /sys/class/net
        echo 1 > /wingbeat/outputs/o0
    """
    assert isinstance(await bench.run(ask(command)), Succeeded)
    log = bench.log()
    assert "the root is writable" not in log
    assert "no /tmp" not in log
    assert log.splitlines()[0] == str(os.getuid())
    assert "CapEff:\t0000000000000000" in log
    assert "NoNewPrivs:\t1" in log
    assert log.splitlines()[-1] == "lo"


async def test_it_has_a_network_if_it_asks_for_one(bench, ask):
    assert isinstance(await bench.run(ask("ls /sys/class/net; echo 1 > /wingbeat/outputs/o0", network=True)), Succeeded)
    assert len(bench.log().split()) > 1


async def test_it_may_be_another_user_and_write_into_its_image(bench, ask):
    command = "touch /tmp/a; id -u; id -g; echo 1 > /wingbeat/outputs/o0; echo 2 > /wingbeat/checkpoint/c"
    outcome = await bench.run(ask(command, user="1234:99", writable=True))
    assert isinstance(outcome, Succeeded), outcome
    assert bench.log().split() == ["1234", "99"]


async def test_out_of_memory_is_told_as_elsewhere(bench, ask):
    limit = ResourceSpec(memory_bytes=64 * 2**20)
    for id, command in (("e/whole", ("awk", 'BEGIN { s = "x"; while (1) s = s s }')),
                        ("e/part", "awk 'BEGIN { s = \"x\"; while (1) s = s s }' || exit 5")):  # fmt: skip
        for number in range(5):
            outcome = await bench.run(ask(command, resources=limit, id=f"{id}/{number}"))
            assert isinstance(outcome, Failed), outcome
            error = outcome.error
            if error.code == "OutOfMemory":
                break
            # On a machine that is busy now and then neither the engine nor we look in time: then that is what is said.
            assert (
                "(or it went over its 64.0 MiB of memory, which nobody saw)" in error.message or error.code == "Exited"
            )
        assert (error.code, error.kind) == ("OutOfMemory", ErrorKind.USER), outcome
        assert "64.0 MiB" in error.message
        assert error.evidence["oom"]
        assert error.evidence["memory_peak_bytes"] > 2**24


async def test_what_was_killed_from_outside_is_the_systems(bench, ask, until):
    async with bench.started() as (executor, reports):
        await executor.submit(ask("sleep 100"))
        await until(lambda: reports.began)
        bench.podman.run("kill", bench.containers()[0])
        outcome = await reports.outcome("e/n/0")
        assert (outcome.error.code, outcome.error.kind) == ("Killed", ErrorKind.SYSTEM)
        assert outcome.error.evidence["signal"] == "SIGKILL"


async def test_what_was_removed_is_lost(bench, ask, until):
    async with bench.started() as (executor, reports):
        await executor.submit(ask("sleep 100"))
        await until(lambda: reports.began)
        bench.podman.run("rm", "--force", "--time", "0", bench.containers()[0])
        outcome = await reports.outcome("e/n/0")
        assert outcome.error.kind is ErrorKind.SYSTEM
        assert outcome.error.code in ("Lost", "Killed")


async def test_the_engine_may_go_down_while_it_runs(bench, ask, tmp_path, until):
    bench.settings = ContainerSettings(socket=bench.podman.socket, mounts=(f"{tmp_path}:/place",))
    async with bench.started() as (executor, reports):
        command = (
            "echo before; while ! test -e /place/gate; do sleep 0.02; done; echo after; echo 4 > /wingbeat/outputs/o0"
        )
        await executor.submit(ask(command))
        await until(lambda: reports.began)
        bench.podman.stop()
        try:
            await executor.submit(ask("echo 5 > /wingbeat/outputs/o0", id="e/later/0"))
            await until(lambda: any("does not answer" in reason for _, reason in reports.said))
            (tmp_path / "gate").touch()
            await until(lambda: not bench.containers())
        finally:
            bench.podman.start()
        outcome = await reports.outcome("e/n/0")
        assert isinstance(outcome, Succeeded), outcome
        assert outcome.outputs["o0"] == Inline(4)
        assert bench.log() == "before\nafter\n"
        assert isinstance(await reports.outcome("e/later/0"), Succeeded)
        assert reports.began.count("e/n/0") == 1


async def test_without_an_engine_it_fails_and_says_what_to_do(bench, ask):
    bench.settings = ContainerSettings(socket=str(bench.place / "nobody.sock"), connect_s=0.0)
    outcome = await bench.run(ask("true"))
    assert not outcome.error.retryable
    assert "No container engine answers" in outcome.error.message
    assert "Start Docker or Podman" in outcome.error.message


async def test_a_stubborn_container_is_killed(bench, ask, until):
    bench.settings = ContainerSettings(socket=bench.podman.socket, cancel_grace_s=1.0)
    async with bench.started() as (executor, reports):
        await executor.submit(ask("trap 'echo no' TERM; while true; do sleep 0.1; done"))
        await until(lambda: reports.began)
        await executor.cancel("e/n/0", "enough")
        assert not bench.containers()
        outcome = await reports.outcome("e/n/0")
        assert isinstance(outcome, Aborted)
        assert outcome.evidence["signal"] == "SIGKILL"


async def test_a_long_log_loses_its_middle(bench, ask):
    bench.settings = ContainerSettings(socket=bench.podman.socket, log_bytes_max=100_000)
    command = 'awk \'BEGIN { print "first"; for (i = 0; i < 60000; i++) print i; print "last" }\'; echo 1 > /wingbeat/outputs/o0'
    assert isinstance(await bench.run(ask(command)), Succeeded)
    log = bench.log()
    assert len(log) < 200_000
    assert log.startswith("first\n")
    assert log.endswith("last\n")
    assert "left out" in log


async def test_ended_containers_are_removed(bench, ask, until):
    async with bench.started() as (executor, reports):
        await executor.submit(ask("echo 1 > /wingbeat/outputs/o0"))
        await reports.outcome("e/n/0")
        await until(lambda: not bench.containers("--all"))


async def test_left_containers_are_swept_and_those_of_other_homes_are_not(bench, make_bench, ask, until):
    other = make_bench("other")
    async with bench.started() as (executor, reports), other.started() as (beside, theirs):
        for one in (executor, beside):
            await one.submit(ask("sleep 100"))
        await until(lambda: reports.began and theirs.began)
    bench.podman.run("kill", *bench.containers(), *other.containers())  # nobody follows them now
    bench.settings = ContainerSettings(socket=bench.podman.socket, keep_s=0.0, sweep_s=0.1)
    async with bench.started():
        await until(lambda: not bench.containers("--all"))
    assert len(other.containers("--all")) == 1
    other.settings = bench.settings
    async with other.started():
        await until(lambda: not other.containers("--all"))


async def test_a_container_that_nobody_came_to_start_is_made_anew(bench, ask):
    async with bench.started() as (executor, reports):
        name = executor._attempt("e/n/0", None).name
        bench.podman.run("create", "--name", name, "localhost/wingbeat-shell:1", "false")
        await executor.submit(ask("echo 7 > /wingbeat/outputs/o0"))
        outcome = await reports.outcome("e/n/0")
        assert isinstance(outcome, Succeeded), outcome


async def test_a_python_task_takes_and_gives_files_through_storage(bench, ask):
    bench.bundle(
        "from wingbeat import Directory, File\n"
        "def copy(one: File, all: list[File], tree: Directory) -> tuple[File, Directory, str]:\n"
        "    with open('made.txt', 'w') as out:\n"
        "        out.write(one.open().read() + ''.join(f.open().read() for f in all) + (tree.path() / 'a').read_text())\n"
        "    import os\n"
        "    os.mkdir('folder')\n"
        "    os.rename('made.txt', 'folder/b')\n"
        "    with open('x', 'w') as out: out.write('new')\n"
        "    return File('x'), Directory('folder'), 'z' * 80000\n"
    )
    (bench.place / "tree").mkdir()
    (bench.place / "tree/a").write_text("A")
    files = []
    for text in ("1", "2", "3"):
        path = bench.place / f"{text}.txt"
        path.write_text(text)
        files.append(bench.store.put_file(str(path)).wire())
    tree = bench.store.put_directory(str(bench.place / "tree")).wire()
    inputs = {"one": Inline(files[0]), "all": Inline(files[1:]), "tree": Inline(tree)}
    types = {"one": File, "all": list[File], "tree": Directory}
    outputs = {"o0": File, "o1": Directory, "o2": str}
    request = ask("", inputs, outputs, types=types, function="code:copy", bundle="sha256:" + "0" * 64)
    outcome = await bench.run(request)
    assert isinstance(outcome, Succeeded), (outcome, bench.log())
    made = outcome.outputs["o0"].value
    assert Path(bench.store.fetch(bench.store.blob(made["digest"]))).read_text() == "new"
    folder = outcome.outputs["o1"].value
    assert Path(bench.store.fetch(bench.store.blob(folder["digest"], layout_directory=True)), "b").read_text() == "123A"
    assert isinstance(outcome.outputs["o2"], Offloaded)
    assert (
        bench.store.verify(bench.store.blob("sha256:" + outcome.outputs["o2"].uri.rpartition(":")[2], size=80002))
        is None
    )


async def test_an_image_without_python_is_named(bench, ask):
    bench.bundle("def f() -> int:\n    return 1\n")
    bundle = "sha256:" + "0" * 64
    outcome = await bench.run(ask("", function="code:f", bundle=bundle, image="localhost/wingbeat-shell:1"))
    assert outcome.error.code == "ImageUnfit"
    assert "python3" in outcome.error.message


async def test_a_python_that_does_not_fit_says_what_the_image_must_have(bench, ask, monkeypatch):
    monkeypatch.setattr("wingbeat_container.plans.abi", lambda: "cpython-399-none")
    bench.bundle("def f() -> int:\n    return 1\n")
    outcome = await bench.run(ask("", function="code:f", bundle="sha256:" + "0" * 64))
    assert outcome.error.code == "ImageUnfit"
    assert "Install msgspec in the image" in outcome.error.message
    assert not outcome.error.retryable


async def test_many_at_once(bench, ask):
    """More than there are slots, from a thread's worth of the same image."""
    bench.settings = ContainerSettings(socket=bench.podman.socket, slots=3)
    async with bench.started() as (executor, reports):
        for number in range(8):
            await executor.submit(ask(f"echo {number} > /wingbeat/outputs/o0", id=f"e/n{number}/0"))
        outcomes = [await reports.outcome(f"e/n{number}/0") for number in range(8)]
        assert [each.outputs["o0"].value for each in outcomes] == list(range(8))
        assert any("slots are taken" in reason for _, reason in reports.said)
    assert threading.active_count() < 50
