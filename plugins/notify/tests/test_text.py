"""Messages as text and as JSON."""

import json
import unicodedata

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from wingbeat.contracts.notifier import Message
from wingbeat.spec.phase import ExecutionPhase
from wingbeat.testing.conformance.notifier import message
from wingbeat_notify.text import event, line, plain, slack

LATE = message(
    "msg_1", "ops", ExecutionPhase.RUNNING, after_s=7200.0, ended_at=None, cause="tick 2026-01-01T00:00:00+00:00"
)


def test_as_text_it_says_what_became_of_what():
    told = message("msg_1", "ops", reason="ValueError: no\nsecond line", created_at=0.0)
    assert plain(told) == (
        "eta/production/train@v1 has failed: execution-of-msg-1\n\nexecution: execution-of-msg-1\nphase: FAILED\n"
        "of: eta/production/train@v1\nproject: eta, domain production\nlaunched: 1970-01-01T00:00:00.000Z\n"
        "ended: 2033-05-18T03:33:20.000Z\nlabels: team=eta\nmessage: msg_1\n\nValueError: no\nsecond line\n"
    )
    assert plain(LATE).startswith(
        "eta/production/train@v1 has not ended 2h 0m after its launch: execution-of-msg-1\n\n"
    )
    assert "deadline: 2h 0m after the launch\n" in plain(LATE)
    assert " by tick 2026" in plain(LATE)


def test_as_json_it_has_a_type_a_time_and_data():
    told = json.loads(msgspec.json.encode(event(message("msg_1", "ops"))))
    assert (told["type"], told["timestamp"]) == ("execution.failed", "2033-05-18T03:33:20.000Z")
    assert told["data"]["execution"] == "execution-of-msg-1"
    assert told["data"]["created_at"] == "2030-03-17T17:46:40.000Z"
    assert told["data"]["labels"] == {"team": "eta"}
    assert {"channel", "id", "at"}.isdisjoint(told["data"])
    assert event(LATE)["type"] == "execution.late"
    assert event(LATE)["data"]["after_s"] == 7200.0


@given(st.text(), st.integers(1, 50))
def test_a_line_is_one_line(text, most):
    found = line(text, most)
    assert len(found) <= most + 1
    assert not any(unicodedata.category(character) in ("Cc", "Cf", "Cs", "Zl", "Zp") for character in found)


@given(st.builds(Message, st.just("msg_1"), st.just("ops"), st.just(1.0), st.text(), st.text(),
                 st.sampled_from(list(ExecutionPhase)), st.just(0.0), reason=st.text(),
                 labels=st.dictionaries(st.text(), st.text(), max_size=3)))  # fmt: skip
def test_every_fact_is_a_line_whatever_the_text(told):
    head = plain(told).split("\n\n")[1].splitlines()
    assert all(
        name.partition(": ")[0] in ("execution", "phase", "of", "launched", "labels", "message") for name in head
    )
    assert f"phase: {told.phase}" in head


def test_a_backfill_that_is_over_has_a_type_of_its_own_and_no_execution():
    told = msgspec.structs.replace(
        message("msg_1", "ops", backfill="march", ticks={"succeeded": 4, "failed": 1, "there": 2}), execution=""
    )
    title = (
        "the backfill march of eta/production/train@v1 has ended with failures: 4 succeeded, 1 failed, 2 already there, "
        "of 7 ticks"
    )
    found = json.loads(msgspec.json.encode(event(told)))
    assert (found["type"], found["data"]["title"]) == ("backfill.failed", title)
    assert found["data"]["ticks"] == {"succeeded": 4, "failed": 1, "there": 2}
    assert "execution" not in found["data"]
    assert plain(told).startswith(f"{title}\n\nbackfill: march\n")
    assert "ticks: 4 succeeded, 1 failed, 2 there\ncreated: 2030" in plain(told)


@pytest.mark.parametrize("text", ["<!channel> hi", "<https://evil.example|ok>", "a & b"])
def test_nothing_is_markup_in_slack(text):
    told = slack(message("msg_1", "ops", reason=text))["text"]
    assert "<" not in told
    assert told.count("&") == told.count("&lt;") + told.count("&gt;") + told.count("&amp;")
