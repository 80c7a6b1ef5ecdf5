"""In which line something is said."""

import pytest

from wingbeat.host.tomllines import line_of

TEXT = """\
outside = 1
# [process] slots = 0
[kernel]
executor = "process"
note = '''
[process]
slots = 9
'''

[ process ]
"slots" = 2     # here
limits.cpu = 3
journal = {synchronous = "FULL"}
[[kernel.rules]]
executor = "a"
[tool."wingbeat".process]
slots = 1
"""


@pytest.mark.parametrize(
    ("path", "line"),
    [
        ("outside", 1),
        ("kernel.executor", 4),
        ("process", 10),
        ("process.slots", 11),
        ("process.limits", 12),
        ("process.journal.synchronous", 13),
        ("kernel.rules", 14),
        ("tool.wingbeat.process.slots", 17),
        ("process.slotz", 0),
    ],
)
def test_the_line_is_that_of_the_key_or_of_what_holds_it(tmp_path, path, line):
    file = tmp_path / "wingbeat.toml"
    file.write_text(TEXT)
    assert line_of(file, path.split(".")) == line


def test_of_a_file_that_is_gone_nothing_is_known(tmp_path):
    assert line_of(tmp_path / "wingbeat.toml", ["process"]) == 0
