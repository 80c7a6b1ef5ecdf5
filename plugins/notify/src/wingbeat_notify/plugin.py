"""What is offered to the kernel: the hook implementations."""

from __future__ import annotations

from typing import TYPE_CHECKING

from wingbeat.contracts.hookspecs import hookimpl
from wingbeat.contracts.plugin import PluginInfo
from wingbeat_notify.settings import MailSettings, WebhookSettings

if TYPE_CHECKING:
    from wingbeat.contracts.home import Home
    from wingbeat.contracts.hookspecs import Registrar
    from wingbeat.contracts.notifier import Notifier


@hookimpl
def wingbeat_plugin() -> PluginInfo:
    """Built for the first contracts; a section for each notifier."""
    return PluginInfo(
        api=(0, 1),
        settings={"webhook": WebhookSettings, "mail": MailSettings},
        kits=("wingbeat_notify.kits:TestWebhook", "wingbeat_notify.kits:TestMail"),
    )


@hookimpl
def wingbeat_register(registrar: Registrar) -> None:
    """Offer both notifiers."""
    registrar.notifier("webhook", _webhook)
    registrar.notifier("mail", _mail)


def _webhook(home: Home) -> Notifier | None:
    settings = home.settings("webhook", WebhookSettings)
    if not settings.channels:
        return None
    from wingbeat_notify.webhook import WebhookNotifier  # what has no channels loads no library

    return WebhookNotifier(settings, home.secret)


def _mail(home: Home) -> Notifier | None:
    settings = home.settings("mail", MailSettings)
    if not settings.channels:
        return None
    from wingbeat_notify.mail import MailNotifier

    return MailNotifier(settings, home.secret)
