"""What URLs are."""

from __future__ import annotations

from urllib.parse import urlsplit


def is_here(url: str) -> bool:
    """Whether it is this machine: what the environment says of proxies is not for that, and nobody is on the way."""
    host = urlsplit(url).hostname or ""
    return host in ("localhost", "::1") or (host.startswith("127.") and host.replace(".", "").isdigit())


def is_url(text: str) -> bool:
    """Whether it can be asked."""
    try:
        found = urlsplit(text)
        return (
            found.scheme in ("http", "https") and bool(found.hostname) and found.port != 0 and not {*text} & {*" \t\n"}
        )
    except ValueError:  # no such port, half of an IPv6 address
        return False


def is_safe(url: str) -> bool:
    """Whether nobody on the way can change what is said there."""
    return is_url(url) and (url.startswith("https://") or is_here(url))
