"""Mail: a message is a text, in one connection to the mail server."""

from __future__ import annotations

import asyncio
import ipaddress
import ssl
from collections.abc import Callable, Collection
from datetime import UTC, datetime
from email.message import EmailMessage
from email.policy import SMTP
from email.utils import format_datetime

import aiosmtplib

from wingbeat.base.errors import ConfigurationError
from wingbeat.contracts.notifier import Message, NotDelivered, Undeliverable
from wingbeat_notify.settings import MailSettings
from wingbeat_notify.text import TITLE_CHARS_MAX, line, plain

ADDRESS_CHARS_MAX = 254
RECIPIENTS_MAX = 50
_LOCAL = frozenset("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789.!#$%&'*+/=?^_`{|}~-")
_DOMAIN = frozenset("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789.-")


class MailNotifier:
    """A `wingbeat.contracts.notifier.Notifier` over SMTP.

    Args:
        secret: Gives the value of a secret; may block.

    Raises:
        ConfigurationError: There is no server or sender; an address is none; or a password would be sent in the clear.
    """

    def __init__(self, settings: MailSettings, secret: Callable[[str], str]) -> None:
        self._settings, self._secret = settings, secret
        _check(settings)

    @property
    def channels(self) -> Collection[str]:
        """See `Notifier.channels`."""
        return self._settings.channels.keys()

    async def notify(self, message: Message) -> None:
        """See `Notifier.notify`."""
        told = self._settings
        recipients = told.channels[message.channel].to
        try:
            async with asyncio.timeout(told.timeout_s):
                await self._send(mail_of(message, told.sender, recipients), recipients)
        except (TimeoutError, aiosmtplib.SMTPTimeoutError):
            raise NotDelivered(f"{told.server} has not taken it within {told.timeout_s:g} s.") from None
        except aiosmtplib.SMTPRecipientsRefused as error:
            codes = sorted({refused.code for refused in error.recipients})
            kind = Undeliverable if min(codes) >= 500 else NotDelivered
            raise kind(f"{told.server} takes nothing for its addresses: {', '.join(map(str, codes))}.") from None
        except aiosmtplib.SMTPDataError as error:
            kind = Undeliverable if error.code >= 500 else NotDelivered
            raise kind(f"{told.server} did not take it: {error.code}.") from None
        except aiosmtplib.SMTPResponseException as error:  # what it says may repeat what it was sent
            raise NotDelivered(f"{told.server}: {type(error).__name__}, {error.code}.") from None
        except (aiosmtplib.SMTPException, OSError) as error:
            raise NotDelivered(f"{told.server} cannot be reached: {type(error).__name__}: {error}") from None

    async def close(self) -> None:
        """See `Notifier.close`: each message has a connection of its own."""

    async def _send(self, mail: EmailMessage, recipients: Collection[str]) -> None:
        told = self._settings
        password = await asyncio.to_thread(self._secret, told.password) if told.user else None
        trusted = None if told.tls == "none" else ssl.create_default_context(cafile=told.ca_file or None)
        await aiosmtplib.send(
            mail,
            sender=told.sender,
            recipients=list(recipients),
            hostname=told.server,
            port=told.port,
            username=told.user or None,
            password=password,
            start_tls=told.tls == "starttls",
            use_tls=told.tls == "tls",
            tls_context=trusted,
            timeout=told.timeout_s,
        )


def mail_of(message: Message, sender: str, recipients: Collection[str]) -> EmailMessage:
    """A message as mail. Headers hold nothing but single lines."""
    mail = EmailMessage(policy=SMTP)
    mail["From"] = sender
    mail["To"] = ", ".join(recipients)
    mail["Subject"] = line(message.title, TITLE_CHARS_MAX)
    mail["Date"] = format_datetime(datetime.fromtimestamp(message.at, UTC))
    mail["Message-ID"] = f"<{message.id}@{sender.partition('@')[2]}>"
    mail["Auto-Submitted"] = "auto-generated"  # nobody answers by machine
    mail.set_content(plain(message))
    return mail


def _check(told: MailSettings) -> None:
    if not told.server or not is_address(told.sender):
        raise ConfigurationError("Mail needs a server and a sender: mail.server, mail.sender = 'wingbeat@example.com'.")
    if bool(told.user) != bool(told.password):
        raise ConfigurationError("Mail logs in with mail.user and mail.password, the name of a secret: both, or none.")
    if told.user and told.tls == "none" and not _is_here(told.server):
        raise ConfigurationError("The password would be sent in the clear.", hint="mail.tls = 'starttls'")
    for name, channel in told.channels.items():
        wrong = next((address for address in channel.to if not is_address(address)), None)
        if wrong is not None:
            raise ConfigurationError(f"The channel {name!r} in [mail] has {wrong[:80]!r}, which is no address.")
        if not 1 <= len(channel.to) <= RECIPIENTS_MAX:
            raise ConfigurationError(f"The channel {name!r} in [mail] takes 1 to {RECIPIENTS_MAX} addresses.")


def is_address(text: str) -> bool:
    """Whether it is a plain address: nothing in it can end a header, or name a second one."""
    local, at, domain = text.partition("@")
    return (
        bool(at and local and domain)
        and len(text) <= ADDRESS_CHARS_MAX
        and set(local) <= _LOCAL
        and set(domain) <= _DOMAIN
    )


def _is_here(server: str) -> bool:
    try:
        return ipaddress.ip_address(server).is_loopback
    except ValueError:
        return server == "localhost"
