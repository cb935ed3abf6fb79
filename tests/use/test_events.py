"""Labels over time: windows without overlap, events, and the files for ELAN and Praat."""

import os
import re
import shutil
import xml.etree.ElementTree as ET

import ffmpeg
import numpy as np
import pandas as pd
import pytest
from helpers.photo_videos import convert, face_frames, save
from helpers.random_checkpoints import CLASSES, TRAITS, write_checkpoint

import svfap
from svfap.__main__ import main
from svfap.use.elan import write_eaf
from svfap.use.events import Event, find_events
from svfap.use.praat import write_textgrid
from svfap.use.windows import place_windows
from svfap.video.encode import find_ffmpeg


@pytest.mark.parametrize("length", [5, 16, 31, 32, 33, 63, 100, 257])
@pytest.mark.parametrize("step", [1, 2, 2.4, 3.7])
@pytest.mark.parametrize("longer", [1, 1.3, 1e300])
def test_windows_a_window_apart_never_overlap(length, step, longer):
    made = place_windows(length, frames=8, step=step, hop=8 * step * longer)
    gaps = np.diff(made.starts)
    assert (gaps >= 8).all()
    assert made.starts[0] == 0
    assert made.starts[-1] + 8 <= len(made.sampled)
    if longer == 1:  # one follows the other, and the rest at the end is shorter than a window
        assert (gaps == 8).all()
        assert len(made.sampled) - made.starts[-1] < 16


@pytest.mark.parametrize("fps", [25, 30, 29.97, 12])
def test_windows_of_a_video_follow_each_other(tmp_path, toy_model, fps):
    model = svfap.load(write_checkpoint(tmp_path / "m.pt", toy_model, fps=25), hop="window")
    table = model.predict(save(tmp_path / "face.mp4", face_frames(80, step=0.5), fps=fps))
    assert len(table) > 2
    for ends, starts in (("end", "start"), ("end_frame", "start_frame")):
        assert (table[ends].iloc[:-1].to_numpy() == table[starts].iloc[1:]).all()
    assert table["start_frame"].iloc[0] == 0
    assert table["end_frame"].max() <= 80
    np.testing.assert_allclose(table["start_frame"] / fps, table["start"], atol=0.001)
    np.testing.assert_allclose(table["end_frame"] / fps, table["end"], atol=0.001)
    whole = svfap.load(write_checkpoint(tmp_path / "m.pt", toy_model, fps=25)).predict(
        tmp_path / "face.mp4"
    )
    assert len(whole) > 1.5 * len(table)


def test_frames_of_a_video_of_varying_rate_are_its_own(tmp_path, toy_model):
    face = save(tmp_path / "face.mp4", face_frames(60))
    half = "select=lt(n\\,20)+not(mod(n\\,2))"
    uneven = convert(face, tmp_path / "uneven.mp4", vf=half, fps_mode="vfr")
    table = svfap.load(write_checkpoint(tmp_path / "m.pt", toy_model), pad=True).predict(uneven)
    assert table["end_frame"].iloc[-1] in (39, 40)
    assert (table["end_frame"] > table["start_frame"]).all()
    assert table["end"].iloc[-1] == pytest.approx(2.4, abs=0.1)


def facts_of(tmp_path, toy_model, **options):
    return svfap.load(write_checkpoint(tmp_path / "facts.pt", toy_model, **options)).facts


def table_of(rows):
    """Return a table of rows of face, start, end and the three scores."""
    return pd.DataFrame(rows, columns=["face", "start", "end", *CLASSES])


def test_neighbours_of_equal_label_are_one_event(tmp_path, toy_model):
    rows = [
        (1, 0.0, 1.0, 0.8, 0.1, 0.1),
        (1, 1.0, 2.0, 0.6, 0.2, 0.2),
        (1, 2.0, 3.0, 0.1, 0.2, 0.7),
        (1, 5.0, 6.0, 0.1, 0.2, 0.7),  # no face before: another event
    ]
    tiers = find_events(table_of(rows), facts_of(tmp_path, toy_model))
    events = [(0.0, 2.0, "happy"), (2.0, 3.0, "sad"), (5.0, 6.0, "sad")]
    assert tiers == {"label": [Event(*event) for event in events]}


