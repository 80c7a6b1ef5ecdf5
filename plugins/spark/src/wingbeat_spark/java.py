"""Whether there is a Java that Spark can run on."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from collections.abc import Mapping

from wingbeat.base.errors import ConfigurationError

JAVA_MIN = 17

_VERSION = re.compile(r'version "(?:1\.)?(\d+)')
_HINT = f"Install a Java runtime of version {JAVA_MIN} (or newer) and set JAVA_HOME to its folder, or put it on PATH."


def check_java(environment: Mapping[str, str] | None = None) -> int:
    """The major version of the Java that Spark will use: that of JAVA_HOME, else the one on PATH.

    Raises:
        ConfigurationError: There is none, or it is too old; says where it was looked for.
    """
    environment = os.environ if environment is None else environment
    home = environment.get("JAVA_HOME", "")
    on_path = shutil.which("java", path=environment.get("PATH", os.defpath))
    java = os.path.join(home, "bin", "java") if home else on_path
    seen = f"JAVA_HOME is {home or 'not set'}, `java` was {f'found at {on_path}' if on_path else 'not found on PATH'}"
    if java is None:
        raise ConfigurationError(f"Spark needs Java {JAVA_MIN}: {seen}.", hint=_HINT)
    if home and not os.access(java, os.X_OK):
        raise ConfigurationError(f"Spark needs Java {JAVA_MIN}: {seen}, but there is no program {java}.", hint=_HINT)
    version, said = _version(java, environment)
    if version is None:
        raise ConfigurationError(f"Spark needs Java {JAVA_MIN}: {seen}, but {java} does not run: {said}.", hint=_HINT)
    if version < JAVA_MIN:
        raise ConfigurationError(f"Spark needs Java {JAVA_MIN}: {seen}, but {java} is Java {version}.", hint=_HINT)
    return version


def _version(java: str, environment: Mapping[str, str]) -> tuple[int | None, str]:
    try:
        done = subprocess.run(
            [java, "-version"], capture_output=True, text=True, timeout=30, check=False, env=dict(environment)
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        return None, str(error)
    said = done.stderr + done.stdout
    found = _VERSION.search(said)
    return (int(found[1]) if found else None), " ".join(said.split())[:200] or f"it ended with {done.returncode}"
