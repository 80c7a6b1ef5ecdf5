import os

import pytest

from wingbeat.spec.entities import Interface, Variable
from wingbeat.types import (
    DictType,
    DirectoryType,
    EnumType,
    FileType,
    Hashed,
    ListType,
    LiteralValues,
    RecordField,
    RecordType,
    Simple,
    TableType,
    UnionType,
)
from wingbeat_cli.options import input_options
from wingbeat_cli.values import default_text, metavar, parse, summary

INT, STR, NONE = Simple("int"), Simple("str"), Simple("none")
MODE = EnumType("Mode", ("FAST", "SLOW"))
FLAGS = EnumType("Flags", ("A", "B"), flag=True)
RECORD = RecordType("Config", (RecordField("lr", Simple("float")), RecordField("depth", INT, 6)))
OPTIONAL = UnionType((INT, NONE))


@pytest.mark.parametrize(
    ("text", "literal", "value"),
    [
        ("3", INT, 3),
        ("-3", INT, -3),
        ("123456789012345678901234567890", INT, 123456789012345678901234567890),
        ("1e3", Simple("float"), 1000.0),
        ("3", STR, "3"),
        ("yes", Simple("bool"), True),
        ("2026-10-25", Simple("date"), "2026-10-25"),
        ("2026-10-25T02:30:00+01:00", Simple("datetime"), "2026-10-25T02:30:00+01:00"),
        ("2026-10-25", Simple("datetime"), "2026-10-25"),
        ("90s", Simple("timedelta"), 90.0),
        ("1h30m", Simple("timedelta"), 5400.0),
        ("PT1H", Simple("timedelta"), "PT1H"),
        ("aGk=", Simple("bytes"), "aGk="),
        ("FAST", MODE, "FAST"),
        ("slow", MODE, "SLOW"),
        ("A|b", FLAGS, "A|B"),
        ("2", LiteralValues((1, 2, "x")), 2),
        ("x", LiteralValues((1, 2, "x")), "x"),
        ("true", LiteralValues((True, "true")), True),
        ("[1, 2]", ListType(INT), [1, 2]),
        ('{"a": 1}', DictType(STR, INT), {"a": 1}),
        ('{"lr": 0.1}', RECORD, {"lr": 0.1}),
        ("null", OPTIONAL, None),
        ("3", OPTIONAL, 3),
        ("null", UnionType((STR, NONE)), None),
        ("3", UnionType((INT, STR)), 3),
        ("three", UnionType((INT, STR)), "three"),
        ("null", UnionType((INT, STR, NONE)), None),
        ("3", Hashed(INT), 3),
    ],
)
def test_text_becomes_plain_data(text, literal, value):
    found = parse(text, literal)
    assert found == value
    assert type(found) is type(value)


@pytest.mark.parametrize(
    ("text", "literal", "message"),
    [
        ("3.5", INT, "expected int, got '3.5'"),
        ("x", Simple("float"), "expected float, got 'x'"),
        ("maybe", Simple("bool"), "expected true or false, got 'maybe'"),
        ("2026-13-01", Simple("date"), "expected a date as 2026-10-25, got '2026-13-01'"),
        ("soon", Simple("datetime"), "expected datetime"),
        ("soon", Simple("timedelta"), "expected a duration as 90s or 1h30m, got 'soon'"),
        ("medium", MODE, "expected one of FAST, SLOW, got 'medium'"),
        ("3", LiteralValues((1, 2)), "expected one of 1, 2, got '3'"),
        ("[1", ListType(INT), r"expected list\[int\] as JSON, got '\[1'"),
        ("nothing.csv", FileType("csv"), "there is nothing at nothing.csv"),
        ("?", Simple("bytes"), "expected bytes as base64"),
        ("{", UnionType((INT, RECORD)), "as JSON"),
        ("None", OPTIONAL, "expected int, got 'None'; or null, for None"),
        ("None", UnionType((ListType(INT), NONE)), r"expected list\[int\] as JSON, got 'None' .*; or null, for None"),
    ],
)
def test_wrong_text_says_what_was_expected(text, literal, message):
    with pytest.raises(ValueError, match=message):
        parse(text, literal)


