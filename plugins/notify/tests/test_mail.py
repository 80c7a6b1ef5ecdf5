"""Mail against real servers, in the clear and not."""

import email
import email.policy
import ssl

import pytest
import trustme
from aiosmtpd.smtp import AuthResult
from hypothesis import given
from hypothesis import strategies as st

from wingbeat.base.errors import ConfigurationError
from wingbeat.contracts.notifier import NotDelivered, Undeliverable
from wingbeat.testing.conformance.notifier import ODD, message
from wingbeat_notify.kits import MailServer
from wingbeat_notify.mail import MailNotifier, is_address, mail_of
from wingbeat_notify.settings import MailChannel, MailSettings

SENDER, OPS = "wingbeat@example.com", ("ops@example.com", "oncall@example.com")
TOLD = message("msg_1", "ops", reason="ValueError: it broke\nin line 2")
PASSWORD = "canary-5d1"


def settings(port, tls="none", **more):
    return MailSettings(
        {"ops": MailChannel(OPS)}, "localhost" if tls != "none" else "127.0.0.1", port, tls, SENDER, **more
    )


def notifier(port, tls="none", **more):
    return MailNotifier(settings(port, tls, **more), {"mail/password": PASSWORD}.__getitem__)


@pytest.fixture(scope="module")
def tls(tmp_path_factory):
    """What the server shows, and the file of who has issued it."""
    authority, file = trustme.CA(), tmp_path_factory.mktemp("ca") / "ca.pem"
    authority.cert_pem.write_to_path(str(file))
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    authority.issue_cert("localhost").configure_cert(context)
    return context, str(file)


async def test_a_mail_says_what_became_of_the_execution():
    with MailServer() as server:
        await notifier(server.port).notify(TOLD)
    ((sender, recipients, content),) = server.taken
    assert (sender, tuple(recipients)) == (SENDER, OPS)
    mail = email.message_from_bytes(content, policy=email.policy.default)
    assert mail["Subject"] == "eta/production/train@v1 has failed: execution-of-msg-1"
    assert (mail["From"], mail["To"]) == (SENDER, ", ".join(OPS))
    assert mail["Message-ID"] == "<msg_1@example.com>"
    assert mail["Auto-Submitted"] == "auto-generated"
    assert mail.get_content_type() == "text/plain"
    assert "ValueError: it broke\nin line 2\n" in mail.get_content().replace("\r\n", "\n")


# -- TLS and passwords


async def test_by_default_nothing_is_sent_in_the_clear(tls):
    context, file = tls
    with MailServer() as plain:
        with pytest.raises(NotDelivered, match="STARTTLS|cannot be reached"):
            await notifier(plain.port, "starttls", ca_file=file).notify(TOLD)
        assert plain.taken == []
    with MailServer(tls_context=context, require_starttls=True) as server:
        await notifier(server.port, "starttls", ca_file=file).notify(TOLD)
        assert len(server.taken) == 1


async def test_a_server_that_shows_another_certificate_is_sent_nothing(tls):
    context, _ = tls
    with MailServer(tls_context=context) as server:
        with pytest.raises(NotDelivered, match="certificate|CERTIFICATE|cannot be reached"):
            await notifier(server.port, "starttls").notify(TOLD)  # who has issued it is not known
        assert server.taken == []


async def test_it_logs_in_under_tls_with_the_password(tls):
    context, file = tls
    seen = []

    def authenticate(server, session, envelope, mechanism, data):
        seen.append((session.ssl is not None, data.login, data.password))
        return AuthResult(success=data.password == PASSWORD.encode(), handled=False)

    with MailServer(tls_context=context, authenticator=authenticate, auth_required=True) as server:
        given = {"ca_file": file, "user": "wingbeat", "password": "mail/password"}
        await notifier(server.port, "starttls", **given).notify(TOLD)
        assert seen[-1] == (True, b"wingbeat", PASSWORD.encode())
        wrong = MailNotifier(settings(server.port, "starttls", **given), lambda _: f"{PASSWORD}-wrong")
        with pytest.raises(NotDelivered, match="SMTPAuthenticationError, 535") as told:
            await wrong.notify(TOLD)
    assert PASSWORD not in f"{told.value!r} {told.value}"
    assert len(server.taken) == 1


# -- what the server says


@pytest.mark.parametrize(
    ("answer", "error"),
    [("451 canary later", NotDelivered), ("554 canary no", Undeliverable), ("552 canary full", Undeliverable)],
)
async def test_what_the_server_does_not_take_is_told(answer, error):
    with MailServer() as server:
        server.answer = answer
        with pytest.raises(error, match=answer[:3]) as told:
            await notifier(server.port).notify(TOLD)
    assert type(told.value) is error
    assert "canary" not in str(told.value)


