"""Plugins inside an attempt's process: one that raises, hangs or answers wrongly is named, and fails the attempt by the system."""

import pytest
from msgspec.structs import replace

from wingbeat.base.errors import ErrorKind
from wingbeat.contracts.executor import Failed
from wingbeat.contracts.secrets import SourceRef
from wingbeat.contracts.storage import StorageRef
from wingbeat.spec.entities import TimeoutSpec, WrapperSpec
from wingbeat.spec.literal import Inline
from wingbeat.spec.secrets import SecretSpec

pytestmark = pytest.mark.anyio

WRAPPER = (WrapperSpec("acme", "acme_w:Wrapper"),)
FRAMES = ("contextlib", "runtime/", "types/blobs", "threading")
"""What nobody wants to read in a trace: our frames, and those of how we call."""


@pytest.fixture
def wrapped(world):
    """Runs a function inside a wrapper, which is of an installed distribution."""
    info = world.bundle / "acme_wrapper-1.2.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: acme-wrapper\nVersion: 1.2\n")
    (info / "entry_points.txt").write_text("[wingbeat]\nacme = acme_w\n")

    async def run(
        enter="return {Session: Session()}",
        leave="pass",
        function="session: Session",
        body="return 1",
        patience=None,
        **task,
    ):
        world.module(
            "acme_w",
            f"""
            import asyncio, time
            class Session: pass
            class Wrapper:
                patience_s = {patience or (0.2 if "sleep" in enter + leave else 60)}
                def __init__(self, config): pass
                def enter(self, attempt):
                    {enter}
                def leave(self, error):
                    {leave}
            """,
        )
        world.module("m", f"from acme_w import Session\ndef f({function}) -> int:\n    {body}\n")
        return await world.run(world.request("m:f", wrappers=WRAPPER, **task))

    return run


def told(outcome):
    """The message of a failure of the system that names a plugin."""
    assert isinstance(outcome, Failed), outcome
    error = outcome.error
    assert (error.code, error.kind, error.retryable) == ("PluginFailed", ErrorKind.SYSTEM, True)
    assert not [frame for frame in FRAMES if frame in error.trace], error.trace
    return error.message


NAMED = "The wrapper 'acme' (acme-wrapper 1.2) failed (enter): "


@pytest.mark.parametrize(
    ("enter", "why"),
    [
        ("return [1]", "it answers with list, not with dict"),
        ("return None", "it answers with None, not with dict"),
        ("return {1: 2}", "it offers something by 1, which is no class and no name"),
        ("return {Session: 3}", "it offers int as Session"),
        ("return {'session': 3}", "it offers 'session' as int, not as Session"),
        ("return {}", "it does not offer the parameter 'session' of task m.f (Session); it offers nothing"),
        ("raise RuntimeError('no cluster')", "RuntimeError: no cluster"),
        ("raise SystemExit(3)", "SystemExit: 3"),
        ("raise asyncio.CancelledError('mine')", "CancelledError: mine"),
        ("raise KeyboardInterrupt", "KeyboardInterrupt: "),
    ],
)
async def test_a_wrapper_that_does_not_do_what_it_should_is_named(wrapped, enter, why):
    outcome = await wrapped(enter)
    assert told(outcome) == NAMED + why
    assert "raise" not in enter or 'File "acme_w.py", line 8, in enter' in outcome.error.trace


@pytest.mark.parametrize(
    ("enter", "how"),
    [
        ("import os; os._exit(3)", "exited with code 3"),
        ("import os; os._exit(0)", "exited with code 0"),
        ("import os, signal; os.kill(os.getpid(), signal.SIGSEGV)", "was killed by SIGSEGV"),
    ],
)
async def test_a_wrapper_that_ends_the_process_is_named(wrapped, enter, how):
    named = "The wrapper 'acme' (acme_w:Wrapper) failed (enter)"
    assert told(await wrapped(enter)) == f"{named}: the attempt's process {how} in this call"


async def test_a_source_of_secrets_that_ends_the_process_is_named(world):
    world.module("acme_v", "import os\nclass Vault:\n    def get(self, name): os._exit(3)\n")
    world.module("m", "def f() -> int:\n    return 1\n")
    request = world.request("m:f", secrets=(SecretSpec("db/password"),))
    outcome = await world.run(replace(request, secrets=SourceRef("vault", "acme_v:Vault")))
    named = "The source of secrets 'vault' (acme_v:Vault) failed (get)"
    assert told(outcome) == f"{named}: the attempt's process exited with code 3 in this call"


async def test_a_function_that_ends_the_process_is_no_plugins_failure(wrapped, world):
    outcome = await wrapped(body="import os; os._exit(3)")
    assert (outcome.error.code, outcome.error.kind) == ("Exited", ErrorKind.USER)
    assert not (world.attempt("x1/n0/0") / "calling").exists()