def test_overlapping_windows_are_averaged_moment_by_moment(tmp_path, toy_model):
    rows = [
        (1, 0.0, 2.0, 0.8, 0.2, 0.0),
        (1, 1.0, 3.0, 0.1, 0.9, 0.0),  # from 1 to 2 the means are 0.45 and 0.55
        (2, 1.0, 3.0, 0.0, 0.0, 1.0),
    ]
    tiers = find_events(table_of(rows), facts_of(tmp_path, toy_model))
    assert tiers == {
        "label (face 1)": [Event(0, 1, "happy"), Event(1, 3, "surprise")],
        "label (face 2)": [Event(1, 3, "sad")],
    }


def test_events_are_the_labels_that_a_plain_count_finds(tmp_path, toy_model):
    rng = np.random.default_rng(0)
    starts = np.sort(rng.integers(0, 300, 40)) / 10
    scores = rng.dirichlet([1, 1, 1], 40)
    table = pd.DataFrame(scores, columns=[*CLASSES]).assign(face=1, start=starts, end=starts + 1.2)
    (events,) = find_events(table, facts_of(tmp_path, toy_model)).values()
    for moment in np.arange(0.05, 32, 0.1):
        over = table[(table["start"] < moment) & (table["end"] > moment)]
        expected = [over[[*CLASSES]].mean().idxmax()] if len(over) else []
        assert [e.text for e in events if e.start < moment < e.end] == expected


def test_values_have_a_tier_each(tmp_path, toy_model):
    facts = facts_of(tmp_path, toy_model, targets=("a", "b"), task="regression")
    rows = [(1, 0.0, 1.0, 0.123, 5.0), (1, 1.0, 2.0, 0.124, -2.0)]
    table = pd.DataFrame(rows, columns=["face", "start", "end", "a", "b"])
    assert find_events(table, facts) == {
        "a": [Event(0, 2, "0.12")],
        "b": [Event(0, 1, "5.00"), Event(1, 2, "-2.00")],
    }


def read_eaf(path):
    """Return the tiers of an annotation file by its own references, and the root."""
    root = ET.parse(path).getroot()
    slots = {s.get("TIME_SLOT_ID"): int(s.get("TIME_VALUE")) for s in root.iter("TIME_SLOT")}
    assert list(slots.values()) == sorted(slots.values())
    types = {one.get("LINGUISTIC_TYPE_ID") for one in root.iter("LINGUISTIC_TYPE")}
    ids = [one.get("ANNOTATION_ID") for one in root.iter("ALIGNABLE_ANNOTATION")]
    assert len({*ids}) == len(ids)
    tiers = {}
    for tier in root.iter("TIER"):
        assert tier.get("LINGUISTIC_TYPE_REF") in types
        tiers[tier.get("TIER_ID")] = [
            (
                slots[one.get("TIME_SLOT_REF1")],
                slots[one.get("TIME_SLOT_REF2")],
                one.findtext("ANNOTATION_VALUE"),
            )
            for one in tier.iter("ALIGNABLE_ANNOTATION")
        ]
    return tiers, root


def read_textgrid(path):
    """Return the tiers of a TextGrid of the long format: name -> [(start, end, text), ...]."""
    text = path.read_text(encoding="utf-8")
    tiers = {}
    number = r"= ([\d.]+) *\n"
    interval = rf'intervals \[\d+\]:\s+xmin {number}\s+xmax {number}\s+text = "((?:[^"]|"")*)"'
    for part in re.split(r"item \[\d+\]:", text)[1:]:
        name = re.search(r'name = "((?:[^"]|"")*)"', part)[1].replace('""', '"')
        rows = re.findall(interval, part)
        assert int(re.search(r"intervals: size = (\d+)", part)[1]) == len(rows)
        tiers[name] = [(float(a), float(b), t.replace('""', '"')) for a, b, t in rows]
    return tiers, text


