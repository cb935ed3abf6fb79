"""The methods of a loaded model that draw: the annotated video and the page."""

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Never

from svfap.use.bundle import Bundle
from svfap.use.inputs import OneInput, Video
from svfap.use.options import FLAG, check_choice, refuse
from svfap.use.page import Page
from svfap.use.video_scores import VideoScores


class Drawn:
    """Draws the scores of single videos.

    Attributes:
        bundle: the model.
        show_progress: whether to show progress lines.
    """

    bundle: Bundle
    show_progress: bool

    def score_videos(self, videos: Mapping[str, Video]) -> Iterator[VideoScores]:
        """Score videos one after the other."""
        raise NotImplementedError

    def annotate(
        self,
        path: OneInput,
        out: str | Path | None = None,
        *,
        fps: float | None = None,
        overwrite: bool = False,
        **unknown: Never,
    ) -> Path:
        """Write the annotated video: a box around each face, its label, and curves below.

        Args:
            path: one video, as in `predict`.
            out: mp4 file to write; by default NAME_annotated.mp4 in the working folder.
            fps: frames per second of an array.
            overwrite: whether to replace a file that exists.
            **unknown: refused, with a line that says where options belong.

        Returns:
            The file.

        Raises:
            SvfapError: the model has no head, the video was rejected, or `out` cannot be written
                or exists.
        """
        from svfap.use import drawn_scores

        refuse(unknown, "annotate", "path, out, fps and overwrite")
        check_choice("overwrite", overwrite, FLAG)
        return drawn_scores.annotate_video(self, path, out, fps=fps, overwrite=overwrite)

    def page(
        self,
        path: OneInput,
        out: str | Path | None = None,
        *,
        fps: float | None = None,
        overwrite: bool = False,
        **unknown: Never,
    ) -> Page:
        """Return the page of a video, on which the annotated video plays beside its curves.

        A notebook shows the page below its cell.

        Args:
            path: one video, as in `predict`.
            out: HTML file to write; None writes no file. A video of more than 24 MB lies beside it.
            fps: frames per second of an array.
            overwrite: whether to replace a file that exists.
            **unknown: refused, with a line that says where options belong.

        Raises:
            SvfapError: the model has no head, the video was rejected, `out` cannot be written or
                exists, or the video is too large for a page without a file.
        """
        from svfap.use import drawn_scores

        refuse(unknown, "page", "path, out, fps and overwrite")
        check_choice("overwrite", overwrite, FLAG)
        return drawn_scores.make_page(self, path, out, fps=fps, overwrite=overwrite)
