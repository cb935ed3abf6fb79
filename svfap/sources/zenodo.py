"""Files of a Zenodo record, with the sizes and checksums that the record lists."""

import json
from collections.abc import Sequence
from pathlib import Path

from svfap.sources.http import fetch
from svfap.sources.parallel import RemoteFile
from svfap.sources.partial import Expected
from svfap.sources.source_error import SourceError


def remote_files(record: str, names: Sequence[str], folder: Path) -> list[RemoteFile]:
    """Download a record and return some of its files, to be stored in a folder.

    Args:
        record: URL of the record's JSON.
        names: names of the files.
        folder: folder in which to store the files.

    Raises:
        SourceError: the record cannot be downloaded, or does not list a file.
    """
    note = folder / ".record.json"
    try:
        content = json.loads(fetch(record, note).read_text(encoding="utf-8"))
        listed = {entry["key"]: entry for entry in content["files"]}
        return [_remote_file(listed[name], folder / name) for name in names]
    except (ValueError, KeyError, TypeError) as error:
        raise SourceError(
            f"{record}: not the expected Zenodo record ({error!r}); download the files by hand"
        ) from None
    finally:
        note.unlink(missing_ok=True)


def _remote_file(entry: dict[str, object], destination: Path) -> RemoteFile:
    """Return a file from its entry in the record."""
    links = entry["links"]
    size = entry["size"]
    if not isinstance(links, dict) or not isinstance(size, int):
        raise TypeError("links or size")
    expected = Expected(size, str(entry.get("checksum", "")))
    return RemoteFile(str(links["self"]), destination, expected)
