"""The page of a video: it plays beside its timeline, offline, in any browser."""

import base64
import html
import json
import re
from pathlib import Path
from urllib.parse import quote

import pandas as pd

from svfap.use.annotate import Layout
from svfap.use.bundle import Bundle
from svfap.use.card import CARD, CAUTION
from svfap.use.drawing import colours, limits
from svfap.use.timeline import as_json

EMBEDDED = 24_000_000  # bytes of video that go into the page; a larger one lies beside it
_TEMPLATE = Path(__file__).with_name("page.html")


def write_page(
    path: Path, table: pd.DataFrame, bundle: Bundle, *, video: Path, layout: Layout, seconds: float
) -> None:
    """Write the page of one video.

    Args:
        path: HTML file to write.
        table: the windows of the video, see `timeline`.
        bundle: the model that scored it.
        video: the annotated mp4; it is put into the page unless it is large.
        layout: its sizes.
        seconds: its length.
    """
    facts, title = bundle.facts, str(table["video"].iloc[0])
    content = as_json(table, facts)
    data = {
        "targets": content["targets"],
        "classes": facts.job.task == "classification",
        "faces": content["videos"][0]["faces"],
        "colours": colours(len(facts.job.targets)),
        "range": limits(table, facts),
        "seconds": seconds,
        "picture": [layout.width, layout.height],
    }
    footer = f"Model: {html.escape(bundle.name)}, described in {CARD}. {CAUTION}"
    if facts.notices:
        footer = f"<strong>{html.escape(facts.notices)}</strong> {footer}"
    filled = {
        "@TITLE@": html.escape(title),
        "@VIDEO@": _source(video),
        "@FOOTER@": footer,
        "@DATA@": json.dumps(data).replace("<", "\\u003c"),
    }
    text = _TEMPLATE.read_text(encoding="utf-8")
    text = re.sub("|".join(filled), lambda mark: filled[mark[0]], text)
    path.write_text(text, encoding="utf-8")


def _source(video: Path) -> str:
    """The video itself, or its name if it is large."""
    if video.stat().st_size > EMBEDDED:
        return quote(video.name)
    return f"data:video/mp4;base64,{base64.b64encode(video.read_bytes()).decode()}"
