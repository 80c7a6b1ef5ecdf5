"""Sources of secrets with one fault each; see `executors.py`."""

import base64
import json
import logging
import os
import sys
from pathlib import Path

from wingbeat.contracts.secrets import SecretMissing, SourceRef
from wingbeat.testing.conformance.secrets import SecretSourceContract


class Source:
    """Keeps all secrets in one file, as JSON."""

    def __init__(self, file):
        self.file = file

    def all(self):
        return json.loads(Path(self.file).read_text()) if os.path.exists(self.file) else {}

    def get(self, name):
        try:
            return self.all()[name]
        except KeyError:
            raise SecretMissing(self.missing(name)) from None

    def missing(self, name):
        return f"There is no secret {name!r} in {self.file}."


class Tells(Source):
    def missing(self, name):
        return f"There is no secret {name!r} in {base64.b64encode(json.dumps(self.all()).encode()).decode()}."


class Strips(Source):
    def get(self, name):
        return super().get(name).strip()


class Remembers(Source):
    known = {}

    def get(self, name):
        return self.known.setdefault((self.file, name), super().get(name))


class Prints(Source):
    def get(self, name):
        value = super().get(name)
        sys.stdout.write(f"found {value}\n")
        return value


class Logs(Source):
    def get(self, name):
        value = super().get(name)
        logging.getLogger("acme.secrets").debug("%s is %s", name, base64.b64encode(value.encode()).decode())
        return value


class Good(SecretSourceContract):
    __test__ = False
    made_of = Source

    def made(self, place):
        return self.made_of(str(place / "secrets.json"))

    def ref(self, place):
        return SourceRef("json", "json:loads", {"file": str(place / "secrets.json")})

    def put(self, place, name, value):
        file = place / "secrets.json"
        file.write_text(json.dumps({**Source(str(file)).all(), name: value}))


class TestTellsAllOfThemInBase64(Good):
    __test__ = True
    made_of = Tells
    caught_by = {"test_what_is_not_there_is_told"}


class TestStripsSpaces(Good):
    __test__ = True
    made_of = Strips
    caught_by = {"test_a_value_comes_back_as_it_was_put"}


class TestRemembersWhatWasReplaced(Good):
    __test__ = True
    made_of = Remembers
    caught_by = {"test_a_value_that_was_replaced_counts"}


class TestPrintsTheValue(Good):
    __test__ = True
    made_of = Prints
    caught_by = {"test_it_writes_no_values"}


class TestLogsTheValueInBase64(Good):
    __test__ = True
    made_of = Logs
    caught_by = {"test_it_writes_no_values"}