@pytest.mark.parametrize(("answer", "error"), [("450 later", NotDelivered), ("550 no such user", Undeliverable)])
async def test_addresses_that_are_none_there_are_told(answer, error):
    class Refuses(MailServer):
        async def handle_RCPT(self, server, session, envelope, address, options):  # noqa: N802  # aiosmtpd's
            return answer

    with Refuses() as server, pytest.raises(error, match=f"takes nothing for its addresses: {answer[:3]}"):
        await notifier(server.port).notify(TOLD)


async def test_one_address_that_is_none_keeps_no_other_from_its_mail():
    class Refuses(MailServer):
        async def handle_RCPT(self, server, session, envelope, address, options):  # noqa: N802  # aiosmtpd's
            if address == OPS[0]:
                return "550 no such user"
            envelope.rcpt_tos.append(address)
            return "250 OK"

    with Refuses() as server:
        await notifier(server.port).notify(TOLD)
    assert [recipients for _, recipients, _ in server.taken] == [[OPS[1]]]


async def test_a_server_that_is_away_is_told():
    with MailServer() as server:
        port = server.port
    with pytest.raises(NotDelivered, match=r"127\.0\.0\.1 cannot be reached"):
        await notifier(port).notify(TOLD)


# -- headers


@given(st.text(), st.text(), st.dictionaries(st.text(), st.text(), max_size=3))
def test_no_text_becomes_a_header(name, reason, labels):
    mail = mail_of(message("msg_1", "ops", entity=name, reason=reason, labels=labels), SENDER, OPS)
    head, _, _ = mail.as_bytes().partition(b"\r\n\r\n")
    found = email.message_from_bytes(head + b"\r\n\r\n", policy=email.policy.default)
    assert sorted(found.keys()) == sorted(
        [
            "From",
            "To",
            "Subject",
            "Date",
            "Message-ID",
            "Auto-Submitted",
            "Content-Type",
            "Content-Transfer-Encoding",
            "MIME-Version",
        ]
    )


@pytest.mark.parametrize("kind", ODD)
async def test_odd_names_reach_nobody_else(kind):
    with MailServer() as server:
        told = message("msg_1", "ops", entity=ODD[kind], reason=ODD[kind], labels={ODD[kind][:50]: ODD[kind][:50]})
        await notifier(server.port).notify(told)
    ((_, recipients, content),) = server.taken
    assert tuple(recipients) == OPS
    mail = email.message_from_bytes(content, policy=email.policy.default)
    assert mail["Bcc"] is None
    assert len(mail.get_all("Subject")) == 1
    assert len(mail["Subject"]) <= 210


# -- settings


@pytest.mark.parametrize(
    "text",
    ["ops@example.com", "a.b+c@mail.example.co.uk", "o'neil@example.com", "x@localhost"],
)
def test_plain_addresses_are_known(text):
    assert is_address(text)


@pytest.mark.parametrize(
    "text",
    ["", "ops", "@example.com", "ops@", "a@b@c", "a b@example.com", "a@exam ple.com", "a@b.c\r\nBcc: x@y.z", "a@b.c,d@e.f",
     "Ops <a@b.c>", '"a"@b.c', "ä@example.com", "a@b.c\0", "x" * 300 + "@b.c", "@" * 100_000],
)  # fmt: skip
def test_what_is_no_plain_address_is_refused(text):
    assert not is_address(text)


@pytest.mark.parametrize(
    ("more", "why"),
    [({"server": ""}, "needs a server and a sender"), ({"sender": "Ops <a@b.c>"}, "needs a server and a sender"),
     ({"user": "me"}, "both, or none"), ({"password": "mail/password"}, "both, or none"),
     ({"user": "me", "password": "p", "tls": "none"}, "in the clear"),
     ({"channels": {"ops": MailChannel(("a@b.c\nx",))}}, "'ops' .* no address"),
     ({"channels": {"ops": MailChannel(())}}, "1 to 50 addresses")],
)  # fmt: skip
def test_settings_that_cannot_be_are_told(more, why):
    given = {"channels": {"ops": MailChannel(OPS)}, "server": "mail.example.com", "sender": SENDER, **more}
    with pytest.raises(ConfigurationError, match=why):
        MailNotifier(MailSettings(**given), str)


def test_a_password_may_be_sent_in_the_clear_on_this_machine():
    for server in ("localhost", "127.0.0.1", "::1"):
        MailNotifier(MailSettings({"ops": MailChannel(OPS)}, server, 25, "none", SENDER, "me", "mail/password"), str)
