"""Complete copies of every dataset in its publisher's layout: real names, links to one tiny file.

To test a new dataset, write a function that builds a copy and add it to `COPIES` at the end. The
counts are repeated here, from papers and official lists, so that tests compare two sources.
"""

import os
import random
import shutil
import struct
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from itertools import count
from pathlib import Path
from zipfile import ZIP_DEFLATED, ZipFile

import cv2
import numpy as np

from helpers.photo_videos import convert, noise_frames, save

MAX_LINKS = 60_000  # ext4 allows 65,000 hard links to one file


class Media:
    """Makes tiny videos and pictures, and links them to any number of paths."""

    VIDEO_FRAMES = 10

    def __init__(self, folder: Path) -> None:
        mp4 = save(folder / "tiny.mp4", list(noise_frames(self.VIDEO_FRAMES, side=16)))
        self.files = {".mp4": mp4}
        for suffix, codec in ((".avi", "mpeg4"), (".flv", "flv")):
            self.files[suffix] = convert(mp4, folder / f"tiny{suffix}", vcodec=codec)
        for suffix in (".jpg", ".png"):
            self.files[suffix] = folder / f"tiny{suffix}"
            cv2.imwrite(str(self.files[suffix]), np.full((16, 16, 3), 90, np.uint8))
        self.links: Counter[str] = Counter()

    def put(self, path: Path, suffix: str = "") -> None:
        """Put a tiny file of the path's suffix, or of another one, at a path."""
        path.parent.mkdir(parents=True, exist_ok=True)
        suffix = suffix or path.suffix
        source = self.files[suffix]
        if self.links[suffix] == MAX_LINKS:
            self.links[suffix] = 0
            self.files[suffix] = Path(shutil.copy(source, source.with_name(f"more-{source.name}")))
        os.link(self.files[suffix], path)
        self.links[suffix] += 1

    def frames(self, folder: Path, *names: str) -> None:
        """Make a folder of tiny pictures."""
        folder.mkdir(parents=True)
        for name in names:
            self.put(folder / name)


def labels(*counts: int) -> list[int]:
    """Return class indices in random order, each as often as `counts` says."""
    drawn = [index for index, number in enumerate(counts) for _ in range(number)]
    random.Random(0).shuffle(drawn)
    return drawn


def write(path: Path, rows: Sequence[str], *, end: str = "\n", encoding: str = "utf-8") -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes("".join(f"{row}{end}" for row in rows).encode(encoding))


def split(items: Sequence[str], sizes: Sequence[int]) -> list[list[str]]:
    """Divide items into lists of the given sizes."""
    source = iter(items)
    pieces = [[next(source) for _ in range(size)] for size in sizes]
    assert next(source, None) is None
    return pieces


def dfew(root: Path, media: Media, *, videos: bool = False) -> None:
    drawn = labels(2445, 1894, 2669, 2173, 1469, 145, 902)
    numbers = sorted(random.Random(1).sample(range(1, 16_373), len(drawn)))
    rows = [f"{n},{label + 1}" for n, label in zip(numbers, drawn, strict=True)]
    tests = split(rows, (2341, 2341, 2340, 2339, 2336))
    base = root / "DFEW" / "EmoLabel_DataSplit"
    for index, test in enumerate(tests, start=1):
        rest = [row for other in tests if other is not test for row in other]
        for side, listed in (("train", rest), ("test", test)):
            name = base / f"{side}(single-labeled)" / f"set_{index}.csv"
            write(name, ["video_name,label", *listed], end="\r\n", encoding="utf-8-sig")
    for n in numbers:
        if videos:
            media.put(root / "DFEW" / "Clip" / "original" / f"part_{n % 11 + 1}" / f"{n}.mp4")
        else:
            media.frames(root / "DFEW" / "Clip" / "clip_224x224" / f"{n:05d}", f"{n:05d}_00001.jpg")


