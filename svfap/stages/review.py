"""Stage `review`: the face clips of one dataset at a glance.

`crops.png` shows the worst clips, the best, and some drawn at random; `crop_quality.png`, beside
it, how each figure of `quality.parquet` is spread, with its median.
"""

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pandas as pd

from svfap.config.stage_sections import ReviewConfig
from svfap.errors import SvfapError
from svfap.plots.contact_sheet import Strip, contact_sheet, histograms, ranked
from svfap.video.facevideo import read_jpegs

_CLIPS = 9  # in each block
_FRAMES = 4  # of each clip
_SIDE = 112  # pixels of a shown frame


def run(config: ReviewConfig, *, crops: list[Path], output: Path, log: Callable[..., None]) -> None:
    """Draw the contact sheet and the histograms.

    Args:
        config: what to say of the dataset.
        crops: the `clips.csv` of its parts; `quality.parquet` lies beside each.
        output: the contact sheet, `.../DATASET/crops.png`.
        log: takes the median of each figure.

    Raises:
        SvfapError: a table is missing or there is no clip.
    """
    clips = pd.concat([_clips(path) for path in crops], ignore_index=True)
    if clips.empty:
        raise SvfapError(f"{crops[0]}: no face clips to show; see the rejects.csv beside it")
    figures = clips.drop(columns=["key", "file"])
    name = output.parent.name
    about = f"{len(clips):,} face clips of {name}"
    contact_sheet(_blocks(clips), title=about, path=output, notice=config.notice)
    histograms(
        figures,
        title=f"{about}: figures and their medians",
        path=output.with_name("crop_quality.png"),
        notice=config.notice,
    )
    log({f"median_{column}": float(figures[column].median()) for column in figures})


def _clips(path: Path) -> pd.DataFrame:
    """The figures of one part, with the file of each clip."""
    try:
        quality = pd.read_parquet(path.with_name("quality.parquet"))
        table = pd.read_csv(path, usecols=["key", "path"], dtype=str, keep_default_na=False)
    except (OSError, ValueError) as error:
        reason = " ".join(str(error).split())
        raise SvfapError(f"{path}: cannot be reviewed ({reason}); crop again") from None
    files = dict(zip(table["key"], table["path"], strict=True))
    quality["file"] = [path.parent / files[key] for key in quality["key"]]
    return quality


def _blocks(clips: pd.DataFrame) -> dict[str, Sequence[Strip]]:
    """The worst, the best and random clips; no clip of a small dataset is shown twice."""
    order = ranked(clips)
    count = min(_CLIPS, max(1, len(order) // 3))
    middle = order.iloc[count : max(len(order) - count, count)]
    drawn = middle.sample(min(_CLIPS, len(middle)), random_state=0)
    best = order.iloc[max(len(order) - count, count) :][::-1]
    return {
        "worst, by the mean rank of their figures": _strips(order.iloc[:count]),
        "drawn at random": _strips(drawn),
        "best": _strips(best),
    }


def _strips(clips: pd.DataFrame) -> list[Strip]:
    return [_strip(clip) for _, clip in clips.iterrows()]


def _strip(clip: "pd.Series[Any]") -> Strip:
    """Frames from the beginning of a clip to its end."""
    jpegs = read_jpegs(Path(str(clip["file"])))
    pictures = []
    for index in np.linspace(0, len(jpegs) - 1, _FRAMES).round().astype(int):
        data = np.frombuffer(jpegs[index], dtype=np.uint8)
        picture = np.asarray(cv2.imdecode(data, cv2.IMREAD_COLOR_RGB))
        pictures.append(cv2.resize(picture, (_SIDE, _SIDE), interpolation=cv2.INTER_AREA))
    label = f"{clip['key']}  {clip['score']:.2f}  {clip['face_size']:.0f} px"
    return Strip(label, np.hstack(pictures).astype(np.uint8))
