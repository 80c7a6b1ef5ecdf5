"""Commands with one fault each; see `test_kits_catch.py`. They are in `modules/commanding.py`."""

from wingbeat.testing.conformance.command import CommandContract


class Broken(CommandContract):
    __test__ = False
    line = "Do something."
    documents = False


class TestIsAFunction(Broken):
    __test__ = True
    target = "commanding:no_command"
    caught_by = {"test_it_is_a_command_of_click"}


class TestWritesWhenItIsImported(Broken):
    __test__ = True
    target = "commanding_at_once:late"
    caught_by = {"test_importing_it_leaves_nothing"}


class TestHasNoLine(Broken):
    __test__ = True
    target = "commanding:good"
    line = ""
    caught_by = {"test_its_line_says_what_it_is_for"}


class TestHasTwoLines(Broken):
    __test__ = True
    target = "commanding:good"
    line = "Keep notes.\nRead them."
    caught_by = {"test_its_line_says_what_it_is_for"}


class TestDoesNotSayWhatItIsFor(Broken):
    __test__ = True
    target = "commanding:says_nothing"
    caught_by = {"test_everything_in_it_has_a_help"}


class TestMakesAHomeForItsHelp(Broken):
    __test__ = True
    target = "commanding:helps_by_writing"
    caught_by = {"test_help_changes_nothing"}


class TestCannotBeCompleted(Broken):
    __test__ = True
    target = "commanding:cannot_complete"
    caught_by = {"test_it_can_be_completed"}


class TestTakesAnyOption(Broken):
    __test__ = True
    target = "commanding:swallows"
    caught_by = {"test_options_that_there_are_not_are_told"}


class TestAnswersInWords(Broken):
    __test__ = True
    target = "commanding:answers_words"
    calls = ((),)
    caught_by = {"test_it_answers_a_status"}


class TestWorksWhereItIsCalled(Broken):
    __test__ = True
    target = "commanding:works_here"
    calls = ((),)
    caught_by = {"test_it_works_where_it_is_told_to"}


class TestPrintsBesideItsDocument(Broken):
    __test__ = True
    target = "commanding:prints_beside"
    calls = ((),)
    documents = True
    caught_by = {"test_it_prints_one_document"}


class TestRemembersTheFirstCall(Broken):
    __test__ = True
    target = "commanding:remembers"
    calls = ((),)
    documents = True
    caught_by = {"test_it_can_be_called_again"}