def ferv39k(root: Path, media: Media) -> None:
    emotions = ("Happy", "Sad", "Neutral", "Angry", "Surprise", "Disgust", "Fear")
    sides = {
        "train_All.csv": (5854, 5523, 7790, 5906, 2502, 1833, 1680),
        "test_All.csv": (1473, 1393, 1958, 1487, 638, 467, 431),
    }
    number = count(1)
    for name, counts in sides.items():
        rows = []
        for label in labels(*counts):
            clip = (
                f"{('Crime', 'Daily_Life', 'War')[label % 3]}/{emotions[label]}/{next(number):04d}"
            )
            rows.append(f"{clip} {emotions[label]}")
            media.put(root / "0_7_LabelClips" / f"{clip}.mp4")
        write(root / "4_setups" / "All_scenes" / name, rows, end="\r\n")


def mafw(root: Path, media: Media, *, videos: bool = False) -> None:
    emotions = [
        "anger",
        "disgust",
        "fear",
        "happiness",
        "neutral",
        "sadness",
        "surprise",
        "contempt",
        "anxiety",
        "helplessness",
        "disappointment",
    ]
    drawn = labels(1390, 639, 625, 1242, 1138, 1470, 1072, 236, 916, 262, 182)
    numbers = sorted(random.Random(2).sample(range(1, 10_046), len(drawn)))
    rows = [f"{n:05d}.mp4 {emotions[label]}" for n, label in zip(numbers, drawn, strict=True)]
    tests = split(rows, (1839, 1837, 1833, 1832, 1831))
    base = root / "Train & Test Set" / "single" / "no_caption"
    for index, test in enumerate(tests, start=1):
        rest = [row for other in tests if other is not test for row in other]
        write(base / f"set_{index}" / "test.txt", test)
        write(base / f"set_{index}" / "train.txt", rest)
    for n in numbers:
        if videos:
            media.put(root / "data" / "clips" / f"{n:05d}.mp4")
        else:
            media.frames(root / "data" / "frames" / f"{n:05d}", "1.png", "2.png", "10.png")


def crema_d_names() -> list[str]:
    """91 actors, 12 sentences, one of them at several levels, minus 20 unpublished clips."""
    codes = ("ANG", "DIS", "FEA", "HAP", "SAD")
    words = ("DFA", "IOM", "ITH", "ITS", "IWL", "IWW", "MTI", "TAI", "TIE", "TSI", "WSI")
    names = []
    for actor in range(1001, 1092):
        names += [f"{actor}_{word}_{code}_XX" for word in words for code in (*codes, "NEU")]
        names += [f"{actor}_IEO_{code}_{level}" for code in codes for level in ("LO", "MD", "HI")]
        names.append(f"{actor}_IEO_NEU_XX")
    lost = ["NEU"] * 5 + [code for code in codes for _ in range(3)]
    actors = [1001] * 13 + [1019] * 6 + [1091]
    for code, actor, word in zip(lost, actors, words * 2, strict=False):
        names.remove(f"{actor}_{word}_{code}_XX")
    return names


def crema_d(root: Path, media: Media) -> None:
    for name in crema_d_names():
        media.put(root / "VideoFlash" / f"{name}.flv")


def ravdess(root: Path, media: Media) -> None:
    for actor in range(1, 25):
        for code in range(1, 9):
            for strength in (1, 2) if code > 1 else (1,):
                for statement, repetition in ((1, 1), (1, 2), (2, 1), (2, 2)):
                    tail = f"{code:02d}-{strength:02d}-{statement:02d}-{repetition:02d}-{actor:02d}"
                    for modality in ("01", "02"):
                        media.put(root / f"Actor_{actor:02d}" / f"{modality}-01-{tail}.mp4")


def enterface05(root: Path, media: Media) -> None:
    emotions = ("anger", "disgust", "fear", "happiness", "sadness", "surprise")
    base = root / "enterface database"
    for subject in (*range(1, 6), *range(7, 45)):
        for emotion in emotions:
            for sentence in range(1, 6):
                if (subject, emotion) == (23, "happiness") and sentence > 2:
                    continue
                stem = f"s{subject}_{emotion[:2]}_{sentence}"
                name = "s16_su_3avi" if stem == "s16_su_3" else f"{stem}.avi"
                folder = base / f"subject {subject}" / emotion / f"sentence {sentence}"
                media.put(folder / name, ".avi")
    media.put(base / "subject 6" / "anger" / "s6_an_1.avi")
    (base / "Thumbs.db").write_bytes(b"x")


