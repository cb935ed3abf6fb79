"""The addresses that people open, also when the server listens on all addresses of its machine."""

import ipaddress
import socket

_FAR = {socket.AF_INET: "203.0.113.1", socket.AF_INET6: "2001:db8::1"}  # nobody's; nothing is sent


def addresses(host: str, port: int, token: str) -> list[str]:
    """Return the addresses of a server, the one that surely works first.

    Args:
        host: address or name that the server listens on; 0.0.0.0 or :: means every one.
        port: its port.
        token: the token; empty if none is needed.
    """
    query = f"?token={token}" if token else ""
    return [f"http://{each}:{port}/{query}" for each in _hosts(host)]


def _hosts(host: str) -> list[str]:
    """Return names or addresses that a browser understands."""
    try:
        everywhere = ipaddress.ip_address(host).is_unspecified
    except ValueError:
        everywhere = not host
    if not everywhere:
        return [f"[{host}]" if ":" in host else host]
    own, name = _own_address(host), socket.gethostname()
    shown = [f"[{own}]" if ":" in own else own]
    return shown if name in ("", "localhost") else [*shown, name]


def _own_address(host: str) -> str:
    """Return the address of this machine that others reach; without a network, its own."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    with socket.socket(family, socket.SOCK_DGRAM) as probe:
        try:
            probe.connect((_FAR[family], 9))
        except OSError:
            return "::1" if ":" in host else "127.0.0.1"
        return str(probe.getsockname()[0])
