"""What the executor tells an attempt's process and its warm parent: the job, and the messages on their socket.

The files of an attempt's directory are JSON, so that a task in any language can read and write them; the messages are
msgpack frames, each behind its length.
"""

from __future__ import annotations

import struct

import msgspec
from msgspec import Struct

from wingbeat.contracts.executor import Replay
from wingbeat.contracts.gang import Member
from wingbeat.contracts.secrets import SourceRef
from wingbeat.contracts.storage import StorageRef
from wingbeat.runtime.files import MEMBERS
from wingbeat.runtime.here import DECK_BYTES_MAX
from wingbeat.spec.entities import SecretSpec, WrapperSpec
from wingbeat.spec.gang import RoleSpec

LISTENER_FD = 3
"""The descriptor that a warm parent listens at."""
CONTROL_FD = 3
"""The descriptor by which an attempt with secrets that is not forked tells its filter what to mask."""
LOCK = "lock"
"""Held, in the parents' folder, by who starts a parent and by a parent that ends."""

FRAME_BYTES_MAX = 64 * 2**20
_LENGTH = struct.Struct("!I")


DUPLICATE = 79
"""Exit code: somebody else had claimed the attempt; nothing was done."""
BROKEN = 78
"""Exit code: the outcome could not be written; the log says why."""


class Gang(Struct, frozen=True, omit_defaults=True):
    """What the leader of a gang has to know.

    Attributes:
        grace_s: Time between SIGTERM and SIGKILL when a member is stopped.

        log_bytes_max: The middle of a member's log is taken out when the log is longer.
    """

    roles: tuple[RoleSpec, ...]
    grace_s: float = 2.0
    log_bytes_max: int = 64 * 2**20

    @property
    def names(self) -> list[tuple[str, int]]:
        """Role and index of each member, in order."""
        return [(role.name, index) for role in self.roles for index in range(role.count)]


class Job(Struct, frozen=True, omit_defaults=True):
    """One attempt as its process needs to know it: the file `request`.

    Attributes:
        id: ``execution/node/attempt``.

        directory: The attempt's directory, absolute.

        task: The task's name, for messages.

        outputs: Names of the outputs, in order.

        bundle: Local folder with the code; empty where the module is importable as it is.

        cache: Folder for the bytecode of the bundle's modules, which keeps the bundle as it was unpacked.

        spawn: Start a fresh interpreter; never import the module in the warm parent.

        deck_bytes_max: Longest page that the attempt may make.

        storages: The first is where what is new goes, the others are read from; none where there is none.

        replay: For the body of a dynamic workflow, what it is told.

        secrets: References to those that the task declares.

        source: Where their values are.

        gang: Of an attempt of several processes: its process leads them, and does not call the function itself.

        member: In one of those processes: which it is.

        run_s: The task's timeout, which somebody else sees to.
    """

    id: str
    directory: str
    task: str
    module: str
    function: str
    outputs: tuple[str, ...] = ()
    bundle: str = ""
    cache: str = ""
    spawn: bool = False
    storages: tuple[StorageRef, ...] = ()
    wrappers: tuple[WrapperSpec, ...] = ()
    variables: dict[str, str] = {}
    cpu: float | None = None
    memory_bytes: int | None = None
    deck_bytes_max: int = DECK_BYTES_MAX
    replay: Replay | None = None
    secrets: tuple[SecretSpec, ...] = ()
    source: SourceRef | None = None
    gang: Gang | None = None
    member: Member | None = None
    run_s: float | None = None

    @property
    def limited(self) -> bool:
        """Whether the attempt may have a control group."""
        return self.cpu is not None or self.memory_bytes is not None

    @property
    def own(self) -> str:
        """Where this process has its outcome and its working directory: the attempt's directory, or a member's in there."""
        return self.directory if self.member is None else member_folder(self.directory, self.member.name)

    @property
    def shown(self) -> str:
        """What is this process's directory for user code: of a gang, the first member stands for the attempt."""
        return self.directory if self.member is None or self.member.first else self.own


def member_folder(directory: str, name: str) -> str:
    """Where a member of the gang of an attempt has what is its own."""
    return f"{directory}/{MEMBERS}/{name}"


