"""Who may use the desk: anybody on this machine, and on other machines anybody with the token."""

from __future__ import annotations

import hmac
import ipaddress
import secrets
from urllib.parse import urlsplit

LOOPBACK = "127.0.0.1"
COOKIE = "gramophone-desk"
_LOCAL_NAMES = ("localhost", "127.0.0.1", "[::1]")


def is_loopback(host: str) -> bool:
    """Return whether an address can only be reached from this machine."""
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host.strip("[]")).is_loopback
    except ValueError:
        return False


def new_token() -> str:
    """Return a token that can be typed on a tablet and not guessed: 72 bits."""
    return secrets.token_urlsafe(9)


class Access:
    """Decides about requests.

    Args:
        host: what the server listens on
        token: None: on loopback none is needed, elsewhere one is made up
    """

    def __init__(self, host: str, token: str | None = None) -> None:
        self.local = is_loopback(host)
        self.token = token or (None if self.local else new_token())

    def knows(self, given: str | None) -> bool:
        """Return whether the given token is right, or none is needed."""
        if self.token is None:
            return True
        return given is not None and hmac.compare_digest(_bytes(given), _bytes(self.token))

    def host_fits(self, header: str) -> bool:
        """Return whether a request's Host is ours.

        A page from elsewhere can make its own name resolve to 127.0.0.1 and would then talk to the desk as if it
        came from there (DNS rebinding). With a token it lacks the cookie.
        """
        name = header.rsplit(":", 1)[0] if not header.endswith("]") else header
        return not self.local or name.lower() in _LOCAL_NAMES

    @staticmethod
    def origin_fits(origin: str | None, header: str) -> bool:
        """Return whether what opens a connection is our own page, or no browser at all (then there is no origin)."""
        try:
            return origin is None or urlsplit(origin).netloc.lower() == header.lower()
        except ValueError:
            return False


def _bytes(text: str) -> bytes:
    # Headers and addresses hold any bytes.
    return text.encode(errors="surrogatepass")
