"""The words of explanations."""

from msgspec.structs import replace

from wingbeat.base.ids import digest
from wingbeat.testing.conformance.catalog_samples import make_entry, make_key
from wingbeat_catalog.explain import (
    differences,
    explain_expired,
    explain_hit,
    explain_miss,
    explain_nothing,
    nearest_key,
)

OLD = make_key("eta.train", version="1", day=1, city="SF")
AT = "on 2027-01-15 08:00:00 UTC"


def test_each_difference_has_its_words():
    key = make_key("eta.train", version="2", interface="j", day=2, seed=7)
    assert differences(key, OLD) == (
        "the cache version is '2', it was '1'",
        "input 'seed' was not part of it",
        "input 'city' is no longer part of it",
        "input 'day' has another content",
        "the types of inputs or outputs changed",
    )


def test_derived_versions_speak_of_code():
    old, new = (make_key("eta.train", version=digest(code), day=1) for code in (b"a", b"b"))
    assert differences(new, old) == ("the code of task eta.train changed",)


def test_what_the_key_does_not_name_is_the_environment():
    assert differences(replace(OLD, digest="sha256:other"), OLD) == ("the environment of the task changed",)


def test_the_nearest_has_the_fewest_differences_and_is_the_first_of_equals():
    key = make_key("eta.train", day=3, city="SF")
    other = make_key("eta.train", day=2, city="SF")
    assert nearest_key(key, [make_key("eta.train", day=3, city="LA", version="9"), other, OLD]) == other
    assert nearest_key(key, []) is None


def test_reasons_are_sentences():
    entry = make_entry(OLD, source="x1/n3/0", ttl=60)
    assert explain_hit(entry).reason == f"It was computed by x1/n3/0 {AT}."
    assert explain_expired(entry, entry.created_at + 60 + 3700).reason == (
        f"It was computed by x1/n3/0 {AT}, but the entry expired 1h 1m ago."
    )
    assert explain_nothing(OLD).reason == "Nothing is kept of task eta.train: it was never computed, or evicted."
    miss = explain_miss(make_key("eta.train", version="2", day=2, city="SF"), entry)
    assert miss.reason == (
        f"Compared with what was computed by x1/n3/0 {AT}, the cache version is '2', it was '1' and "
        "input 'day' has another content."
    )
