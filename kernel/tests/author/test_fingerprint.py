"""What changes the code version of a task, and what does not."""

import sys
import textwrap

import pytest

from wingbeat.author.fingerprint import code_digest

BASE = """
    import math
    import helpers
    from helpers import scale

    LIMIT = 10
    NAMES = ["a", "b"]

    class Model:
        '''Words.'''
        rate: float = 0.5
        def apply(self, n): return n * self.rate

    def near(n):
        return n + 1

    def outer(k):
        def inner(n):
            return n * k
        return inner

    bound = outer(3)

    def f(n: int, m: int = 2) -> int:
        '''What it does.'''
        # a comment
        return near(n) + m + LIMIT + scale(n) + len(NAMES) + bound(n) + int(Model().apply(n)) + math.floor(1.5)
"""
HELPERS = """
    FACTOR = 2
    UNUSED = 1
    def scale(n): return n * FACTOR
    def other(n): return n
"""
LOCAL = """
    def f(n: int) -> int:
        import helpers
        return helpers.scale(n)
"""


@pytest.fixture
def digest(tmp_path, monkeypatch):
    """The digest of `f` in a project of these sources, as a new process would see it."""
    folders = iter(range(100))

    def of(source=BASE, helpers=HELPERS):
        folder = tmp_path / str(next(folders))
        folder.mkdir()
        (folder / "subject.py").write_text(textwrap.dedent(source))
        (folder / "helpers.py").write_text(textwrap.dedent(helpers))
        from wingbeat.author import fingerprint

        fingerprint._origin.cache_clear()
        with monkeypatch.context() as patch:
            patch.syspath_prepend(str(folder))
            for name in ("subject", "helpers"):
                sys.modules.pop(name, None)
            try:
                import subject  # type: ignore[import-not-found]

                return code_digest(subject.f)
            finally:
                for name in ("subject", "helpers"):
                    sys.modules.pop(name, None)

    return of


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("import math", "\n\n\n    import math"),
        ("# a comment", "# another comment"),
        ("'''What it does.'''", "'''Another text.'''"),
        ("        '''What it does.'''\n", ""),
        ("'''Words.'''", "'''Other words.'''"),
        ("return near(n) + m", "return (near(n)\n            + m)".replace("\n", " ")),
        ("def near(n):", "def unrelated(n): return 5\n\n    def near(n):"),
    ],
)
def test_moving_and_documenting_changes_nothing(digest, old, new):
    assert old in textwrap.dedent(BASE) or old in BASE
    assert digest(BASE.replace(old, new)) == digest()


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("return near(n) + m", "return near(n) - m"),
        ("m: int = 2", "m: int = 3"),
        ("return n + 1", "return n + 2"),
        ("LIMIT = 10", "LIMIT = 11"),
        ("LIMIT = 10", "LIMIT = 10.0"),
        ('NAMES = ["a", "b"]', 'NAMES = ["a", "c"]'),
        ("bound = outer(3)", "bound = outer(4)"),
        ("return n * k", "return n + k"),
        ("rate: float = 0.5", "rate: float = 0.6"),
        ("return n * self.rate", "return n + self.rate"),
        ("math.floor(1.5)", "math.ceil(1.5)"),
    ],
)
def test_what_the_function_reaches_counts(digest, old, new):
    assert old in BASE
    assert digest(BASE.replace(old, new)) != digest()


def test_imported_modules_of_the_project_count_by_what_is_used(digest):
    assert digest(helpers=HELPERS.replace("FACTOR = 2", "FACTOR = 3")) != digest()
    assert digest(helpers=HELPERS.replace("n * FACTOR", "n + FACTOR")) != digest()
    assert digest(helpers=HELPERS.replace("UNUSED = 1", "UNUSED = 2")) == digest()
    assert digest(helpers=HELPERS.replace("def other(n): return n", "def other(n): return -n")) == digest()


def test_an_attribute_of_a_module_of_the_project_counts(digest):
    source = """
        import helpers
        def f(n: int) -> int:
            return helpers.scale(n)
    """
    assert digest(source, HELPERS.replace("n * FACTOR", "n + FACTOR")) != digest(source)
    assert digest(source, HELPERS.replace("UNUSED = 1", "UNUSED = 2")) == digest(source)


def test_imports_inside_the_function_count(digest):
    assert digest(LOCAL, HELPERS.replace("FACTOR = 2", "FACTOR = 3")) != digest(LOCAL)
    assert digest(LOCAL, HELPERS.replace("def other", "# words\n    def other")) == digest(LOCAL)


def test_installed_packages_count_by_version_only(digest, monkeypatch):
    import msgspec

    source = """
        import msgspec
        def f(n: int) -> int:
            return msgspec.json.decode(b"1")
    """
    from wingbeat.author import fingerprint

    before = digest(source)
    assert digest(source) == before
    monkeypatch.setattr(msgspec, "__version__", "99.0")
    fingerprint._version.cache_clear()
    assert digest(source) != before
    fingerprint._version.cache_clear()


def test_a_wrapped_and_a_recursive_function_end(digest):
    source = """
        import functools
        def wrap(fn):
            @functools.wraps(fn)
            def inner(*args): return fn(*args)
            return inner
        @wrap
        def f(n: int) -> int:
            return f(n - 1) if n else 0
    """
    assert digest(source) == digest(source)
    assert digest(source) != digest(source.replace("else 0", "else 1"))


def test_the_order_of_a_set_does_not_matter(digest):
    source = "    NAMES = {'a', 'b', 'c', 'd'}\n    def f(n: int) -> int:\n        return len(NAMES)\n"
    assert len({digest(source) for _ in range(3)}) == 1


def test_names_in_default_containers_count(digest):
    source = "    def g(n): return n\n    TABLE = {'g': g}\n    def f(n: int) -> int:\n        return TABLE['g'](n)\n"
    assert digest(source) != digest(source.replace("return n\n    TABLE", "return -n\n    TABLE"))
