"""Crop damaged videos of 20 kinds: `python tests/fuzz_videos.py --cases 5000 [--seed 0]`.

Bits are flipped, files are cut short, bytes and packets of one file are put into another. Every
tenth video is whole. Each damaged video must give clips or a reason in one line, each whole one
what it gives by itself, and the processes that crop them must not grow.
"""

import argparse
import multiprocessing
import os
import random
import statistics
import sys
import tempfile
import time
from collections import Counter, deque
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

import av
import cv2
from av.error import FFmpegError
from helpers.photo_videos import convert, face_frames, save

from svfap.config import CropConfig
from svfap.faces.crop_videos import VideoToCrop, crop_videos
from svfap.faces.cropped_video import CroppedVideo

FAST_START = {"movflags": "+faststart"}  # a file that is cut short still has its index
SEEDS: dict[str, dict[str, object]] = {
    "h264.mp4": {"vcodec": "libx264", "g": 8, "bf": 2, **FAST_START},
    "h264.mov": {"vcodec": "libx264", "g": 1},
    "h264.avi": {"vcodec": "libx264", "g": 8, "bf": 2},
    "h264.flv": {"vcodec": "libx264", "g": 8, "bf": 0},
    "h264.ts": {"vcodec": "libx264", "g": 8, "bf": 2},
    "h264.h264": {"vcodec": "libx264", "g": 8, "bf": 2},
    "hevc.mp4": {"vcodec": "libx265", "g": 8, "x265-params": "log-level=none", **FAST_START},
    "mpeg4.avi": {"vcodec": "mpeg4", "g": 8, "bf": 2},
    "mpeg2.vob": {"vcodec": "mpeg2video", "g": 8, "bf": 2, "flags": "+ildct+ilme"},
    "mpeg1.mpg": {"vcodec": "mpeg1video", "g": 8},
    "h263.3gp": {"vcodec": "h263", "s": "128x96"},
    "wmv2.wmv": {"vcodec": "wmv2", "g": 8},
    "vp8.webm": {"vcodec": "libvpx", "g": 8},
    "vp9.webm": {"vcodec": "libvpx-vp9", "g": 8},
    "av1.mkv": {"vcodec": "libsvtav1", "g": 8, "preset": 12},
    "theora.ogv": {"vcodec": "libtheora", "g": 8},
    "mjpeg.mov": {"vcodec": "mjpeg", "qscale": 4, "pix_fmt": "yuvj420p"},
    "prores.mov": {"vcodec": "prores_ks", "pix_fmt": "yuv422p10le"},
    "ffv1.mkv": {"vcodec": "ffv1", "pix_fmt": "yuv444p"},
    "gif.gif": {},
}
FRAMES = 16
CRASHED, BUG = "crashes the decoder", "a bug"
SLOW = 60.0  # seconds; a video of 16 small frames takes a fraction of one
WHOLE_EVERY = 10
_LOOK_EVERY = 25  # videos from one look at the processes to the next


@dataclass
class Tally:
    """What became of the videos.

    Attributes:
        outcomes: number of videos by kind of damage and outcome.
        wrong: what should not have happened.
        memory: megabytes of all processes together, at each look.
        files: most files that a process had open, at each look.
    """

    outcomes: Counter[str] = field(default_factory=Counter)
    wrong: list[str] = field(default_factory=list)
    memory: list[float] = field(default_factory=list)
    files: list[int] = field(default_factory=list)

    def growth(self) -> tuple[float, int]:
        """Megabytes and open files that the last third has more than the second, by the median."""
        third = len(self.memory) // 3
        memory, files = (
            statistics.median(values[-third:]) - statistics.median(values[third:-third])
            for values in (self.memory, self.files)
        )
        return memory, int(files)


def make_seeds(folder: Path) -> dict[str, Path]:
    """Write a small video of a face of each kind; return name -> path."""
    folder.mkdir(parents=True, exist_ok=True)
    small = (cv2.resize(frame, (120, 120)) for frame in face_frames(FRAMES))
    plain = save(folder / "plain.mp4", small)
    return {name: convert(plain, folder / name, **how) for name, how in SEEDS.items()}


def flip_bits(source: Path, _: Path, draw: random.Random) -> bytes:
    """Flip up to 64 bits, in half of the files only in the first kilobyte, which says most."""
    data = bytearray(source.read_bytes())
    reach = draw.choice([len(data), min(len(data), 1024)])
    for _ in range(2 ** draw.randrange(7)):
        data[draw.randrange(reach)] ^= 1 << draw.randrange(8)
    return bytes(data)


def cut_short(source: Path, _: Path, draw: random.Random) -> bytes:
    """Keep only the beginning, or lose a part in the middle."""
    data = source.read_bytes()
    start, end = sorted(draw.choices(range(len(data)), k=2))
    return data[:start] + draw.choice([b"", data[end:]])


def splice_bytes(source: Path, other: Path, draw: random.Random) -> bytes:
    """Overwrite a part by bytes of another file."""
    data, strange = bytearray(source.read_bytes()), other.read_bytes()
    size = min(2 ** draw.randrange(2, 14), len(data), len(strange))
    place, taken = draw.randrange(len(data) - size + 1), draw.randrange(len(strange) - size + 1)
    data[place : place + size] = strange[taken : taken + size]
    return bytes(data)


