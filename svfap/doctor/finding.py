"""What a check of this machine finds."""

from dataclasses import dataclass
from typing import Literal

State = Literal["ok", "warn", "fix"]
OK: State = "ok"
WARN: State = "warn"
FIX: State = "fix"


@dataclass(frozen=True)
class Finding:
    """One line of the doctor; where it is not `ok`, the text says what to do."""

    state: State
    text: str
