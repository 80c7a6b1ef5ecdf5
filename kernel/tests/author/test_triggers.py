import pytest

from wingbeat import CompileError, OnEnd, OnSuccess

MAPS = "maps/production/maps.build"


def test_what_a_trigger_waits_for():
    assert OnSuccess(MAPS, inputs={"roads": "o0"}).spec.inputs == {"roads": "o0"}
    assert [str(phase) for phase in OnSuccess(MAPS).spec.phases] == ["SUCCEEDED"]
    assert [str(phase) for phase in OnEnd(MAPS).spec.phases] == ["SUCCEEDED", "FAILED", "ABORTED", "TIMED_OUT"]
    assert [str(phase) for phase in OnEnd(MAPS, phases=("FAILED",)).spec.phases] == ["FAILED"]


@pytest.mark.parametrize(
    ("make", "says"),
    [
        (lambda: OnSuccess("maps.build"), "is no PROJECT/DOMAIN/NAME"),
        (lambda: OnEnd("maps/production/maps.build@v1"), "is no PROJECT/DOMAIN/NAME"),
        (lambda: OnEnd(MAPS, phases=("RUNNING",)), "does not end in RUNNING"),
        (lambda: OnEnd(MAPS, phases=()), "does not end in no phase"),
        (lambda: OnEnd(MAPS, phases=("DONE",)), "'DONE' is not a valid"),
        (lambda: OnEnd(MAPS, inputs={"roads": "o0"}), "may not have succeeded"),
    ],
    ids=["name", "version", "running", "none", "unknown", "outputs"],
)
def test_what_is_wrong_is_told_with_the_line_of_its_author(make, says):
    with pytest.raises(CompileError, match=says) as caught:
        make()
    assert "test_triggers.py:" in str(caught.value)
    assert "trigger.py:" not in str(caught.value).replace("test_triggers.py:", "")
