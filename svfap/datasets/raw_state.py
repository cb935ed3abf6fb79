"""Raw videos that were replaced since they were cropped.

The stage `crop` writes the size and date of each raw video of its part to `raw.json`. At each start
the workflow compares them with the files: it reads no video, unless `datasets.NAME.changed_by` is
`content`; then it reads those whose size or date changed. A part with a changed video has a new
*token*, a parameter of its jobs, so they run again. The stage writes the token to `raw.json`, and
the part keeps it until a video changes again. With `changed_by: never` nothing is compared, so raw
videos may be deleted once they are cropped.
"""

import json
from collections.abc import Iterable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Literal

from svfap.config.made_by import digest, file_hash
from svfap.replacing import replacing

ChangedBy = Literal["date", "content", "never"]
State = tuple[int, ...]


@dataclass(frozen=True)
class RawState:
    """The raw videos of a part when they were cropped.

    Attributes:
        token: the parameter of the job.
        cut: whether some clips are cut out of these videos by the stage `download`.
        files: path -> its `file_state`.
        hashes: path -> hash of its content; empty if changes are noticed by date.
    """

    token: str
    cut: bool
    files: dict[str, State]
    hashes: dict[str, str]

    @classmethod
    def of(cls, paths: Iterable[Path], token: str, *, cut: bool) -> "RawState":
        """Return the present state of raw videos."""
        files = {str(path): file_state(path) for path in paths}
        by_content = token.startswith("content:")
        hashes = {path: content_of(Path(path)) for path in files} if by_content else {}
        return cls(token, cut, files, hashes)

    @classmethod
    def read(cls, path: Path) -> "RawState | None":
        """Read `raw.json`; return None if it is missing or damaged."""
        try:
            values = json.loads(path.read_text(encoding="utf-8"))
            files = {path: tuple(state) for path, state in values.pop("files").items()}
            return cls(**values, files=files)
        except (OSError, ValueError, TypeError, KeyError, AttributeError):
            return None

    def write(self, path: Path) -> None:
        """Write `raw.json`, completely or not at all."""
        with replacing(path) as partial:
            partial.write_text(json.dumps(asdict(self), indent=0) + "\n", encoding="utf-8")

    def changed(self) -> list[str]:
        """Return the paths of videos that changed since."""
        return [
            path
            for path, state in self.files.items()
            if file_state(Path(path)) != state
            and (path not in self.hashes or content_of(Path(path)) != self.hashes[path])
        ]

    def gone(self) -> list[str]:
        """Return the paths of videos that were there and no longer are."""
        return [path for path, state in self.files.items() if state and not file_state(Path(path))]


def raw_state_path(clips: Path) -> Path:
    """Return the `raw.json` beside a `clips.csv`."""
    return clips.with_name("raw.json")


def present_token(record: Path, changed_by: ChangedBy) -> str:
    """Return a part's token: the recorded one, or another if a video changed since."""
    return _present_token(RawState.read(record), changed_by)


def token_of_cuts(records: Iterable[Path], changed_by: ChangedBy) -> str:
    """Return a token that changes with the videos that clips are cut from."""
    tokens = [
        _present_token(state, changed_by).partition(":")[2]
        for state in map(RawState.read, records)
        if state is not None and state.cut
    ]
    return digest(tokens)[:16] if any(tokens) else ""


def _present_token(state: RawState | None, changed_by: ChangedBy) -> str:
    if state is None:
        return f"{changed_by}:"
    if changed_by == "never":
        return state.token
    changed = state.changed()
    token = state.token.partition(":")[2]
    if changed:
        token = digest([token, *changed, *(str(file_state(Path(path))) for path in changed)])[:16]
    return f"{changed_by}:{token}"


def file_state(path: Path) -> State:
    """Return size and date of a video (of all frames of a folder); empty if it is missing."""
    try:
        status = path.stat()
        if not path.is_dir():
            return (status.st_size, status.st_mtime_ns)
        frames = [frame.stat() for frame in path.iterdir()]
        dates = [frame.st_mtime_ns for frame in frames]
        return (len(frames), sum(frame.st_size for frame in frames), max(dates, default=0))
    except OSError:
        return ()


def content_of(path: Path) -> str:
    """Return a hash of a video, or of all frames of a folder; "" if it cannot be read."""
    try:
        if not path.is_dir():
            return file_hash(path)
        return digest(f"{frame.name} {file_hash(frame)}" for frame in sorted(path.iterdir()))
    except OSError:
        return ""
