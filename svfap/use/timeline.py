"""Build tables of scores over time, with a row per window or per face."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    import pandas as pd

    from svfap.use.bundle import ModelFacts

FRAMES = ("start_frame", "end_frame")
COLUMNS = ("video", "face", "start", "end", *FRAMES)
LABEL = "label"
DECIMALS = 4  # decimals of scores in files


class WindowSpan(NamedTuple):
    """Where a window lies.

    Attributes:
        face: number of the face.
        start: second at which the window starts, from the first frame of the video.
        end: second at which it ends.
        start_frame: number of its first frame in the video, from 0; None for a camera.
        end_frame: number of the first frame after it; None for a camera.
    """

    face: int
    start: float
    end: float
    start_frame: int | None = None
    end_frame: int | None = None


def build_timeline(
    video: str,
    spans: Sequence[tuple[int, float, float] | WindowSpan],
    scores: NDArray[np.float32],
    facts: "ModelFacts",
) -> "pd.DataFrame":
    """Build the table of one video: a row per window, sorted by time.

    Args:
        video: name of the video.
        spans: the place of each window; at least its face, start and end.
        scores: scores of each window, (n, targets).
        facts: facts about the model, including the names of the targets.

    Returns:
        The table; its index holds each row's position in `spans`.
    """
    import pandas as pd  # see `results`

    frame = pd.DataFrame(
        {
            "video": [video] * len(spans),
            "face": np.array([span[0] for span in spans], dtype=np.int64),
            "start": np.array([span[1] for span in spans], dtype=np.float64).round(3),
            "end": np.array([span[2] for span in spans], dtype=np.float64).round(3),
        }
    )
    for name in FRAMES:
        numbers = [getattr(span, name, None) for span in spans]
        # Int64 has a missing value, but most programs prefer the usual int64.
        frame[name] = pd.array(numbers, dtype="Int64" if None in numbers else "int64")
    return with_scores(frame, scores, facts).sort_values(["start", "face"], kind="stable")


def summarise(frame: "pd.DataFrame", facts: "ModelFacts") -> "pd.DataFrame":
    """Return a row per face with mean scores over its windows, as testing scores a whole clip."""
    names = list(facts.job.targets)
    groups = frame.groupby(["video", "face"], sort=False)
    spans = groups.agg(start=("start", "min"), end=("end", "max"), windows=("start", "size"))
    means = groups[names].mean().to_numpy(dtype=np.float32)
    return with_scores(spans.reset_index(), means, facts)


def as_text(frame: "pd.DataFrame") -> str:
    """Return a table for the terminal: seconds with one decimal, scores with two, no frames."""
    shown = frame.drop(columns=[name for name in FRAMES if name in frame])
    for name in shown.select_dtypes("float"):
        decimals = 1 if name in COLUMNS else 2
        shown[name] = shown[name].map(f"{{:.{decimals}f}}".format)
    return shown.to_string(index=False)


def _numbers(column: "pd.Series[Any]") -> list[int | None]:
    """Return the numbers of a column, None where one is missing."""
    return [
        int(number) if known else None for number, known in zip(column, column.notna(), strict=True)
    ]


def as_json(frame: "pd.DataFrame", facts: "ModelFacts") -> dict[str, Any]:
    """Return the table as nested lists: videos, their faces, and the windows of each face."""
    names = list(facts.job.targets)
    videos: dict[str, list[dict[str, Any]]] = {}
    for (video, face), rows in frame.groupby(["video", "face"], sort=False):
        windows = {
            "start": rows["start"].tolist(),
            "end": rows["end"].tolist(),
            **{name: _numbers(rows[name]) for name in FRAMES},
            "scores": rows[names].astype(float).round(DECIMALS).to_numpy().tolist(),
        }
        videos.setdefault(str(video), []).append({"face": int(str(face)), **windows})
    return {
        "task": facts.job.task,
        "targets": names,
        "notice": facts.notices,
        "videos": [{"video": name, "faces": faces} for name, faces in videos.items()],
    }


def with_scores(
    frame: "pd.DataFrame", scores: NDArray[np.float32], facts: "ModelFacts"
) -> "pd.DataFrame":
    """Add a column per target, and for classification the most probable class."""
    import pandas as pd

    names = np.array(facts.job.targets, dtype=object)
    if facts.job.task == "classification" and len(names):
        best = scores.argmax(axis=1) if len(scores) else np.empty(0, np.int64)
        frame = frame.assign(**{LABEL: names[best]})
    values = pd.DataFrame(scores, columns=list(names), index=frame.index)
    return pd.concat([frame, values], axis=1)
