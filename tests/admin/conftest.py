import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parent))

from shells import Shell


@pytest.fixture
def shell(tmp_path: Path) -> Iterator[Shell]:
    yield Shell(tmp_path)
    (tmp_path / "go").touch()


@pytest.fixture
def there(shell: Shell) -> Iterator[Shell]:
    """The same, where everything goes to a server."""
    with shell.serving() as (url, _):
        yield Shell(shell.root, url)
