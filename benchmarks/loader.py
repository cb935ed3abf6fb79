"""Loading clips: our loader against the authors', on the same real face video.

Each contender reads 16 frames of a clip of 200, takes a random crop as in pre-training and scales
it to 160 pixels. The baseline does the same work as the authors' loader; `--reference DIR` runs
their own code from a checkout. `--full` adds file formats, loader processes, and memory over time.
"""

import logging
import tempfile
import time
from collections.abc import Callable
from functools import partial
from itertools import count, cycle, islice
from multiprocessing import active_children
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import torch
from numpy.typing import NDArray

from benchmarks import authors, formats
from benchmarks.common import Headline, carphone, cpu_seconds, make_parser, report, resident, spread
from svfap.augment.crop_box import multi_scale_crop
from svfap.config import OptimConfig, TrainingMachine
from svfap.shards.frame_format import FrameFormat
from svfap.shards.store import ClipStore
from svfap.shards.writer import Sample, write_shards
from svfap.training import memory
from svfap.training.distributed import Ranks
from svfap.training.draws import Draws
from svfap.training.loader import Loader
from svfap.video.decode import read_frames
from svfap.video.encode import write_video
from svfap.video.facevideo import encode_jpeg
from svfap.video.resize import resize
from svfap.video.sampling import pretrain_indices

FRAMES, CLIPS, QUALITY = 200, 16, 92
BATCHES = 12  # batches that our loader reads in a turn; fewer would begin with cold caches
FEW = 6  # clips that the slower contenders read in a turn
RAW, JPEG = "raw shards", "jpeg shards"
BYTES, THEIRS = "authors' way, without floats", "authors' way"
CPU = torch.device("cpu")

LARGE = 192  # side in pixels; face clips are unlikely to be larger
FORMS: dict[str, FrameFormat] = {RAW: "raw", JPEG: "jpeg"}

Clip = NDArray[np.uint8]


def main() -> None:
    """Measure all contenders and report the results."""
    logging.basicConfig(level=logging.INFO, format="%(message)s")
    parser = make_parser(__doc__ or "")
    parser.add_argument("--video", type=Path, help="default: carphone")
    parser.add_argument("--reference", type=Path, help="a checkout of the authors' repository")
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument(
        "--soak", type=float, default=60, help="seconds during which to watch memory"
    )
    given = parser.parse_args()
    cv2.setNumThreads(1)
    torch.set_num_threads(1)
    memory.keep()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        clip = face_clip(given.video or carphone())
        rows = speeds(clip, folder, given.reference, rounds=given.rounds)
        if given.full:
            sizes = (face_crop(clip), resize(clip, LARGE))
            rows += [row for frames in sizes for row in formats.rows(frames)]
            rows += [processes(folder, form, count) for form in FORMS.values() for count in (1, 2)]
            rows.append(soak(folder / "jpeg.parquet", given.soak))
    speed = {row["name"]: row.get("clips_per_cpu_second", 0.0) for row in rows}
    ours, theirs = speed[RAW], speed[THEIRS]
    title = "clips loaded, cut and scaled from raw shards"
    headline = Headline(title, ours, "clips per CPU second", theirs, ours / theirs)
    report(headline, rows, path=given.json)


def face_clip(video: Path) -> Clip:
    """Return 200 frames of 224 x 224 pixels as in VoxCeleb2, RGB.

    They are the central squares of the first frames, played forwards and backwards as needed.
    """
    frames = []
    for frame in islice(read_frames(video), FRAMES):
        image = frame.bgr()
        side = min(image.shape[:2])
        top, left = (image.shape[0] - side) // 2, (image.shape[1] - side) // 2
        part = image[top : top + side, left : left + side, ::-1]
        frames.append(cv2.resize(part, (224, 224), interpolation=cv2.INTER_AREA))
    return np.stack([*islice(cycle(frames + frames[::-1]), FRAMES)]).astype(np.uint8)


def face_crop(clip: Clip) -> Clip:
    """Return the part of VoxCeleb2 frames that the authors keep."""
    left, top, right, bottom = authors.CUT
    return clip[:, top:bottom, left:right]