TIERS = {
    '\u8868\u60c5 <&> "x"': [Event(0.5, 1.25, 'fr\u00f6hlich "a"'), Event(1.25, 2.0, "<b>&")],
    "empty": [],
}


def test_an_eaf_of_other_scripts(tmp_path):
    video = tmp_path / "videos" / "s\u00e9ance #1 \u8868.mp4"
    video.parent.mkdir()
    video.touch()
    path = tmp_path / "out" / "a.eaf"
    path.parent.mkdir()
    write_eaf(path, TIERS, video=video)
    tiers, root = read_eaf(path)
    expected = {
        name: [(round(e.start * 1000), round(e.end * 1000), e.text) for e in events]
        for name, events in TIERS.items()
    }
    assert tiers == expected
    order = [child.tag for child in root]
    assert order == ["HEADER", "TIME_ORDER", "TIER", "TIER", "LINGUISTIC_TYPE"]
    media = root.find("HEADER/MEDIA_DESCRIPTOR").attrib
    assert media["MIME_TYPE"] == "video/mp4"
    assert media["RELATIVE_MEDIA_URL"] == f"../videos/{video.name}"  # as ELAN writes names
    assert media["MEDIA_URL"] == f"file://{video}"
    foreign = video.with_name(os.fsdecode(b"s\xe9ance.mp4"))
    foreign.touch()
    write_eaf(path, TIERS, video=foreign)  # XML has no name for it, but the file stays readable
    assert read_eaf(path)[0] == expected
    beside = tmp_path / "out" / "b.eaf"
    write_eaf(beside, TIERS, video=shutil.copy(video, path.parent / "b.mov"))
    media = ET.parse(beside).find("HEADER/MEDIA_DESCRIPTOR")
    assert media.get("RELATIVE_MEDIA_URL") == "./b.mov"
    assert media.get("MIME_TYPE") == "video/quicktime"


def test_a_textgrid_spans_all_time(tmp_path):
    path = tmp_path / "a.TextGrid"
    write_textgrid(path, TIERS, seconds=2.5)
    tiers, text = read_textgrid(path)
    first, second = TIERS
    assert tiers[first] == [
        (0, 0.5, ""),
        *[tuple(event) for event in TIERS[first]],
        (2, 2.5, ""),
    ]
    assert tiers[second] == [(0, 2.5, "")]
    assert text.startswith('File type = "ooTextFile"\nObject class = "TextGrid"\n\nxmin = 0.000\n')
    write_textgrid(path, TIERS, seconds=1.9)  # events of a rounded time may end after the video
    assert read_textgrid(path)[0][first][-1] == tuple(TIERS[first][-1])


def predict(*arguments):
    return main(["predict", *map(str, arguments)])


def test_the_command_writes_them(tmp_path, toy_model):
    model = write_checkpoint(
        tmp_path / "m.pt", toy_model, targets=("gl\u00fccklich", "\u60b2\u3057\u3044")
    )
    videos, out = tmp_path / "videos", tmp_path / "out"
    (videos / "sub").mkdir(parents=True)
    save(videos / "\u5f00\u5fc3 a.mp4", face_frames(60))
    (videos / "sub" / "b.mp4").write_bytes((videos / "\u5f00\u5fc3 a.mp4").read_bytes())
    call = (videos, "--checkpoint", model, "--output", out, "--no-video", "--hop", "window")
    assert predict(*call, "--eaf", "--textgrid") == 0
    table = pd.read_csv(out / "timeline.csv")
    for name in ("\u5f00\u5fc3 a", "sub/b"):
        tiers, root = read_eaf(out / f"{name}.eaf")
        rows = table[table["video"] == f"{name}.mp4"]
        labels = {text for *_, text in tiers["label"]}
        assert labels == {*rows["label"]}
        assert tiers["label"][0][0] == 0
        assert tiers["label"][-1][1] == round(1000 * rows["end"].max())
        path = (out / f"{name}.eaf").parent
        link = root.find("HEADER/MEDIA_DESCRIPTOR").get("RELATIVE_MEDIA_URL")
        assert (path / link).samefile(videos / f"{name}.mp4")
        intervals, _ = read_textgrid(out / f"{name}.TextGrid")
        spoken = [(round(1000 * a), round(1000 * b), t) for a, b, t in intervals["label"] if t]
        assert spoken == tiers["label"]
        assert intervals["label"][-1][1] == pytest.approx(2.4)


