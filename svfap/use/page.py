"""The page of a scored video as an object, which notebooks show below its cell."""

import html
from dataclasses import dataclass, field
from pathlib import Path

_HEIGHT = 640  # pixels in a notebook: the video and its bars, or two timelines


@dataclass(frozen=True)
class Page:
    """The page of one video.

    Attributes:
        html: the page's text.
        path: the file that holds it; None if it was not written.
        embedded: whether the page holds its video; a large one lies beside the file.
    """

    html: str = field(repr=False)
    path: Path | None = None
    embedded: bool = True

    def _repr_html_(self) -> str:
        """Return the page for a notebook: a frame of its own, which shares no style with it."""
        if self.path is not None and not self.embedded:
            return f"The page with its video is in {html.escape(str(self.path))}."
        style = f"width: 100%; height: {_HEIGHT}px; border: 0"
        return f'<iframe srcdoc="{html.escape(self.html)}" style="{style}"></iframe>'