async def test_a_wrapper_that_hangs_is_ended_and_told_where(wrapped):
    outcome = await wrapped("exec('try:\\n while True: time.sleep(1)\\nexcept BaseException: pass')")
    assert told(outcome) == f"{NAMED}it did not answer within 0.2 s"
    assert 'File "acme_w.py", line 8, in enter' in outcome.error.trace


async def test_a_wrapper_that_takes_all_the_time_of_its_task_is_named_before_that_is_over(wrapped):
    outcome = await wrapped("time.sleep(60)", patience=600, timeout=TimeoutSpec(run_s=0.8))
    assert told(outcome).startswith(f"{NAMED}it did not answer within 0.")


async def test_what_a_wrapper_says_about_settings_is_not_changed(wrapped):
    outcome = await wrapped(
        "from wingbeat.base.errors import ConfigurationError; raise ConfigurationError('Install it.')"
    )
    assert (outcome.error.code, outcome.error.retryable) == ("ConfigurationError", False)


@pytest.mark.parametrize(
    "leave", ["time.sleep(60)", "raise RuntimeError('stuck')", "raise asyncio.CancelledError('stuck')"]
)
async def test_a_wrapper_that_does_not_let_go_does_not_change_what_the_function_came_to(wrapped, world, leave):
    assert (await wrapped(leave=leave)).outputs == {"o0": Inline(1)}
    kind = "CancelledError" if "Cancelled" in leave else "RuntimeError"
    why = "it did not answer within 0.2 s" if "sleep" in leave else f"{kind}: stuck"
    named = f"The wrapper 'acme' (acme-wrapper 1.2) failed (leave): {why}"
    assert named in (world.attempt("x1/n0/0") / "log").read_text()


async def test_a_wrapper_that_does_not_let_go_does_not_change_what_the_function_raised(wrapped):
    outcome = await wrapped(leave="time.sleep(60)", body="raise ValueError('mine')")
    assert (outcome.error.code, outcome.error.kind) == ("ValueError", ErrorKind.USER)
    assert outcome.error.message == "mine (m.py:3)"


TYPE = """
import asyncio, time
from wingbeat.types import BlobType, register
class Value: pass
class Handler:
    layout = "file"
    patience_s = {patience}
    def write(self, value, path):
        {write}
        open(path, "w").close()
    def read(self, path, hint):
        {read}
register("acme_t.Value", BlobType("acme"), "acme_t:Handler")
"""


@pytest.mark.parametrize(
    ("call", "does", "why"),
    [
        ("write", "raise RuntimeError('broken')", "RuntimeError: broken"),
        ("write", "time.sleep(60)", "it did not answer within 0.2 s"),
        ("read", "return [1]", "it answers with list, not with Value"),
        ("read", "raise ValueError('damaged')", "ValueError: damaged"),
        ("read", "time.sleep(60)", "it did not answer within 0.2 s"),
        ("write", "raise asyncio.CancelledError('mine')", "CancelledError: mine"),
        ("write", "import os; os._exit(0)", "the attempt's process exited with code 0 in this call"),
        ("read", "raise KeyboardInterrupt", "KeyboardInterrupt: "),
    ],
)
async def test_a_type_that_does_not_do_what_it_should_is_named(world, tmp_path, call, does, why):
    (tmp_path / "store").mkdir()
    does = {"write": "pass", "read": "return Value()", "patience": 0.2 if "sleep" in does else 60, call: does}
    world.module("acme_t", TYPE.format(**does))
    world.module(
        "m",
        """
        from acme_t import Value
        def give() -> Value:
            return Value()
        def take(value: Value) -> int:
            return 1
        """,
    )
    storage = StorageRef("store", "wingbeat.builtin.filestore:FileStore", {"root": str(tmp_path / "store")})
    outcome = await world.run(world.request("m:give", "x1/n0/0"), storage=storage)
    if call == "read":
        request = world.request("m:take", "x1/n1/0", {"value": outcome.outputs["o0"]})
        outcome = await world.run(request, storage=storage)
    assert told(outcome) == f"The type 'acme_t.Value' (acme_t:Handler) failed ({call}): {why}"


STORAGE = """
import time
from wingbeat.builtin.filestore import FileStore
{at_import}
class Storage(FileStore):
    patience_s = 0.2
    def {call}(self, *args):
        time.sleep(60)
"""