LATE = {"itsoffset": 0.7}


@pytest.mark.parametrize(
    ("name", "picture", "sound", "first"),
    [
        ("picture.mp4", LATE, {}, 0.7),
        ("picture.mkv", LATE, {}, 0.7),
        ("picture.ts", LATE, {}, 0.7),  # FFmpeg counts its pictures from the first picture
        ("sound.mp4", {}, LATE, 0.0),
        ("sound.ts", {}, LATE, 0.0),
        ("both.ts", LATE, LATE, 0.0),
    ],
)
def test_times_are_those_of_a_player(tmp_path, toy_model, name, picture, sound, first):
    """A player counts from the first picture or sound; the table counts from the first picture."""
    face = ffmpeg.input(str(save(tmp_path / "face.mp4", face_frames(30))), **picture)
    tone = ffmpeg.input("sine=d=3", f="lavfi", **sound)
    made = ffmpeg.output(face, tone, str(tmp_path / name), vcodec="copy")
    made.run(cmd=find_ffmpeg(), quiet=True)
    call = (tmp_path / name, "--checkpoint", write_checkpoint(tmp_path / "m.pt", toy_model))
    out = tmp_path / "out"
    assert predict(*call, "--output", out, "--no-video", "--eaf", "--textgrid") == 0
    table = pd.read_csv(out / "timeline.csv")
    assert table["start"].min() == 0
    tiers, _ = read_eaf(next(out.glob("*.eaf")))
    assert tiers["label"][0][0] == pytest.approx(1000 * first, abs=40)
    assert tiers["label"][-1][1] == pytest.approx(1000 * (first + table["end"].max()), abs=40)
    intervals, _ = read_textgrid(next(out.glob("*.TextGrid")))
    spoken = [(round(1000 * a), round(1000 * b), t) for a, b, t in intervals["label"] if t]
    assert spoken == tiers["label"]
    assert intervals["label"][-1][1] == pytest.approx(first + 1.2, abs=0.04)


def test_traits_frames_and_wrong_calls(tmp_path, toy_model, capsys):
    import cv2

    options = {"targets": TRAITS, "task": "regression", "activation": "sigmoid"}
    model = write_checkpoint(tmp_path / "m.pt", toy_model, **options)
    folder = tmp_path / "frames"
    folder.mkdir()
    for number, frame in enumerate(face_frames(30)):
        cv2.imwrite(str(folder / f"{number}.png"), frame)
    call = (folder, "--checkpoint", model, "--output", tmp_path / "out", "--no-video")
    assert predict(*call, "--eaf") == 0
    tiers, root = read_eaf(tmp_path / "out" / "frames.eaf")
    assert [*tiers] == [*TRAITS]
    assert root.find("HEADER/MEDIA_DESCRIPTOR") is None  # ELAN plays no folder of pictures
    assert not (tmp_path / "out" / "frames.TextGrid").exists()
    assert predict("0", "--checkpoint", model, "--output", tmp_path / "new", "--eaf") == 2
    assert "--eaf and --textgrid are for videos" in capsys.readouterr().err
    with pytest.raises(SystemExit):
        predict(folder, "--checkpoint", model, "--output", tmp_path / "new", "--hop", "windows")
    assert "windows is not a number above 0 or 'window'" in capsys.readouterr().err


def test_no_input_is_overwritten(tmp_path, toy_model, capsys):
    model = write_checkpoint(tmp_path / "m.pt", toy_model)
    video = save(tmp_path / "face.mp4", face_frames(20))
    out = tmp_path / "out"
    out.mkdir()
    os.link(video, out / "face.eaf")
    call = (video, "--checkpoint", model, "--output", out, "--overwrite", "--no-video", "--eaf")
    assert predict(*call) == 2
    assert "which is never overwritten" in capsys.readouterr().err
