"""The finding of a check of this machine."""

from dataclasses import dataclass
from typing import Literal

State = Literal["ok", "warn", "fix"]
OK: State = "ok"
WARN: State = "warn"
FIX: State = "fix"


@dataclass(frozen=True)
class Finding:
    """The state and the text of a check's line; unless it is `ok`, the text says what to do."""

    state: State
    text: str