@pytest.mark.parametrize("call", ["put_bytes", "read_bytes"])
async def test_a_storage_that_hangs_is_named_and_the_attempt_ends(world, tmp_path, call):
    (tmp_path / "store").mkdir()
    world.module("acme_s", STORAGE.format(call=call, at_import=""))
    world.module("m", "def give() -> str:\n    return 'x' * 10**6\ndef take(text: str) -> int:\n    return len(text)\n")
    own = StorageRef("store", "wingbeat.builtin.filestore:FileStore", {"root": str(tmp_path / "store")})
    theirs = StorageRef("store", "acme_s:Storage", own.settings)
    if call == "put_bytes":
        outcome = await world.run(world.request("m:give"), storage=theirs)
    else:
        given = (await world.run(world.request("m:give"), storage=own)).outputs["o0"]
        outcome = await world.run(world.request("m:take", "x1/n1/0", {"text": given}), storage=theirs)
    assert told(outcome) == f"The storage 'store' (acme_s:Storage) failed ({call}): it did not answer within 0.2 s"


async def test_a_storage_that_hangs_at_its_import_is_named_before_the_time_of_its_task_is_over(world):
    world.module("acme_s", STORAGE.format(call="fetch", at_import="time.sleep(60)"))
    world.module("m", "def give() -> str:\n    return 'x' * 10**6\n")
    theirs = StorageRef("store", "acme_s:Storage", {})
    outcome = await world.run(world.request("m:give", timeout=TimeoutSpec(run_s=0.8)), storage=theirs)
    assert told(outcome).startswith("The storage 'store' (acme_s:Storage) failed (import): it did not answer within 0.")


async def test_what_a_type_says_of_a_value_is_the_authors(world):
    world.module("acme_t", TYPE.format(write="raise ValueError('too odd')", read="pass", patience=60))
    world.module("m", "from acme_t import Value\ndef give() -> Value:\n    return Value()\n")
    outcome = await world.run(world.request("m:give"))
    assert (outcome.error.code, outcome.error.kind) == ("TypeError", ErrorKind.USER)
    assert "this acme_t.Value cannot be stored: too odd" in outcome.error.message


async def test_a_handler_that_hangs_when_it_is_imported_is_named_before_the_time_of_its_task_is_over(world):
    world.module("acme_h", "import time\ntime.sleep(60)\n")
    world.module("m", """
        from wingbeat.types import BlobType, register
        class Value: pass
        register("m.Value", BlobType("acme"), "acme_h:Handler")
        def give() -> Value:
            return Value()
        """)  # fmt: skip
    outcome = await world.run(world.request("m:give", timeout=TimeoutSpec(run_s=0.8)))
    named = "The handler of 'm.Value' (acme_h:Handler) failed (import): it did not answer within 0."
    assert told(outcome).startswith(named)
    assert 'File "acme_h.py", line 2, in <module>' in outcome.error.trace


@pytest.mark.parametrize(
    ("source", "why"),
    [
        ("raise RuntimeError('no licence')", "cannot be loaded: RuntimeError: no licence"),
        (
            "class Handler:\n    def __init__(self): raise RuntimeError('no licence')",
            "cannot be loaded: RuntimeError: no licence",
        ),
        ("import asyncio\nraise asyncio.CancelledError('mine')", "cannot be loaded: CancelledError: mine"),
    ],
)
async def test_a_handler_that_cannot_be_made_is_named(world, source, why):
    world.module("acme_h", source)
    world.module("m", """
        from wingbeat.types import BlobType, register
        class Value: pass
        register("m.Value", BlobType("acme"), "acme_h:Handler")
        def give() -> Value:
            return Value()
        """)  # fmt: skip
    assert why in told(await world.run(world.request("m:give")))


ASKED = """
from wingbeat import task
class Value: pass
@task
def give(n: int) -> Value:
    return Value()
"""
"""The plugins are asked for its type, while it is imported."""


@pytest.mark.parametrize(
    ("plugin", "why"),
    [
        ("import time\ntime.sleep(60)", " (acme 1.2) failed (import): it did not answer within 0."),
        (
            "def wingbeat_types():\n    import time\n    time.sleep(60)",
            " (acme 1.2) failed (import): it did not answer within 0.",
        ),
        ("raise RuntimeError('no licence')", " (acme_p) cannot register its types: RuntimeError: no licence"),
    ],
)
async def test_a_plugin_that_fails_when_it_is_asked_for_a_type_is_named(world, plugin, why):
    """Also where the parent that an attempt is forked from has asked it before."""
    info = world.bundle / "acme-1.2.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: acme\nVersion: 1.2\n")
    (info / "entry_points.txt").write_text("[wingbeat]\nacme = acme_p\n")
    world.module("acme_p", plugin)
    world.module("m", ASKED)
    request = world.request("m:give", inputs={"n": 1}, timeout=TimeoutSpec(run_s=0.8))
    outcome = await world.run(request, preload_s=0.5)
    assert told(outcome).startswith(f"The plugin 'acme'{why.removesuffix('0.')}")
