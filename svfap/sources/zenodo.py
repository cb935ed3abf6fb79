"""Files of a Zenodo record, whose sizes and checksums the record itself tells."""

import json
from collections.abc import Sequence
from pathlib import Path

from svfap.sources.http import fetch
from svfap.sources.parallel import Remote
from svfap.sources.partial import Expected
from svfap.sources.source_error import SourceError


def remotes(record: str, names: Sequence[str], folder: Path) -> list[Remote]:
    """The named files of a record.

    Args:
        record: URL of the record's JSON.
        names: names of the files.
        folder: where they are to lie.

    Raises:
        SourceError: the record cannot be had, or lacks a file.
    """
    note = folder / ".record.json"
    try:
        content = json.loads(fetch(record, note).read_text(encoding="utf-8"))
        listed = {entry["key"]: entry for entry in content["files"]}
        return [_remote(listed[name], folder / name) for name in names]
    except (ValueError, KeyError, TypeError) as error:
        raise SourceError(f"{record}: is not the record expected ({error!r})") from None
    finally:
        note.unlink(missing_ok=True)


def _remote(entry: dict[str, object], destination: Path) -> Remote:
    links = entry["links"]
    size = entry["size"]
    if not isinstance(links, dict) or not isinstance(size, int):
        raise TypeError("links or size")
    return Remote(str(links["self"]), destination, Expected(size, str(entry.get("checksum", ""))))
