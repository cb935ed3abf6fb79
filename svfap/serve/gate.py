"""Who may use the server: requests of its own pages, and of programs that know the token.

A web page of a stranger can make its reader's browser send requests to this machine. The browser
then names that page in the header Origin, or, if the page has pointed its own name at this machine
(DNS rebinding), that name in the header Host. Both are checked.
"""

import hmac
import ipaddress

from starlette.datastructures import MutableHeaders
from starlette.requests import HTTPConnection
from starlette.responses import JSONResponse, RedirectResponse, Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from svfap.serve.refusal import Refused

# Nothing is loaded from elsewhere. The pages hold their own scripts and styles.
_POLICY = (
    "default-src 'self' blob: data: 'unsafe-inline'; frame-ancestors 'self'; form-action 'none';"
    " base-uri 'none'"
)
_HEADERS = {
    "Content-Security-Policy": _POLICY,
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",  # the address may hold the token
    "Cache-Control": "no-store",
    "Cross-Origin-Resource-Policy": "same-origin",
}
_OPEN = {"/health"}  # addresses that need no token


class Gate:
    """Lets requests through that come from the server's own pages or know the token.

    Args:
        app: the application behind the gate.
        token: the token; empty if none is needed, because only this machine reaches the server.
        port: the port of the server; browsers share cookies between ports.
    """

    def __init__(self, app: ASGIApp, *, token: str, port: int) -> None:
        self._app, self._token, self._port = app, token, port
        self._cookie = f"svfap-{port}"

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer, or pass a request on."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        request = HTTPConnection(scope)

        async def send_guarded(message: Message) -> None:
            if message["type"] == "http.response.start":
                MutableHeaders(scope=message).update(_HEADERS)
            await send(message)

        try:
            self._check_names(request)
            answer = self._check_token(request)
        except Refused as refused:
            answer = refusal_response(refused)
        await (answer or self._app)(scope, receive, send_guarded)

    def _check_names(self, request: HTTPConnection) -> None:
        """Refuse requests that pages of other servers send through their reader's browser."""
        host = request.headers.get("host", "")
        # A token keeps out a page of another name: its browser has no cookie for that name.
        if not self._token and not is_loopback(_without_port(host)):
            own = f"http://127.0.0.1:{self._port}"
            raise Refused(403, f"Host {host!r} is not this server; open it as {own}")
        origin = request.headers.get("origin")
        if origin is not None and origin.partition("://")[2] != host:
            raise Refused(403, f"the page {origin} may not use this server")

    def _check_token(self, request: HTTPConnection) -> Response | None:
        """Refuse requests without the token; keep the token of a first visit as a cookie."""
        if not self._token or request.url.path in _OPEN:
            return None
        kind, _, header = request.headers.get("authorization", "").partition(" ")
        query = request.query_params.get("token", "")
        given = (header.strip() if kind.lower() == "bearer" else "", query)
        if not any(self._right(text) for text in (*given, request.cookies.get(self._cookie, ""))):
            raise Refused(
                401,
                "the token is missing or wrong; open the address that the server printed, or send"
                " the header Authorization: Bearer TOKEN",
                {"WWW-Authenticate": "Bearer"},
            )
        if request.url.path == "/" and query:
            answer = RedirectResponse("/", 303)  # so that the address no longer shows the token
            answer.set_cookie(self._cookie, query, httponly=True, samesite="strict")
            return answer
        return None

    def _right(self, text: str) -> bool:
        """Compare in constant time, so that the time tells nothing of the token."""
        return hmac.compare_digest(text.encode(), self._token.encode())


def refusal_response(refused: Refused) -> JSONResponse:
    """Return a refusal as JSON."""
    content = {"error": refused.reason, "status": refused.status}
    return JSONResponse(content, refused.status, dict(refused.headers))


def is_loopback(host: str) -> bool:
    """Return whether a host's name or address means this machine alone."""
    try:
        return host.lower() == "localhost" or ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def _without_port(host: str) -> str:
    if host.startswith("["):
        return host[1:].partition("]")[0]
    return host.partition(":")[0]