def werewolf_xl(root: Path, media: Media) -> None:
    rows = ["clip,valence,arousal,dominance"]
    for block, number in enumerate((3346, 2747, 3066, 3527, 1771)):
        for index in range(number):
            name = (
                f"{block * 6 + index % 6 + 1:02d}_{index % 9 + 1:02d}_{index // 54:03d}{index % 54}"
            )
            rows.append(
                f"{name},{-0.75 + index % 9 / 4},{-0.5 + index % 6 / 2},{index % 7 / 2 - 1.5}"
            )
            media.put(root / "openface" / name / f"{name}_aligned" / "frame_det_00_000001.jpg")
    write(root / "labels.csv", rows, end="\r\n")


def avcaffe(root: Path, media: Media) -> None:
    people = [number for number in range(1, 109) if number not in (50, 60)]
    words = {
        "arousal": ("Excited", "Wide-awake", "Neutral", "Dull", "Calm"),
        "valence": ("Pleasant", "Pleased", "Neutral", "Unsatisfied", "Unpleasant"),
    }
    videos = [f"aiim{person:03d}_task_{task}" for person in people for task in range(1, 8)]
    for scale, names in words.items():
        rows = [f"{video}, {names[index % 5]}" for index, video in enumerate(videos)]
        write(root / "AVCAffe" / "ground_truths" / f"{scale}.txt", rows, end="\r\n")
    for index in range(58_112):
        video = videos[index % len(videos)]
        folder = root / "AVCAffe" / "videos" / "shorter_segments" / video[:7] / video[8:]
        media.put(folder / f"{video}_{index // len(videos):03d}.avi")


# What Python 2's NumPy wrote before the eight bytes of a number: the function and the type.
NUMPY_NUMBER = (
    b"cnumpy.core.multiarray\nscalar\ncnumpy\ndtype\n(U\x02f8K\x00K\x01tR"
    b"(K\x03U\x01<NNNJ\xff\xff\xff\xffJ\xff\xff\xff\xffK\x00tb"
)


def py2_pickle(path: Path, content: Mapping[str, Mapping[str, float]]) -> None:
    """Write a pickle as Python 2 did: protocol 2, text as bytes, and numbers of NumPy as bytes."""

    def text(value: str) -> bytes:
        return b"U" + bytes([len(value)]) + value.encode("latin-1")

    def number(value: float) -> bytes:
        if isinstance(value, np.float64):
            return NUMPY_NUMBER + b"U\x08" + struct.pack("<d", value) + b"\x86R"
        return b"G" + struct.pack(">d", value)

    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("wb") as file:
        file.write(b"\x80\x02}(")
        for name, scores in content.items():
            file.write(text(name) + b"}(")
            file.writelines(text(video) + number(score) for video, score in scores.items())
            file.write(b"u")
        file.write(b"u.")


def chalearn(root: Path, media: Media) -> None:
    traits = [
        "extraversion",
        "neuroticism",
        "agreeableness",
        "conscientiousness",
        "interview",
        "openness",
    ]
    random_ = random.Random(3)
    letters = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"
    for side, number in (("training", 6000), ("validation", 2000), ("test", 2000)):
        videos = [
            f"{''.join(random_.choices(letters, k=11))}.{n % 6:03d}.mp4" for n in range(number)
        ]
        content = {trait: {video: random_.random() for video in videos} for trait in traits}
        # In the real files, only this score is of NumPy.
        content["interview"] = {name: np.float64(v) for name, v in content["interview"].items()}
        py2_pickle(root / f"annotation_{side}.pkl", content)
        for index, video in enumerate(videos):
            media.put(root / side / f"{side}80_{index // 80:02d}" / video)


