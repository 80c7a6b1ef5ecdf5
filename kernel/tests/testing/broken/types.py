"""Types with one fault each; see `test_kits_catch.py`. Their handlers are in `modules/handlers.py`."""

from small import Ring

from wingbeat.testing.conformance.types import TypeContract
from wingbeat.types import BlobType, register


class Broken(TypeContract):
    __test__ = False
    handler = ""

    def hint(self):
        cls = type(self.handler, (Ring,), {"__module__": "small", "__hash__": Ring.__hash__})
        register(f"small.{self.handler}", BlobType("ring"), f"handlers:{self.handler}")
        return self.__dict__.setdefault("cls", cls)

    def samples(self):
        cls = self.hint()
        return [cls(), cls((1, 2)), cls((2, 1))]


class TestWritesTheTime(Broken):
    __test__ = True
    handler = "WritesTheTime"
    caught_by = {"test_equal_values_have_equal_digests"}
    perhaps = {"test_hostile_content_is_an_error_and_runs_nothing"}


class TestLosesTheOrder(Broken):
    __test__ = True
    handler = "LosesTheOrder"
    caught_by = {"test_values_come_back", "test_other_values_have_other_digests"}


class TestUnpickles(Broken):
    __test__ = True
    handler = "Unpickles"
    caught_by = {"test_hostile_content_is_an_error_and_runs_nothing"}


class TestTakesDamageForWhole(Broken):
    __test__ = True
    handler = "TakesDamageForWhole"
    caught_by = {"test_hostile_content_is_an_error_and_runs_nothing"}


class TestGivesAnotherClass(Broken):
    __test__ = True
    handler = "GivesAnotherClass"
    caught_by = {"test_values_come_back", "test_equal_values_have_equal_digests"}


class TestChangesTheValue(Broken):
    __test__ = True
    handler = "ChangesTheValue"
    caught_by = {"test_what_was_written_stays_as_it_was"}


class TestRegistersWithItsLibrary(TypeContract):
    plugin = "registers_with_its_library"
    caught_by = {"test_registering_is_cheap"}

    def hint(self):
        from decimal import Decimal

        return Decimal

    def samples(self):
        cls = self.hint()
        return [cls(0), cls("1.50")]
