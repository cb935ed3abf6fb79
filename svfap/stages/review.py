"""Stage `review`: pictures that show the face clips of one dataset at a glance.

`crops.png` shows the worst clips, the best clips, and some random clips; `crop_quality.png` beside
it shows the distribution and median of each figure of `quality.parquet`.
"""

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pandas as pd

from svfap.config.stage_sections import ReviewConfig
from svfap.errors import SvfapError
from svfap.faces.clip_tables import read_quality
from svfap.plots.contact_sheet import Strip, draw_contact_sheet, rank
from svfap.plots.quality import draw_quality
from svfap.video.facevideo import read_jpegs

_CLIPS = 6  # number of clips in each block
_FRAMES = 4  # number of frames of each clip
_SIDE = 112  # side of a frame in the contact sheet, in pixels


def run(config: ReviewConfig, *, crops: list[Path], output: Path, log: Callable[..., None]) -> None:
    """Draw the contact sheet and the histograms.

    Args:
        config: the notice to print on the sheet.
        crops: the `clips.csv` of each part, with `quality.parquet` beside it.
        output: the contact sheet, `.../DATASET/crops.png`.
        log: function that takes the median of each figure.

    Raises:
        SvfapError: a table is missing or there is no clip.
    """
    clips = pd.concat([_read_part(path) for path in crops], ignore_index=True)
    if clips.empty:
        raise SvfapError(f"{crops[0]}: no face clips to show; see the rejects.csv beside it")
    figures = clips.drop(columns=["key", "file"])
    name = output.parent.name
    title = f"{len(clips):,} face clips of {name}"
    draw_contact_sheet(_blocks(clips), title=title, path=output, notice=config.notice)
    quality = output.with_name("crop_quality.png")
    draw_quality(figures, title=f"{title}: quality, with medians in red", path=quality)
    log({f"median_{column}": float(figures[column].median()) for column in figures})


def _read_part(path: Path) -> pd.DataFrame:
    """Return the figures of one part, with the file of each clip."""
    try:
        return read_quality(path)
    except (OSError, ValueError) as error:
        reason = " ".join(str(error).split())
        raise SvfapError(f"{path}: cannot be reviewed ({reason}); crop again") from None


def _blocks(clips: pd.DataFrame) -> dict[str, Sequence[Strip]]:
    """Return the worst, random and best clips; no clip of a small dataset is in two blocks."""
    order = rank(clips)
    count = min(_CLIPS, max(1, len(order) // 3))
    middle = order.iloc[count : max(len(order) - count, count)]
    drawn = middle.sample(min(_CLIPS, len(middle)), random_state=0)
    best = order.iloc[max(len(order) - count, count) :][::-1]
    return {
        "Worst, by the mean rank of their quality figures": _strips(order.iloc[:count]),
        "Drawn at random": _strips(drawn),
        "Best": _strips(best),
    }


def _strips(clips: pd.DataFrame) -> list[Strip]:
    return [_strip(clip) for _, clip in clips.iterrows()]


def _strip(clip: "pd.Series[Any]") -> Strip:
    """Return frames from the start of a clip to its end, side by side."""
    jpegs = read_jpegs(Path(str(clip["file"])))
    images = []
    for index in np.linspace(0, len(jpegs) - 1, _FRAMES).round().astype(int):
        data = np.frombuffer(jpegs[index], dtype=np.uint8)
        image = np.asarray(cv2.imdecode(data, cv2.IMREAD_COLOR_RGB))
        images.append(cv2.resize(image, (_SIDE, _SIDE), interpolation=cv2.INTER_AREA))
    label = f"{clip['key']}\ndetection score {clip['score']:.2f}, face {clip['face_size']:.0f} px"
    return Strip(label, np.hstack(images).astype(np.uint8))
