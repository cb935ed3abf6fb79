"""Keep the last two saves of a run, so that a damaged save costs minutes, not the run.

An object store can hold a copy of them, from which the run goes on on another machine.
"""

import logging
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from svfap.errors import SvfapError
from svfap.training import object_store, tensor_file

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class State:
    """The saves that a stopped run resumes from.

    Attributes:
        folder: folder of the saves. It is not a declared output of a Snakemake rule, because
            Snakemake deletes the outputs of a failed job.
        address: where an object store keeps a copy, such as `s3://bucket/folder`; empty: nowhere.
        run_hash: hash of everything that the run depends on; saves with another hash are ignored.
    """

    folder: Path
    run_hash: str
    address: str = ""

    @property
    def last(self) -> Path:
        """Path of the newest save."""
        return self.folder / "last.pt"

    @property
    def previous(self) -> Path:
        """Path of the save before the newest."""
        return self.folder / "previous.pt"

    def save(self, content: Mapping[str, Any]) -> None:
        """Write a save and keep the one before it."""
        if self.last.is_file():
            self.last.replace(self.previous)
        stamped = {"identity": self.run_hash, **tensor_file.provenance(), **content}
        tensor_file.write(self.last, stamped)
        if self.address:
            self._store()

    def load(self) -> dict[str, Any] | None:
        """Read the newest undamaged save of this run; return None if there is none."""
        if self.address and not self.last.is_file():
            object_store.get(self.address, (self.last, self.previous))
        for path in (self.last, self.previous):
            if not path.is_file():
                continue
            try:
                saved = tensor_file.read(path)
            except SvfapError as error:
                logger.warning("%s", error)
                continue
            if saved.get("identity") == self.run_hash:
                return saved
            logger.info("%s: saved with different settings or data; ignored", path)
        return None

    def _store(self) -> None:
        """Copy the newest save; once that has worked, a store that fails ends no training."""
        try:
            object_store.put(self.last, self.address, previous=self.previous.name)
        except SvfapError as error:
            if not self.previous.is_file():
                raise
            logger.warning("%s; the training goes on and tries again at the next save", error)

    def remove(self) -> None:
        """Delete the saves; call this when the outputs of the run are written."""
        self.last.unlink(missing_ok=True)
        self.previous.unlink(missing_ok=True)
        if self.address:
            object_store.remove(self.address, (self.last.name, self.previous.name))
