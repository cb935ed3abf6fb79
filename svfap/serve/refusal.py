"""A request that the server refuses, and the limits that it may exceed."""

from collections.abc import Mapping
from dataclasses import dataclass, field


@dataclass(frozen=True)
class Limits:
    """How much the server takes on.

    Attributes:
        megabytes: largest upload, in 10^6 bytes.
        seconds: longest video.
        timeout: most seconds of scoring one video.
        queue: most requests that wait for a worker.
        workers: processes that score videos.
        cameras: browsers whose cameras are scored at the same time.
    """

    megabytes: float = 500
    seconds: float = 600
    timeout: float = 1800
    queue: int = 64
    workers: int = 2
    cameras: int = 1


@dataclass
class Refused(Exception):
    """A request is refused.

    Attributes:
        status: the HTTP status.
        reason: what is wrong and how to fix it, for a person.
        headers: headers of the response.
    """

    status: int
    reason: str
    headers: Mapping[str, str] = field(default_factory=dict)


def busy(reason: str) -> Refused:
    """Return the refusal of a request that may be sent again later."""
    return Refused(503, f"{reason}; try again later", {"Retry-After": "10"})
