"""Cropping: our tracking against detection in every frame, on one core and the same real video.

Each contender decodes the video, finds the face, cuts it out at 160 pixels and encodes JPEGs. The
floor is decoding alone. `--full` adds the CPU time of the stage's processes, and the peak memory
for a short and a long video.
"""

import logging
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any, Protocol

import cv2
import ffmpeg
import imageio_ffmpeg
import numpy as np

from benchmarks import crop_parts
from benchmarks.common import Headline, carphone, cpu_seconds, make_parser, report, spread
from svfap.config import CropConfig, Preset
from svfap.faces.clips import FaceClip, cut_clips
from svfap.faces.detectors.detector import Detector, Floats
from svfap.faces.detectors.make import make_detector
from svfap.faces.detectors.weights import yunet_weights
from svfap.faces.detectors.yunet import MIN_SCORE
from svfap.faces.find_clips import find_clips
from svfap.video.decode import declared, read_frames
from svfap.video.facevideo import encode_jpeg
from svfap.video.image import Image
from svfap.video.replay import Replay
from svfap.video.reuse_memory import reuse_freed_memory

WIDTH, HEIGHT, SIZE, QUALITY = 640, 360, 160, 92
OURS, EVERY_FRAME, THEIRS = "ours", "ours in every frame", "face-alignment in every frame"
FIXED, FLOOR = "ours, voxceleb2's fixed crop", "decoding alone"
PUBLISHED = 224  # side in pixels of the frames that VoxCeleb2 publishes
LOOPS = 40  # repetitions of the video that make a long one, to measure memory

logger = logging.getLogger(__name__)


class BoxDetector(Protocol):
    """A detector of the package face-alignment."""

    def detect_from_image(self, image: Image) -> list[list[float]]:
        """Return left, top, right, bottom and score of each face in an RGB picture."""
        ...


def main() -> None:
    """Measure all contenders and report the results."""
    logging.basicConfig(level=logging.INFO, format="%(message)s")
    parser = make_parser(__doc__ or "")
    parser.add_argument("--video", type=Path, help="default: carphone, scaled to 640 x 360")
    parser.add_argument("--rounds", type=int, default=3)
    given = parser.parse_args()
    cv2.setNumThreads(1)
    reuse_freed_memory()  # as in the processes of the stage
    with tempfile.TemporaryDirectory() as folder:
        video = given.video or wide_carphone(Path(folder) / "carphone.mp4")
        rows = _speed(video, rounds=given.rounds) + _parts(video, rounds=given.rounds)
        rows.append(_published_size(video, Path(folder) / "published.mp4", rounds=given.rounds))
        if given.full:
            rows += [*_stages(video), *_memory(video, Path(folder))]
    by_name = {row["name"]: row for row in rows}
    ours, theirs = (by_name[name]["cpu_ms_per_frame"] for name in (OURS, THEIRS))
    title = f"CPU time of cropping {video.name}"
    headline = Headline(title, ours, "ms/frame", theirs, theirs / ours)
    report(headline, rows, path=given.json)


def _speed(video: Path, *, rounds: int) -> list[dict[str, Any]]:
    """Measure the CPU time of each contender, and how far our crops are from a full search's."""
    fps, frames = declared(video).fps, sum(1 for _ in read_frames(video))
    config, fixed = _config("auto"), _config("voxceleb2")
    each = config.model_copy(update={"every": 1})
    detector = make_detector(config)
    contenders: dict[str, Callable[[], object]] = {
        OURS: partial(_ours, video, config, detector),
        FIXED: partial(_ours, video, fixed, detector),
        FLOOR: partial(crop_parts.decode, video),
        EVERY_FRAME: partial(_ours, video, each, detector),
        THEIRS: partial(_theirs, video, their_detector()),
    }
    taken = cpu_seconds(contenders, rounds=rounds)
    baseline, floor = (spread(taken[name])["median"] for name in (THEIRS, FLOOR))
    rows = []
    for name, seconds in taken.items():
        figures = spread(seconds)
        rows.append(
            {
                "name": name,
                "cpu_ms_per_frame": figures["median"] / frames * 1e3,
                "least": figures["least"] / frames * 1e3,
                "greatest": figures["greatest"] / frames * 1e3,
                "times_real_time": frames / fps / figures["median"],
                "ratio": baseline / figures["median"],
                "times_floor": figures["median"] / floor,
            }
        )
    rows[0] |= _distance(video, config, each, detector)
    return rows


def _config(preset: Preset) -> CropConfig:
    return CropConfig(preset=preset, size=SIZE, quality=QUALITY)


def _parts(video: Path, *, rounds: int) -> list[dict[str, Any]]:
    """Measure where the CPU time of our crops goes."""
    frames = crop_parts.decode(video)
    rows = []
    for name, config in ((OURS, _config("auto")), (FIXED, _config("voxceleb2"))):
        taken = crop_parts.parts(video, config, make_detector(config), rounds=rounds)
        row = {part: seconds / frames * 1e3 for part, seconds in taken.items()}
        rows.append({"name": f"{name}: CPU ms per frame of each part", **row})
    return rows


def _published_size(video: Path, small: Path, *, rounds: int) -> dict[str, Any]:
    """Measure the fixed crop of a video of VoxCeleb2's size, which is cut without scaling."""
    square = ffmpeg.input(str(video)).filter("crop", "min(iw,ih)", "min(iw,ih)")
    _write(square.filter("scale", PUBLISHED, PUBLISHED), small)
    config, frames = _config("voxceleb2"), crop_parts.decode(small)
    detector = make_detector(config)
    ours, floor = cpu_seconds(
        {
            FIXED: partial(_ours, small, config, detector),
            FLOOR: partial(crop_parts.decode, small),
        },
        rounds=rounds,
    ).values()
    median, least = (spread(seconds)["median"] for seconds in (ours, floor))
    return {
        "name": f"{FIXED}, of {PUBLISHED} x {PUBLISHED} pixels",
        "cpu_ms_per_frame": median / frames * 1e3,
        "floor_cpu_ms_per_frame": least / frames * 1e3,
        "times_floor": median / least,
    }