def speeds(
    clip: Clip, folder: Path, reference: Path | None, *, rounds: int
) -> list[dict[str, Any]]:
    """Measure clips per CPU second of every contender, and the size of a clip on disk."""
    video = folder / "voxceleb2.mp4"
    write_video(video, clip, fps=25)
    contenders: dict[str, Callable[[], object]] = {}
    sizes = {BYTES: video.stat().st_size, THEIRS: video.stat().st_size}
    for name, form in FORMS.items():
        index = folder / f"{form}.parquet"
        size = _write(face_crop(clip), index, form)
        for repeats, title in ((1, name), (4, f"{name}, 4 crops of each clip")):
            contenders[title], sizes[title] = _ours(index, repeats), size
    rng = np.random.default_rng(0)
    plain = partial(authors.clip, video, rng)
    load = authors.their_loader(reference, video, folder) if reference else plain
    contenders[BYTES] = lambda: [authors.pictures(video, rng) for _ in range(FEW)]
    contenders[THEIRS] = lambda: [load() for _ in range(FEW)]
    taken = cpu_seconds(contenders, rounds=rounds)
    clips = {name: FEW if name in (BYTES, THEIRS) else BATCHES * CLIPS for name in taken}
    speed = {name: clips[name] / spread(seconds)["median"] for name, seconds in taken.items()}
    return [
        {
            "name": name,
            "clips_per_cpu_second": value,
            "ratio": value / speed[THEIRS],
            "kilobytes_per_clip": sizes[name] / 1e3,
        }
        for name, value in speed.items()
    ]


def processes(folder: Path, form: FrameFormat, workers: int) -> dict[str, Any]:
    """Measure clips per second of wall time with loader processes, and the first batch's delay."""
    began = time.perf_counter()
    loading = _loader(folder / f"{form}.parquet", workers).load(0)
    next(loading)
    first = time.perf_counter() - began
    steps = 96
    for _ in range(2 * workers):  # batches prefetched before the clock starts
        next(loading)
    began = time.perf_counter()
    for _ in range(steps):
        next(loading)
    speed = steps * CLIPS / (time.perf_counter() - began)
    return {
        "name": f"{form}, {workers} processes",
        "clips_per_second": speed,
        "first_batch_seconds": first,
    }


def soak(index: Path, seconds: float) -> dict[str, Any]:
    """Measure the memory of this process and a loader process, at the start and the end."""
    loading = _loader(index, 1, epochs=10**6).load(0)
    for _ in range(100):
        next(loading)
    early, began, batches = _held(), time.perf_counter(), 0
    while time.perf_counter() - began < seconds:
        next(loading)
        batches += 1
    row = {"early_megabytes": early, "late_megabytes": _held()}
    return {"name": f"memory over {seconds:g} s and {batches * CLIPS} clips"} | row


def _held() -> float:
    """Return the megabytes of memory that this process and its child processes hold."""
    return resident() + sum(resident(child.pid) for child in active_children() if child.pid)


def _write(clip: Clip, index: Path, form: FrameFormat) -> int:
    """Write shards with copies of a clip; return the bytes per copy."""
    jpegs = [encode_jpeg(np.ascontiguousarray(frame[..., ::-1]), quality=QUALITY) for frame in clip]
    samples = [(Sample(f"{form}{n}", "", "", (), 25.0), jpegs) for n in range(CLIPS)]
    folder = index.parent / form
    folder.mkdir()
    write_shards(folder / index.name, samples, max_bytes=10**9, form=form)
    return sum(tar.stat().st_size for tar in folder.glob("*.tar")) // len(samples)


def _draws(index: Path, repeats: int = 1) -> Draws:
    store = ClipStore([index.parent / index.stem / index.name])
    return Draws(
        store,
        lambda length, rng: pretrain_indices(length, authors.FRAMES, authors.STRIDE, rng),
        partial(multi_scale_crop, min_side=0.66),
        size=authors.SIDE,
        seed=0,
        repeats=repeats,
    )


def _ours(index: Path, repeats: int) -> Callable[[], object]:
    """Return a function that loads the next batches, and cuts and scales them on the CPU."""
    draws, numbers = _draws(index, repeats), count()

    def load() -> None:
        for number in islice(numbers, BATCHES):
            draws.batch(range(number * CLIPS, (number + 1) * CLIPS)).prepared(CPU)

    return load


def _loader(index: Path, workers: int, epochs: int = 10**4) -> Loader:
    config, machine = OptimConfig(batch_size=CLIPS, epochs=epochs), TrainingMachine(workers=workers)
    return Loader(_draws(index), config, Ranks(0, 1, CPU), machine)


if __name__ == "__main__":
    main()