def test_paths_are_checked_and_made_absolute(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "a.csv").write_text("x")
    assert parse("a.csv", FileType()) == str(tmp_path / "a.csv")
    assert parse("a.csv", TableType()) == str(tmp_path / "a.csv")
    assert parse(".", DirectoryType()) == str(tmp_path)
    assert parse("s3://bucket/a.csv", FileType()) == "s3://bucket/a.csv"
    with pytest.raises(ValueError, match=r"expected a directory, but a\.csv is a file"):
        parse("a.csv", DirectoryType())
    with pytest.raises(ValueError, match=r"expected a file, but \. is a directory"):
        parse(".", FileType())
    os.mkfifo("p.fifo")
    for kind in (FileType(), TableType()):
        with pytest.raises(ValueError, match=r"expected a file, but p\.fifo is a pipe"):
            parse("p.fifo", kind)
    with pytest.raises(ValueError, match=r"expected a file, but /dev/null is a device"):
        parse("/dev/null", FileType())


def test_at_reads_a_file(tmp_path):
    (tmp_path / "list.json").write_text("[1, 2]")
    assert parse(f"@{tmp_path}/list.json", ListType(INT)) == [1, 2]
    assert parse(f"@{tmp_path}/list.json", Simple("bytes")) == "WzEsIDJd"
    with pytest.raises(ValueError, match="cannot read"):
        parse("@nothing.json", ListType(INT))


@pytest.mark.parametrize(
    ("literal", "text"),
    [
        (INT, "INT"),
        (Simple("timedelta"), "DURATION"),
        (OPTIONAL, "INT|null"),
        (MODE, "[FAST|SLOW]"),
        (LiteralValues((1, "x")), "[1|x]"),
        (EnumType("Long", tuple(f"MEMBER_{i}" for i in range(9))), "CHOICE"),
        (FileType("csv"), "FILE"),
        (DirectoryType(), "DIRECTORY"),
        (TableType(), "PATH"),
        (ListType(INT), "JSON|@FILE"),
        (Simple("bytes"), "BASE64|@FILE"),
    ],
)
def test_metavar(literal, text):
    assert metavar(literal) == text


def test_summary_shows_the_fields_of_a_record():
    assert summary(RECORD) == "Config {lr: float, depth: int = …}"
    assert summary(EnumType("Long", tuple(f"MEMBER_{i}" for i in range(9)))).startswith("Long: MEMBER_0 | MEMBER_1")
    assert summary(FileType("csv")) == "File[csv]"
    assert summary(MODE) == summary(INT) == ""
    assert summary(ListType(INT)) == "list[int]"


@pytest.mark.parametrize(
    ("literal", "wire", "text"),
    [
        (STR, "a b", "a b"),
        (STR, "", "''"),
        (INT, 3, "3"),
        (Simple("bool"), False, "false"),
        (OPTIONAL, None, "null"),
        (UnionType((INT, STR)), {"k": 1, "v": "x"}, "x"),
        (Hashed(ListType(INT)), {"h": None, "v": [1]}, "[1]"),
    ],
)
def test_defaults_are_shown_as_they_would_be_written(literal, wire, text):
    assert default_text(Variable("x", literal, wire)) == text


def test_options_never_take_a_name_twice():
    boolean = Simple("bool")
    inputs = tuple(
        Variable(n, t) for n, t in [("no_x", INT), ("x", boolean), ("output", STR), ("a_b", INT), ("help", STR)]
    )
    options = {option.name: [*option.opts, *option.secondary_opts] for option in input_options(Interface(inputs))}
    assert options == {"input_no_x": ["--no-x"], "input_x": ["--x"], "input_a_b": ["--a-b"]}