def _stages(video: Path) -> Iterator[dict[str, Any]]:
    """Measure the CPU time of the stage's processes."""
    for name, config in ((OURS, _config("auto")), (FIXED, _config("voxceleb2"))):
        yield {"name": f"{name}: CPU s of the stage", **crop_parts.stage(video, config)}


def _ours(video: Path, config: CropConfig, detector: Detector) -> int:
    """Crop a video as the stage `crop` does; return the bytes of its JPEGs."""
    frames = Replay(video)
    clips = find_clips(video, config, detector, frames=frames)
    return sum(len(encode_jpeg(image, quality=QUALITY)) for _, image in cut_clips(frames, clips))


def their_detector() -> BoxDetector:
    """Return the package face-alignment's YuNet detector, with our weight file and threshold."""
    from face_alignment.detection.yunet import FaceDetector

    detector: BoxDetector = FaceDetector(
        "cpu", path_to_detector=str(yunet_weights()), score_threshold=MIN_SCORE
    )
    return detector


def _theirs(video: Path, detector: BoxDetector) -> int:
    """Crop a video without tracking; return the bytes of its JPEGs."""
    faces = their_faces(video, detector)
    return sum(len(encode_jpeg(face, quality=QUALITY)) for face in faces)


def their_faces(video: Path, detector: BoxDetector) -> Iterator[Image]:
    """Yield crops by a box with a margin in every frame, as pipelines without tracking do."""
    for frame in read_frames(video):
        image = frame.bgr()
        rgb = np.asarray(cv2.cvtColor(image, cv2.COLOR_BGR2RGB), dtype=np.uint8)
        boxes = detector.detect_from_image(rgb)
        if not boxes:
            continue
        left, top, right, bottom, _ = max(boxes, key=lambda box: (box[2] - box[0]) * box[4])
        half = 1.25 * max(right - left, bottom - top) / 2
        x, y = (left + right) / 2, (top + bottom) / 2
        near = max(0, int(y - half)), max(0, int(x - half))
        part = image[near[0] : int(y + half), near[1] : int(x + half)]
        crop = cv2.resize(part, (SIZE, SIZE), interpolation=cv2.INTER_AREA)
        yield np.asarray(crop, dtype=np.uint8)


def _distance(
    video: Path, config: CropConfig, each: CropConfig, detector: Detector
) -> dict[str, float]:
    """Return the median distance of our crops from a full search's, in per cent of the face."""
    (fast,), (slow,) = (find_clips(video, chosen, detector) for chosen in (config, each))
    frame = next(read_frames(video)).size
    (centres, sides), (true_centres, true_sides) = (_places(clip, frame) for clip in (fast, slow))
    faces = true_sides / (1 + config.margin)
    return {
        "centre_error_percent": float(
            np.median(np.linalg.norm(centres - true_centres, axis=1) / faces) * 100
        ),
        "side_error_percent": float(np.median(np.abs(sides / true_sides - 1)) * 100),
    }


def _places(clip: FaceClip, frame: tuple[int, int]) -> tuple[Floats, Floats]:
    """Return centres and sides of a clip's crops in pixels."""
    corners = clip.corners * frame
    sides = np.linalg.norm(corners[:, 1] - corners[:, 0], axis=1)
    return (corners[:, 1] + corners[:, 2]) / 2, sides


def _memory(video: Path, folder: Path) -> list[dict[str, Any]]:
    """Measure the peak memory of a new process for the video and for one `LOOPS` times as long."""
    longer = folder / "longer.mp4"
    stream = ffmpeg.input(str(video), stream_loop=LOOPS - 1).output(str(longer), c="copy")
    stream.run(cmd=imageio_ffmpeg.get_ffmpeg_exe(), quiet=True)
    code = (
        "import sys; from pathlib import Path; from benchmarks import crop;"
        "crop.cv2.setNumThreads(1); crop.reuse_freed_memory(); c = crop.CropConfig(preset='auto');"
        "crop._ours(Path(sys.argv[1]), c, crop.make_detector(c));"
        "status = Path('/proc/self/status').read_text();"  # getrusage adds the parent's memory
        "print(int(status.split('VmHWM:')[1].split()[0]) / 1024)"
    )
    rows = []
    for path in (video, longer):
        command = [sys.executable, "-c", code, str(path)]
        done = subprocess.run(command, capture_output=True, text=True, check=True)
        seconds = sum(1 for _ in read_frames(path)) / declared(path).fps
        rows.append({"name": f"memory for {seconds:.0f} s", "peak_megabytes": float(done.stdout)})
    return rows


def wide_carphone(path: Path) -> Path:
    """Write the video carphone scaled to 640 x 360 pixels."""
    scaled = ffmpeg.input(str(carphone())).filter("scale", WIDTH, -2)
    _write(scaled.filter("crop", WIDTH, HEIGHT), path)
    return path


def _write(stream: ffmpeg.nodes.FilterableStream, path: Path) -> None:
    """Encode a stream of ffmpeg-python as H.264 with square pixels, 25 frames per second."""
    output = stream.filter("setsar", 1).output(str(path), crf=23, r=25, pix_fmt="yuv420p")
    output.run(cmd=imageio_ffmpeg.get_ffmpeg_exe(), quiet=True)


if __name__ == "__main__":
    main()
