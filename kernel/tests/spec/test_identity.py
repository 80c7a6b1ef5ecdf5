"""Names of what is registered."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from wingbeat.base.errors import InputError
from wingbeat.spec.identity import Identity, Name, check_version, parse_identity, parse_name, parse_reference

PLACES = st.from_regex(r"[a-z0-9]([a-z0-9_-]{0,20}[a-z0-9])?\Z", fullmatch=True)
NAMES = st.from_regex(r"[A-Za-z0-9_]([A-Za-z0-9_.-]{0,30}[A-Za-z0-9_])?\Z", fullmatch=True)
VERSIONS = st.from_regex(r"[A-Za-z0-9]([A-Za-z0-9._+-]{0,30}[A-Za-z0-9])?\Z", fullmatch=True)


@given(PLACES, PLACES, NAMES, VERSIONS)
def test_what_is_written_is_read(project, domain, name, version):
    id = Identity(project, domain, name, version)
    assert parse_identity(str(id)) == id
    assert parse_name(str(id.entity)) == id.entity
    assert parse_reference(str(id)) == (id.entity, version)
    assert id.entity.at(version) == id


def test_a_reference_may_have_no_version():
    assert parse_reference("eta/production/a.b") == (Name("eta", "production", "a.b"), "")
    with pytest.raises(InputError, match="names no version"):
        parse_identity("eta/production/a.b")


@pytest.mark.parametrize(
    "text",
    [
        "", "a", "a/b", "a/b/c/d", "/b/c", "a//c", "a/b/", "A/b/c", "a/B/c", "-a/b/c", "a/b/..", "a/b/c d", "a/b/c\n", "a/b/\0",
        "a/b/c@", "a/b/c@v 1", "a/b/c@/", "a/b/c@v@w", "a/../c",
        "a/b/" + "c" * 256, "a" * 64 + "/b/c", "ä/b/c", "a/b/c@" + "v" * 129,
    ],
)  # fmt: skip
def test_what_is_none_is_refused(text):
    with pytest.raises(InputError):
        parse_reference(text)


@pytest.mark.parametrize("version", ["v1", "1.2.3", "2026-11-26", "a1b2c3", "1.0+local"])
def test_versions(version):
    check_version(version)
