"""Plugins with one fault each; see `test_kits_catch.py`. They are modules in `modules/`."""

from wingbeat.testing.conformance.plugin import PluginContract


class Broken(PluginContract):
    __test__ = False


class TestIsOfNewerContracts(Broken):
    __test__ = True
    module = "p_newer"
    caught_by = {"test_it_boots_beside_what_is_in_the_box", "test_it_says_what_it_was_built_for"}


class TestIsOfWhateverIsThere(Broken):
    __test__ = True
    module = "p_moving"
    caught_by = {"test_it_says_what_it_was_built_for"}


class TestTellsNotAllOfItsSettings(Broken):
    __test__ = True
    module = "p_undocumented"
    caught_by = {"test_its_settings_are_documented"}


class TestAsksForASetting(Broken):
    __test__ = True
    module = "p_without_default"
    caught_by = {"test_its_settings_are_read_from_a_home", "test_its_settings_have_defaults"}


class TestImportsMuch(Broken):
    __test__ = True
    module = "p_heavy"
    caught_by = {"test_importing_it_is_cheap"}


class TestReadsWhenItRegisters(Broken):
    __test__ = True
    module = "p_reads"
    caught_by = {"test_registering_does_no_io"}


class TestHasAHookThatThereIsNot(Broken):
    __test__ = True
    module = "p_misspelt"
    caught_by = {"test_it_boots_beside_what_is_in_the_box", "test_it_fits_the_hooks"}


class TestForgetsTheMark(Broken):
    __test__ = True
    module = "p_unmarked"
    caught_by = {"test_it_fits_the_hooks"}


class TestLooksBehindTheDoors(Broken):
    __test__ = True
    module = "p_private"
    caught_by = {"test_it_imports_nothing_private_of_the_kernel"}


class TestOffersOneNameTwice(Broken):
    __test__ = True
    module = "p_twice"
    caught_by = {"test_it_boots_beside_what_is_in_the_box", "test_names_are_unique_and_can_be_written_in_settings"}


class TestHasANameThatNobodyCanWrite(Broken):
    __test__ = True
    module = "p_odd_name"
    caught_by = {"test_names_are_unique_and_can_be_written_in_settings"}


class TestGivesOneObjectToAllKernels(Broken):
    __test__ = True
    module = "p_one_for_all"
    caught_by = {"test_factories_make_what_was_registered"}


class TestGivesSomethingElse(Broken):
    __test__ = True
    module = "p_lacking"
    caught_by = {"test_factories_make_what_was_registered"}


class TestDoesNotSayWhatItsWrapperIsCalled(Broken):
    __test__ = True
    module = "p_nameless"
    caught_by = {"test_its_wrappers_are_registered"}


class TestTakesANameThatIsTaken(Broken):
    __test__ = True
    module = "p_taken"
    caught_by = {"test_it_boots_beside_what_is_in_the_box"}
