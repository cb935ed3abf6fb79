"""Write the page of a scored video: the video plays beside its curves, offline, in any browser."""

import base64
import html
import json
import re
from pathlib import Path
from urllib.parse import quote

import pandas as pd

from svfap.plots.palette import colours_of
from svfap.use.annotate import AnnotatedSize
from svfap.use.bundle import Bundle
from svfap.use.card import CARD, CAUTION
from svfap.use.drawing import score_range
from svfap.use.fold_metrics import own_figure
from svfap.use.timeline import as_json

EMBEDDED = 24_000_000  # bytes up to which the video is embedded; base64 makes 32 MB of them
_TEMPLATE = Path(__file__).with_name("page.html")


def write_page(
    path: Path,
    table: pd.DataFrame,
    bundle: Bundle,
    *,
    video: Path,
    size: AnnotatedSize,
    seconds: float,
) -> None:
    """Write the page of one video.

    Args:
        path: HTML file to write.
        table: the scores of the video, see `build_timeline`.
        bundle: the model that scored it.
        video: the annotated mp4; embedded in the page unless it is large.
        size: sizes of the annotated mp4.
        seconds: length of the video.
    """
    facts, title = bundle.facts, str(table["video"].iloc[0])
    content = as_json(table, facts)
    data = {
        "targets": content["targets"],
        "classes": facts.job.task == "classification",
        "faces": content["videos"][0]["faces"],
        "colours": colours_of(facts.job.targets),
        "range": score_range(table, facts),
        "seconds": seconds,
        "picture": [size.width, size.height],
    }
    model = f"Model: {bundle.title}, described in {CARD}. {own_figure(bundle)} {CAUTION}"
    footer = html.escape(model, quote=False)
    if facts.notices:
        footer = f"<strong>{html.escape(facts.notices)}</strong> {footer}"
    filled = {
        "@TITLE@": html.escape(title),
        "@VIDEO@": _video_url(video),
        "@FOOTER@": footer,
        # A target called </script> must not end the script that holds the data.
        "@DATA@": json.dumps(data).replace("<", "\\u003c"),
    }
    text = _TEMPLATE.read_text(encoding="utf-8")
    # One pass fills the whole template, so a video called @DATA@ is not filled in twice.
    text = re.sub("|".join(filled), lambda mark: filled[mark[0]], text)
    path.write_text(text, encoding="utf-8")


def _video_url(video: Path) -> str:
    """Return the video as a data URL, or its relative URL if it is large."""
    if video.stat().st_size > EMBEDDED:
        return quote(video.name)
    return f"data:video/mp4;base64,{base64.b64encode(video.read_bytes()).decode()}"