def xlsx(path: Path, rows: Sequence[Sequence[str]]) -> None:
    """Write a workbook as Excel and pandas do: texts apart, empty cells and the index left out."""
    texts = {text: number for number, text in enumerate({cell: 0 for row in rows for cell in row})}
    main = 'xmlns="http://schemas.openxmlformats.org/spreadsheetml/2006/main"'
    cells = [
        "".join(
            f'<c r="{"ABCDEFGH"[place]}{line}" t="s"><v>{texts[text]}</v></c>'
            for place, text in enumerate(row)
            if text
        )
        for line, row in enumerate(rows, start=1)
    ]
    sheet = "".join(f'<row r="{n}">{text}</row>' for n, text in enumerate(cells, start=1))
    shared = "".join(f"<si><t>{text}</t></si>" for text in texts)
    path.parent.mkdir(parents=True, exist_ok=True)
    with ZipFile(path, "w", ZIP_DEFLATED) as archive:
        archive.writestr("[Content_Types].xml", "<Types/>")
        archive.writestr(
            "xl/worksheets/sheet1.xml",
            f"<worksheet {main}><sheetData>{sheet}</sheetData></worksheet>",
        )
        archive.writestr("xl/sharedStrings.xml", f"<sst {main}>{shared}</sst>")


def engagenet(root: Path, media: Media) -> None:
    """90, 11 and 26 people; some clips show nobody."""
    levels = ("Not-Engaged", "Barely-engaged", "Engaged", "Highly-Engaged")
    first = 1
    for split, people, number in (
        ("Train", 90, 7983),
        ("Validation", 11, 1071),
        ("Test", 26, 2257),
    ):
        rows = [("", "chunk", "label")]
        for index, label in enumerate(labels(*[number // 4] * 3, number - 3 * (number // 4))):
            name = f"subject_{first + index % people}_as2uk9lhe2_vid_{index % 5}_{index}.mp4"
            absent = index % 200 == 199
            rows.append((str(index), name, "SNP(Subject Not Present)" if absent else levels[label]))
            media.put(root / split / name)
        first += people
        listing = root / f"{split.lower()}_engagement_labels"
        if split == "Test":
            write(listing.with_suffix(".csv"), [",".join(row) for row in rows])
        else:
            xlsx(listing.with_suffix(".xlsx"), rows)


def daisee(root: Path, media: Media) -> None:
    """The header of the real lists ends in a blank, and one suffix differs from its file's."""
    sides = {
        "Train": (34, 213, 2617, 2494),
        "Validation": (23, 143, 813, 450),
        "Test": (4, 80, 900, 800),
    }
    for number, (split, counts) in enumerate(sides.items(), start=1):
        rows = ["ClipID,Boredom,Engagement,Confusion,Frustration "]
        for index, label in enumerate(labels(*counts)):
            person = f"{number}{index % 20:05d}"
            clip = f"{person}{index // 20:04d}"
            rows.append(f"{clip}.{'mp4' if index == 7 else 'avi'},{index % 4},{label},0,1")
            media.put(root / "DAiSEE" / "DataSet" / split / person / clip / f"{clip}.avi")
        write(root / "DAiSEE" / "Labels" / f"{split}Labels.csv", rows, end="\r\n")


def mead(root: Path, media: Media) -> None:
    emotions = ("angry", "contempt", "disgusted", "fear", "happy", "neutral", "sad", "surprised")
    for actor in ("M003", "M005", "W009", "W011", "W037", "M013"):
        for emotion in emotions:
            for level in (1, 2, 3) if emotion != "neutral" else (1,):
                for view in ("front", "left_30"):
                    place = root / actor / "video" / view / emotion / f"level_{level}"
                    media.put(place / "001.mp4")
                    media.put(place / "002.mp4")


def voxceleb2(root: Path, media: Media, *, speakers: int = 800) -> None:
    for number in range(speakers):
        folder = root / "vox2" / "dev" / "mp4" / f"id{number:05d}" / f"-x{number}_yT"
        media.put(folder / "00001.mp4")
        media.put(folder / "00278.mp4")


COPIES: dict[str, Callable[[Path, Media], None]] = {
    "DFEW": dfew,
    "FERV39k": ferv39k,
    "MAFW": mafw,
    "CREMA-D": crema_d,
    "RAVDESS": ravdess,
    "eNTERFACE05": enterface05,
    "Werewolf-XL": werewolf_xl,
    "AVCAffe-arousal": avcaffe,
    "AVCAffe-valence": avcaffe,
    "ChaLearn": chalearn,
    "MEAD": mead,
    "EngageNet": engagenet,
    "DAiSEE": daisee,
    "VoxCeleb2": voxceleb2,
}
