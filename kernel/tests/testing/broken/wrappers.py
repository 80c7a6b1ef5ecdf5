"""Wrappers with one fault each; see `test_kits_catch.py`."""

from pathlib import Path

import pytest

from wingbeat.testing.conformance.wrapper import WrapperContract


class Broken(WrapperContract):
    __test__ = False
    offers = ("Session", "session")
    patience_s = 20.0

    @pytest.fixture(autouse=True)
    def beside(self, monkeypatch):
        here = Path(__file__).parent
        monkeypatch.setenv("PYTHONPATH", str(here / "modules"))


class TestLeavesItsProcess(Broken):
    __test__ = True
    target = "wrapped:LeavesItsProcess"
    caught_by = {"test_nothing_is_left_of_it"}


class TestImportsMuch(Broken):
    __test__ = True
    target = "wrapped_heavily:ImportsMuch"
    offers = ()
    caught_by = {"test_importing_it_is_cheap"}


class TestBeginsWhenItIsMade(Broken):
    __test__ = True
    target = "wrapped:BeginsWhenItIsMade"
    caught_by = {"test_making_it_does_nothing", "test_nothing_is_left_of_it"}


class TestWritesElsewhereWhenItIsMade(Broken):
    __test__ = True
    target = "wrapped:WritesElsewhereWhenItIsMade"
    caught_by = {"test_making_it_does_nothing"}


class TestLeavesADaemon(Broken):
    __test__ = True
    target = "wrapped:LeavesADaemon"
    caught_by = {"test_nothing_is_left_of_it"}


class TestOffersUnderNumbers(Broken):
    __test__ = True
    target = "wrapped:OffersUnderNumbers"
    caught_by = {
        "test_it_offers_parameters_by_type_or_name",
        "test_an_attempt_inside_it_succeeds",
        "test_the_error_of_the_function_is_that_of_the_attempt",
        "test_nothing_is_left_of_a_cancelled_attempt",
    }


class TestOffersSomethingElse(Broken):
    __test__ = True
    target = "wrapped:OffersSomethingElse"
    caught_by = {
        "test_it_offers_parameters_by_type_or_name",
        "test_an_attempt_inside_it_succeeds",
        "test_the_error_of_the_function_is_that_of_the_attempt",
        "test_nothing_is_left_of_a_cancelled_attempt",
    }


class TestRaisesWhenItIsLeft(Broken):
    __test__ = True
    target = "wrapped:RaisesWhenItIsLeft"
    caught_by = {
        "test_it_offers_parameters_by_type_or_name",
        "test_nothing_is_left_of_it",
        "test_leaving_does_not_decide_over_errors",
        "test_an_attempt_inside_it_succeeds",
    }


class TestEndsTheProcess(Broken):
    __test__ = True
    target = "wrapped:EndsTheProcess"
    caught_by = {
        "test_nothing_is_left_of_it",
        "test_leaving_does_not_decide_over_errors",
        "test_the_error_of_the_function_is_that_of_the_attempt",
    }


class TestHangsWhenItIsEntered(Broken):
    __test__ = True
    target = "wrapped:HangsWhenItIsEntered"
    patience_s = 3.0
    caught_by = {
        "test_it_offers_parameters_by_type_or_name",
        "test_nothing_is_left_of_it",
        "test_leaving_does_not_decide_over_errors",
        "test_an_attempt_inside_it_succeeds",
        "test_the_error_of_the_function_is_that_of_the_attempt",
        "test_nothing_is_left_of_a_cancelled_attempt",
    }