def splice_packets(source: Path, other: Path, draw: random.Random) -> bytes:
    """Drop, repeat, garble, move or exchange packets in a container that is whole."""
    target = source.with_name(f"spliced{source.suffix}")
    with av.open(str(source)) as read, av.open(str(other)) as strange:
        packets = [packet for packet in read.demux(video=0) if packet.size]
        foreign = [bytes(packet) for packet in strange.demux(video=0) if packet.size]
        with suppress(FFmpegError), av.open(str(target), "w") as write:
            stream = write.add_stream_from_template(read.streams.video[0], opaque=True)
            for packet in packets:
                for changed in _changed(packet, foreign, draw):
                    changed.stream = stream
                    with suppress(FFmpegError):  # some containers refuse times that go back
                        write.mux(changed)
    content = target.read_bytes()
    target.unlink()
    return content


def _changed(packet: av.Packet, foreign: list[bytes], draw: random.Random) -> Iterator[av.Packet]:
    """Yield what takes the place of a packet: mostly the packet."""
    content = bytearray(packet)
    change = draw.choice(["garble", "exchange", "move", "drop", "repeat", *["keep"] * 15])
    if change == "garble":
        for _ in range(8):
            content[draw.randrange(len(content))] = draw.randrange(256)
    if change == "exchange":
        content = bytearray(draw.choice(foreign))
    move = draw.choice([-(2**33), -(2**20), -3, 2, 10**4, 2**40]) if change == "move" else 0
    for _ in range({"drop": 0, "repeat": 2}.get(change, 1)):
        made = av.Packet(bytes(content))
        made.pts = None if packet.pts is None else packet.pts + move
        made.dts = None if packet.dts is None else packet.dts + move
        made.time_base, made.is_keyframe = packet.time_base, packet.is_keyframe
        yield made


DAMAGE = (flip_bits, cut_short, splice_bytes, splice_packets)


def write_case(seeds: Mapping[str, Path], number: int, seed: int, folder: Path) -> Path:
    """Write the video of a number; its name tells the seed file and the damage."""
    draw = random.Random(f"{seed} {number}")
    name, other = draw.choices([*seeds], k=2)
    if number % WHOLE_EVERY:
        damage = draw.choice(DAMAGE)
        kind, content = damage.__name__, damage(seeds[name], seeds[other], draw)
    else:
        kind, content = "whole", seeds[name].read_bytes()
    path = folder / f"{number}-{kind}-{name}"
    path.write_bytes(content)
    return path


def fuzz(folder: Path, *, cases: int, seed: int = 0) -> Tally:
    """Crop damaged videos in two processes; return what became of them."""
    seeds = make_seeds(folder / "seeds")
    (folder / "cases").mkdir()
    paths = [write_case(seeds, number, seed, folder / "cases") for number in range(cases)]
    alone = dict(zip(seeds, _crop([*seeds.values()], folder / "alone", workers=1), strict=True))
    tally = Tally()
    before = time.monotonic()
    outcomes = zip(paths, _crop(paths, folder / "clips", workers=2), strict=True)
    for number, (path, outcome) in enumerate(outcomes):
        _, kind, name = path.name.split("-", 2)
        tally.outcomes[f"{kind}: {'reason' if outcome.reject else 'clips'}"] += 1
        problem = _problem(outcome, alone[name] if kind == "whole" else None)
        if (seconds := time.monotonic() - before) > SLOW:
            problem += f" took {seconds:.0f} s"
        before += seconds
        if problem:
            tally.wrong.append(f"{path.name}: {problem}")
        if number % _LOOK_EVERY == 0:
            _look(tally)
    return tally


def _crop(paths: Sequence[Path], folder: Path, *, workers: int) -> Iterator[CroppedVideo]:
    """Crop videos; a bug becomes a reject, so that it does not hide others."""
    folder.mkdir()
    config = CropConfig(preset="auto", min_frames=4)
    left = deque(VideoToCrop(path.name, path) for path in paths)
    while left:
        try:
            for outcome in crop_videos([*left], config, folder=folder, workers=workers):
                left.popleft()
                yield outcome
        except Exception as error:
            left.popleft()
            yield CroppedVideo("", reject=f"{BUG}\n{error!r}")


def _problem(outcome: CroppedVideo, wanted: CroppedVideo | None) -> str:
    """Return what is wrong with an outcome; an empty text if nothing is."""
    if wanted is not None and (wanted.reject or outcome.clips != wanted.clips):
        return f"whole, but {outcome}, by itself {wanted}"
    if outcome.reject.startswith((CRASHED, BUG)):
        return outcome.reject
    if bool(outcome.clips) == bool(outcome.reject) or "\n" in outcome.reject:
        return f"neither clips nor a reason in one line: {outcome.reject!r}"
    return ""


def _look(tally: Tally) -> None:
    """Note the memory and the open files of the processes."""
    memory, files = 0, [0]
    for process in multiprocessing.active_children():
        with suppress(OSError):  # it has just ended
            pages = int(Path(f"/proc/{process.pid}/statm").read_text().split()[1])
            memory += pages * os.sysconf("SC_PAGE_SIZE")
            files.append(len([*Path(f"/proc/{process.pid}/fd").iterdir()]))
    tally.memory.append(memory / 1e6)
    tally.files.append(max(files))


def main() -> int:
    """Crop the videos, and print what became of them."""
    parser = argparse.ArgumentParser(description="Crop damaged videos.")
    parser.add_argument("--cases", type=int, default=5000)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--folder", type=Path, help="an empty folder to work in")
    chosen = parser.parse_args()
    tally = fuzz(chosen.folder or Path(tempfile.mkdtemp()), cases=chosen.cases, seed=chosen.seed)
    for kind, count in sorted(tally.outcomes.items()):
        print(f"{count:6d}  {kind}")
    print("growth: {:.0f} MB, {} open files".format(*tally.growth()))
    print(f"{len(tally.wrong)} wrong:", *tally.wrong, sep="\n")
    return int(bool(tally.wrong))


if __name__ == "__main__":
    sys.exit(main())
