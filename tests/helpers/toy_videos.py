"""A toy corpus of real mp4 files, under names that test a shell."""

from itertools import product
from pathlib import Path

from svfap.demo.videos import render_video

TOY_CLASSES = ("happy", "surprise")
TOY_SUBJECTS = (0, 1, 2, 3)
TOY_NAMES = (  # as users' files are called, and as nobody should call them
    "s0 happy.mp4",
    "-rf 'its'.mp4",
    '"quoted" & more; $(touch pwned).mp4',
    "`touch pwned`|>pwned.mp4",
    "{x} %s %d [1] *.mp4",
    "nai\u0308ve \U0001f600 \u05d0.mp4",
    "back\\slash #1?.mp4",
    f"{'long' * 55}.mp4",
)


def render_toys(folder: Path) -> dict[tuple[int, str], Path]:
    """Render a synthetic video of each subject and expression, under names that test a shell."""
    folder.mkdir(parents=True, exist_ok=True)
    videos = dict(
        zip(product(TOY_SUBJECTS, TOY_CLASSES), map(folder.joinpath, TOY_NAMES), strict=True)
    )
    for (subject, expression), path in videos.items():
        render_video(path, subject, expression, every=1)
    return videos
