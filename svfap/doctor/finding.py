"""The finding of a check of this machine."""

from dataclasses import dataclass
from typing import Literal

State = Literal["ok", "warn", "fix"]
OK: State = "ok"
WARN: State = "warn"
FIX: State = "fix"


@dataclass(frozen=True)
class Finding:
    """State and text of a check's line; if the state is not `ok`, the text says what to do."""

    state: State
    text: str
