"""A small wrapper that keeps its contract, and others with one fault each."""

import os
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path


class Session:
    """What `SleepWrapper` offers."""

    def __init__(self, pid):
        self.pid = pid


class SleepWrapper:
    """Holds a child process for as long as it is entered, as one that starts a server does."""

    def __init__(self, config):
        self.config = config
        self.child = None

    def enter(self, attempt):
        program = "import sys; sys.stdin.read()"  # it ends with who started it
        self.child = subprocess.Popen([sys.executable, "-c", program], stdin=subprocess.PIPE)
        Path(attempt.directory, "session").write_text(str(self.child.pid))
        session = Session(self.child.pid)
        return {Session: session, "session": session}

    def leave(self, error):
        if self.child is not None:
            self.child.kill()
            self.child.communicate()


class LeavesItsProcess(SleepWrapper):
    def leave(self, error):
        pass


class BeginsWhenItIsMade(SleepWrapper):
    def __init__(self, config):
        super().__init__(config)
        threading.Thread(target=time.sleep, args=(60,)).start()


class WritesElsewhereWhenItIsMade(SleepWrapper):
    def __init__(self, config):
        super().__init__(config)
        with tempfile.TemporaryFile("w") as file:
            file.write("made")


class LeavesADaemon(SleepWrapper):
    """Which holds the streams of the process that has started it."""

    def enter(self, attempt):
        subprocess.Popen([sys.executable, "-c", "import time; time.sleep(60)"], start_new_session=True)
        return super().enter(attempt)


class OffersUnderNumbers(SleepWrapper):
    def enter(self, attempt):
        return {**super().enter(attempt), 7: "seven"}


class OffersSomethingElse(SleepWrapper):
    def enter(self, attempt):
        return {**super().enter(attempt), Session: "no session"}


class RaisesWhenItIsLeft(SleepWrapper):
    def leave(self, error):
        super().leave(error)
        raise RuntimeError("it cannot be left")


class EndsTheProcess(SleepWrapper):
    def leave(self, error):
        super().leave(error)
        if error is not None:
            os._exit(1)


class HangsWhenItIsEntered(SleepWrapper):
    def enter(self, attempt):
        super().enter(attempt)
        threading.Event().wait()
