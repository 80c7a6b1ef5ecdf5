"""The home's folder."""

import pytest

from wingbeat.base.errors import ConfigurationError
from wingbeat.host.home import make_home


def test_a_home_is_made_with_its_parents_for_its_owner_and_out_of_version_control(tmp_path):
    home = tmp_path / "a" / "home"
    make_home(home)
    make_home(home)
    assert home.stat().st_mode & 0o777 == 0o700
    assert (home / ".gitignore").read_text() == "*\n"


@pytest.mark.parametrize(("place", "said"), [("file", "it is a file"), ("file/home", "Not a directory")])
def test_a_home_that_cannot_be_is_told_with_its_path(tmp_path, place, said):
    (tmp_path / "file").touch()
    with pytest.raises(ConfigurationError, match=f"The home {tmp_path / place} cannot be used: {said}"):
        make_home(tmp_path / place)
