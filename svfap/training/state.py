"""Live state of a run: the last two saves, so that a torn one costs minutes and not the run."""

import logging
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from svfap.errors import SvfapError
from svfap.training import checkpoint

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class State:
    """Where a run keeps what it needs to go on.

    Attributes:
        folder: holds the saves; outside of what the workflow manager deletes.
        identity: hash of all that the run depends on; another run's saves are not taken up.
    """

    folder: Path
    identity: str

    @property
    def last(self) -> Path:
        """The latest save."""
        return self.folder / "last.pt"

    @property
    def previous(self) -> Path:
        """The save before it."""
        return self.folder / "previous.pt"

    def save(self, content: Mapping[str, Any]) -> None:
        """Write a save; the one before it stays."""
        if self.last.is_file():
            self.last.replace(self.previous)
        checkpoint.save(
            self.last, {"identity": self.identity, **checkpoint.provenance(), **content}
        )

    def load(self) -> dict[str, Any] | None:
        """The newest whole save of this very run, if there is one."""
        for path in (self.last, self.previous):
            if not path.is_file():
                continue
            try:
                saved = checkpoint.load(path)
            except SvfapError as error:
                logger.warning("%s", error)
                continue
            if saved.get("identity") == self.identity:
                return saved
            logger.info("%s: of other settings or data, not taken up", path)
        return None

    def remove(self) -> None:
        """Forget the run; call when its outputs are written."""
        self.last.unlink(missing_ok=True)
        self.previous.unlink(missing_ok=True)
