"""What the digest of a function's code covers: everything of the project that the function reaches, and no more."""

import importlib
import itertools
import subprocess
import sys
from textwrap import dedent

import pytest

from wingbeat.author import fingerprint
from wingbeat.author.fingerprint import code_digest

NUMBERS = itertools.count()


@pytest.fixture
def digest(tmp_path, monkeypatch):
    """The digest of `f` in a module of a fresh project: `files` by path, `main` the module itself."""

    def of(main, files=()):
        root = tmp_path / str(next(NUMBERS))
        root.mkdir()
        for name, text in {"main": main, **dict(files)}.items():
            path = root / f"{name}.py"
            path.parent.mkdir(exist_ok=True)
            path.write_text(dedent(text))
        monkeypatch.syspath_prepend(str(root))
        for name in ["main", "helpers", "pkg", "pkg.helpers"]:
            sys.modules.pop(name, None)
        importlib.invalidate_caches()
        fingerprint._origin.cache_clear()
        return code_digest(importlib.import_module("main").f)

    yield of
    for name in ["main", "helpers", "pkg", "pkg.helpers"]:
        sys.modules.pop(name, None)


@pytest.mark.parametrize(
    "main",
    [
        "from helpers import g\ndef f(): return g(1)",
        "import helpers\ndef f(): return helpers.g(1)",
        "def f():\n    import helpers\n    return helpers.g(1)",
        "import functools, helpers\ng = functools.lru_cache(helpers.g)\ndef f(): return g(1)",
        "import functools, helpers\ng = functools.partial(helpers.g, 1)\ndef f(): return g()",
        "import helpers\ng = helpers.Box().get\ndef f(): return g()",
    ],
    ids=["name", "attribute", "inside", "lru_cache", "partial", "method"],
)
def test_a_helper_counts_however_it_is_reached(digest, main):
    helpers = "def g(x): return x + {0}\nclass Box:\n    def get(self): return {0}\n"
    one = digest(main, {"helpers": helpers.format(1)})
    assert digest(main, {"helpers": helpers.format(1)}) == one
    assert digest(main, {"helpers": "# said\n" + helpers.format(1)}) == one
    assert digest(main, {"helpers": helpers.format(2)}) != one


def test_a_helper_in_a_module_of_a_package_counts(digest):
    main = "import pkg.helpers\ndef f(): return pkg.helpers.g(1)"
    files = {"pkg/__init__": "", "pkg/helpers": "def g(x): return x + 1\ndef other(): return 1\n"}
    one = digest(main, files)
    assert digest(main, files | {"pkg/helpers": "def g(x): return x + 1\ndef other(): return 2\n"}) == one
    assert digest(main, files | {"pkg/helpers": "def g(x): return x + 2\n"}) != one


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("timedelta(days=1)", "timedelta(days=2)"),
        ("date(2024, 1, 1)", "date(2024, 1, 2)"),
        ("Decimal('1.0')", "Decimal('1.1')"),
        ("range(3)", "range(4)"),
        ("re.compile('a')", "re.compile('b')"),
        ("re.compile('a')", "re.compile('a', re.I)"),
        ("[1, {'a': 2}]", "[1, {'a': 3}]"),
    ],
)
def test_a_constant_counts_by_its_value(digest, one, other):
    main = "import re\nfrom datetime import *\nfrom decimal import Decimal\nLIMIT = {}\ndef f(): return LIMIT\n"
    assert digest(main.format(one)) == digest(main.format(one))
    assert digest(main.format(one)) != digest(main.format(other))


def test_a_script_has_the_digests_of_its_module(tmp_path):
    source = """
        from dataclasses import dataclass
        from wingbeat.author.fingerprint import code_digest, own_code

        @dataclass
        class Settings:
            rate: int = 2

        SETTINGS = Settings()

        def f(): return SETTINGS.rate

        def said(): return code_digest(f), own_code(f).digest

        if __name__ == "__main__":
            import script
            assert said() == script.said()
    """
    (tmp_path / "script.py").write_text(dedent(source))
    subprocess.run([sys.executable, tmp_path / "script.py"], check=True, cwd=tmp_path)