class ParentConfig(Struct, frozen=True, omit_defaults=True):
    """How a warm parent is started.

    Attributes:
        directory: Folder of all parents: sockets, logs, and the lock under which they start and end.

        name: File name of its socket there.

        idle_s: It ends after this long without a child and without a request.

        preload_s: Longest time that an import in the parent may take.

        log_bytes_max: The middle of an attempt's log is taken out when the log is longer.

        skip: Modules that an earlier parent died of importing.
    """

    directory: str
    name: str
    bundle: str = ""
    cache: str = ""
    idle_s: float = 10.0
    preload_s: float = 30.0
    log_bytes_max: int = 64 * 2**20
    skip: tuple[str, ...] = ()

    @property
    def spares(self) -> str:
        """Folder for empty working directories between two attempts."""
        return f"{self.directory}/{self.name}.spare"


class Run(Struct, frozen=True, array_like=True, tag=1):
    """To the parent: start this attempt unless it runs already. `job` and `inputs` are the bytes of the files.

    Empty `inputs` are in the file already.
    """

    id: str
    job: bytes
    inputs: bytes


class Watch(Struct, frozen=True, array_like=True, tag=2):
    """To the parent: tell me when this attempt ends."""

    id: str


class ListRunning(Struct, frozen=True, array_like=True, tag=3):
    """To the parent: tell me which attempts run."""


class Hello(Struct, frozen=True, array_like=True, tag=11):
    """From the parent, first: it is up."""

    pid: int


class Importing(Struct, frozen=True, array_like=True, tag=12):
    """From the parent: it now imports `module` (empty: it has survived that)."""

    module: str


class Started(Struct, frozen=True, array_like=True, tag=13):
    """From the parent: the attempt has a process. `how` is ``fork``, or ``spawn`` and why."""

    id: str
    pid: int
    how: str


class Exit(Struct, frozen=True, omit_defaults=True):
    """How a process ended: the file ``exit``.

    Attributes:
        exit_code: What it exited with; None if a signal ended it.

        signal: Name of that signal, for example ``SIGKILL``.

        oom_kills: How often the kernel of the machine killed in its control group for want of memory.

        memory_peak_bytes: Most memory that its control group counted; 0 where it had none.
    """

    pid: int
    exit_code: int | None = None
    signal: str = ""
    max_rss_bytes: int = 0
    cpu_s: float = 0.0
    oom_kills: int = 0
    memory_peak_bytes: int = 0


class Ended(Struct, frozen=True, array_like=True, tag=14):
    """From the parent: the process is gone, its files are final. `exit` is None if another one has claimed the attempt."""

    id: str
    exit: Exit | None = None


class Unknown(Struct, frozen=True, array_like=True, tag=15):
    """From the parent: no process of mine runs this attempt."""

    id: str


class Running(Struct, frozen=True, array_like=True, tag=16):
    """From the parent: these attempts run."""

    ids: list[str]


Message = Run | Watch | ListRunning | Hello | Importing | Started | Ended | Unknown | Running

_encoder = msgspec.msgpack.Encoder()
_decoder: msgspec.msgpack.Decoder[Message] = msgspec.msgpack.Decoder(Message)
read_job = msgspec.json.Decoder(Job).decode


def pack(message: Message) -> bytes:
    """The frame of a message."""
    body = _encoder.encode(message)
    return _LENGTH.pack(len(body)) + body


class Frames:
    """Bytes as they come, into whole messages."""

    def __init__(self) -> None:
        self._rest = bytearray()

    def feed(self, data: bytes) -> list[Message]:
        """The messages that `data` completes. Raises ValueError for a frame that cannot be one of ours."""
        self._rest += data
        found: list[Message] = []
        start = 0
        while len(self._rest) - start >= _LENGTH.size:
            (length,) = _LENGTH.unpack_from(self._rest, start)
            if length > FRAME_BYTES_MAX:
                raise ValueError(f"a frame of {length} bytes is over the limit of {FRAME_BYTES_MAX}")
            end = start + _LENGTH.size + length
            if len(self._rest) < end:
                break
            found.append(_decoder.decode(memoryview(self._rest)[start + _LENGTH.size : end].tobytes()))
            start = end
        del self._rest[:start]
        return found
