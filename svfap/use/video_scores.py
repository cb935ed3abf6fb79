"""The scores of one video."""

from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from svfap.use.footage import Footage
from svfap.use.inputs import Video
from svfap.use.timeline import COLUMNS

Float32 = NDArray[np.float32]


@dataclass(frozen=True)
class VideoScores:
    """Scores of one video, or the reason why it has none.

    Attributes:
        video: name of the video.
        path: the video's file or folder of frames, or its frames.
        table: a row per window, see `build_timeline`; empty if the video was rejected.
        embeddings: embedding of each row, (n, C).
        footage: the faces and some decoded frames; None if the video was rejected, or if their
            memory was freed.
        reject: why the video was rejected; empty if it was scored.
    """

    video: str
    path: Video
    table: pd.DataFrame
    embeddings: Float32
    footage: Footage | None = None
    reject: str = ""

    def named_embeddings(self) -> pd.DataFrame:
        """Return the embeddings beside the video, face and time of each row."""
        names = [f"feature{number}" for number in range(1, self.embeddings.shape[1] + 1)]
        features = pd.DataFrame(self.embeddings, columns=names)
        return pd.concat([self.table[[*COLUMNS]], features], axis=1)
