"""Signatures, checked with what receivers check them with."""

import base64
import json
import time

import pytest
from hypothesis import given
from hypothesis import strategies as st
from standardwebhooks import Webhook, WebhookVerificationError

from wingbeat_notify.signing import headers, keys_of


def secret(key):
    return "whsec_" + base64.b64encode(key).decode()


keys = st.binary(min_size=24, max_size=64)


@given(keys, st.text(), st.from_regex(r"\Amsg_[0-9a-f]{32}\Z"))
def test_receivers_take_what_is_signed(key, text, id):
    body = json.dumps({"text": text}).encode()
    signed = headers(id, int(time.time()), body, [key])
    assert Webhook(secret(key)).verify(body, signed) == {"text": text}


@given(keys, keys)
def test_while_a_secret_is_replaced_both_are_taken(old, new):
    signed = headers("msg_1", int(time.time()), b"{}", keys_of(f"{secret(new)} {secret(old)}"))
    for key in (old, new):
        assert Webhook(secret(key)).verify(b"{}", signed) == {}


@pytest.mark.parametrize("change", ["body", "id", "time", "key"])
def test_what_was_changed_is_not_taken(change):
    key = b"k" * 32
    signed = headers("msg_1", int(time.time()), b"{}", [key])
    body, checked = b"{}", key
    if change == "body":
        body = b"{ }"
    elif change == "id":
        signed["webhook-id"] = "msg_2"
    elif change == "time":
        signed["webhook-timestamp"] = str(int(time.time()) - 100_000)
    else:
        checked = b"l" * 32
    with pytest.raises(WebhookVerificationError):
        Webhook(secret(checked)).verify(body, signed)


@pytest.mark.parametrize(
    ("wrong", "why"),
    [("", "it is empty"), ("  \n", "it is empty"), ("canary", "does not begin"), ("whsec_canary!", "no base64"),
     ("whsec_Y2FuYXJ5", "has 6 bytes"), (secret(b"canary" * 11), "has 66 bytes"), (secret(b"k" * 32) + " canary", "not begin")],
)  # fmt: skip
def test_what_is_no_key_is_told_without_it(wrong, why):
    with pytest.raises(ValueError, match=why) as told:
        keys_of(wrong)
    assert "canary" not in str(told.value)
