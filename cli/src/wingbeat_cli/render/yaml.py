"""JSON as YAML. Imports the library: only who prints YAML imports this."""

from __future__ import annotations

import json
import re
from typing import Any

import yaml

try:
    from yaml import CSafeDumper as SafeDumper
except ImportError:  # built without libyaml
    from yaml import SafeDumper  # type: ignore[assignment]


class _Dumper(SafeDumper):
    """Blocks, texts of several lines as they are, and nothing by reference."""

    def ignore_aliases(self, data: Any) -> bool:
        return True


def _text(dumper: _Dumper, text: str) -> yaml.ScalarNode:
    return dumper.represent_scalar("tag:yaml.org,2002:str", text, style="|" if "\n" in text else None)


_Dumper.add_representer(str, _text)
# The library knows YAML 1.1. What a reader of 1.2 takes for a number is quoted too: a version may be "12e4567".
_Dumper.add_implicit_resolver(
    "tag:yaml.org,2002:float",
    re.compile(r"[-+]?(\.[0-9]+|[0-9]+(\.[0-9]*)?)([eE][-+]?[0-9]+)?$"),
    list("-+.0123456789"),
)
_Dumper.add_implicit_resolver("tag:yaml.org,2002:int", re.compile(r"0o[0-7]+$"), ["0"])


def rewritten(text: str) -> str:
    """A JSON document as a YAML document, which begins with ``---``: it holds the same, also for readers of YAML 1.2."""
    found: str = yaml.dump(
        json.loads(text), Dumper=_Dumper, allow_unicode=True, sort_keys=False, explicit_start=True, width=2**16
    )
    return found
