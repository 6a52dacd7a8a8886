"""What stands before every request: host, origin, token and size; and the headers of every answer.

A web page of another site can send requests to a server on this computer. It cannot read the token, cannot send the
cookie (SameSite=Strict), and its requests carry its own origin; a name of its own that resolves to the loopback
address ("DNS rebinding") shows in the header Host.
"""

from __future__ import annotations

import hmac
from http.cookies import CookieError, SimpleCookie
from urllib.parse import parse_qs

from starlette.datastructures import Headers, MutableHeaders
from starlette.responses import JSONResponse, RedirectResponse, Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from cinema_cmr.serve.server_settings import ServeSettings

__all__ = ["CONTENT_POLICY", "REPORT_POLICY", "Guard"]

CONTENT_POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' blob:; connect-src 'self';"
    " manifest-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)
"""Of every answer that sets none of its own: nothing inline, nothing from elsewhere."""

REPORT_POLICY = (
    "sandbox allow-scripts allow-popups; default-src 'none'; style-src 'unsafe-inline'; script-src 'unsafe-inline';"
    " img-src data:; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)
"""Of a report, which holds its own script: in a sandbox, without the rights of this server's pages."""

_HEADERS = {
    "x-content-type-options": "nosniff",
    "referrer-policy": "no-referrer",
    "cross-origin-opener-policy": "same-origin",
    "cross-origin-resource-policy": "same-origin",
    "x-frame-options": "DENY",
    "permissions-policy": "camera=(), microphone=(), geolocation=()",
    "cache-control": "no-store",
}
_SAFE = ("GET", "HEAD", "OPTIONS")
_OWN_SITE = ("same-origin", "none")
_UPLOAD = "/api/jobs/"


class _TooLargeError(Exception):
    """A body that is longer than its limit."""


class Guard:
    """ASGI middleware that refuses what does not come from a page of this server, or from a holder of the token."""

    def __init__(self, app: ASGIApp, settings: ServeSettings) -> None:
        self.app = app
        self.settings = settings

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer a refusal, or pass the request on with its body bounded and the answer's headers set."""
        if scope["type"] == "lifespan":
            await self.app(scope, receive, send)
            return
        if scope["type"] != "http":
            return
        answer = self._answer(scope)
        headed = _with_headers(send)
        if answer is not None:
            await answer(scope, receive, headed)
            return
        body = _Body(receive, self._body_limit(scope))
        try:
            await self.app(scope, body.receive, body.refused(headed))
        except _TooLargeError:
            await _refusal(413, "the body is larger than this server accepts")(scope, receive, headed)

    def _answer(self, scope: Scope) -> Response | None:
        """Return the answer to a request that does not reach the application; None for one that does."""
        headers = Headers(scope=scope)
        refused = self._foreign(scope, headers)
        if refused:
            return _refusal(403, refused)
        given = parse_qs(scope["query_string"].decode("latin-1")).get("token", [""])[0]
        if scope["path"] == "/" and given and self._is_token(given):
            return self._welcome()
        if not self._has_token(headers, unsafe=scope["method"] not in _SAFE):
            return _refusal(401, "no session; open the address that `cinema serve` printed")
        length = headers.get("content-length", "0")
        if not length.isdecimal() or int(length) > self._body_limit(scope):
            return _refusal(413, "the body is larger than this server accepts")
        return None

    def _foreign(self, scope: Scope, headers: Headers) -> str | None:
        """Return why a request comes from elsewhere, or None."""
        if headers.getlist("host") != [headers.get("host")] or headers["host"] not in self.settings.hosts:
            return "another host name; expected the address that `cinema serve` printed"
        origin, site = headers.get("origin"), headers.get("sec-fetch-site", "none")
        if origin is not None and origin not in self.settings.origins:
            return "a request of another origin"
        # A link from elsewhere may open the first page, nothing else.
        if site not in _OWN_SITE and not (scope["path"] == "/" and headers.get("sec-fetch-mode") == "navigate"):
            return "a request of another site"
        return None

    def _has_token(self, headers: Headers, *, unsafe: bool) -> bool:
        """Return whether the token was sent: as a bearer's, or as a cookie, with an origin if anything is changed."""
        scheme, _, token = headers.get("authorization", "").partition(" ")
        if scheme.lower() == "bearer":
            return self._is_token(token)
        if unsafe and headers.get("origin") is None:
            return False
        try:
            sent = SimpleCookie(headers.get("cookie", "")).get(self.settings.cookie)
        except CookieError:
            return False
        return sent is not None and self._is_token(sent.value)

    def _is_token(self, given: str) -> bool:
        return hmac.compare_digest(given.encode("utf-8", "replace"), self.settings.token.encode())

    def _welcome(self) -> Response:
        """Return the answer to the printed address: the token goes into a cookie, and out of the address."""
        answer = RedirectResponse("/", status_code=303)
        answer.set_cookie(
            self.settings.cookie, self.settings.token, httponly=True, samesite="strict", path="/", max_age=7 * 86400
        )
        return answer

    def _body_limit(self, scope: Scope) -> int:
        limits = self.settings.limits
        is_file = scope["method"] == "PUT" and scope["path"].startswith(_UPLOAD)
        return limits.job_bytes if is_file else limits.document_bytes


def _refusal(status: int, message: str) -> Response:
    return JSONResponse({"detail": message}, status_code=status)


class _Body:
    """A body that ends with an error once more than its limit came, whatever its header says."""

    def __init__(self, receive: Receive, limit: int) -> None:
        self._receive, self._left = receive, limit

    async def receive(self) -> Message:
        message = await self._receive()
        self._left -= len(message.get("body", b""))
        if self._left < 0:
            raise _TooLargeError
        return message

    def refused(self, send: Send) -> Send:
        """Return a sender that says 413 where the application has made another error of it."""

        async def sender(message: Message) -> None:
            too_large = message["type"] == "http.response.start" and self._left < 0
            await send({**message, "status": 413} if too_large else message)

        return sender


def _with_headers(send: Send) -> Send:
    async def headed(message: Message) -> None:
        if message["type"] == "http.response.start":
            headers = MutableHeaders(scope=message)
            headers.setdefault("content-security-policy", CONTENT_POLICY)
            for name, value in _HEADERS.items():
                headers.setdefault(name, value)
        await send(message)

    return headed
