"""Every dataset, tested on complete and incomplete copies in its publisher's layout.

For a new dataset, add a copy to `COPIES` in `helpers/dataset_copies.py`: the tests that are
parametrised by `COPIES` and `DATASETS` then cover it. `CHOSEN`, `SIZES` and `CLASSES` are optional.
"""

import os
import pickle
import shutil
from collections import Counter, defaultdict
from email.message import Message
from pathlib import Path
from urllib.error import HTTPError
from urllib.request import Request
from zipfile import ZipFile

import pytest
from helpers.dataset_copies import COPIES, Media, dfew, mafw, write
from pyzipper import WZ_AES, AESZipFile

from svfap.config import DatasetConfig
from svfap.datasets import DATASETS, get
from svfap.datasets.chalearn import read_annotations
from svfap.datasets.dataset import Clip, Dataset, read_manifest
from svfap.datasets.spreadsheet import read_table
from svfap.datasets.verify import Census, has_content, list_clips
from svfap.errors import SvfapError
from svfap.evaluation.metrics import METRICS
from svfap.stages import download
from svfap.video.decode import read_frames

# Dataset -> configuration under which its copy is complete, if not the default.
CHOSEN = {
    "FERV39k": DatasetConfig(variant="videos"),
    "Werewolf-XL": DatasetConfig(variant="audio-visual"),
    "VoxCeleb2": DatasetConfig(allow_incomplete=True),
}
# Dataset -> fold -> clips for training and for testing, from papers and official lists.
SIZES = {
    "DFEW": {"set_1": (9356, 2341), "set_2": (9356, 2341), "set_3": (9357, 2340),
             "set_4": (9358, 2339), "set_5": (9361, 2336)},
    "FERV39k": {"official": (31_088, 7_847)},
    "MAFW": {"set_1": (7333, 1839), "set_2": (7335, 1837), "set_3": (7339, 1833),
             "set_4": (7340, 1832), "set_5": (7341, 1831)},
    "CREMA-D": {"actors1001-1018": (5979, 1463), "actors1019-1036": (5972, 1470),
                "actors1037-1054": (5966, 1476), "actors1055-1072": (5966, 1476),
                "actors1073-1091": (5885, 1557)},
    "RAVDESS": {f"actors{n:02d}-{n + 3:02d}": (1200, 240) for n in (1, 5, 9, 13, 17, 21)},
    "eNTERFACE05": {"subjects01-10": (1017, 270), "subjects11-19": (1017, 270),
                    "subjects20-28": (1020, 267), "subjects29-37": (1017, 270),
                    "subjects38-44": (1077, 210)},
    "Werewolf-XL": {"sessions01-06": (11_111, 3346), "sessions07-12": (11_710, 2747),
                    "sessions13-18": (11_391, 3066), "sessions19-24": (10_930, 3527),
                    "sessions25-30": (12_686, 1771)},
    "ChaLearn": {"official": (6000, 2000)},
    "EngageNet": {"official": (7944, 2246)},  # without the clips that show nobody
    "DAiSEE": {"official": (5358, 1784)},
}  # fmt: skip
# Dataset -> clips of each class, likewise.
CLASSES = {
    "DFEW": (2445, 1894, 2669, 2173, 1469, 145, 902),
    "FERV39k": (7327, 6916, 9748, 7393, 3140, 2300, 2111),
    "MAFW": (1390, 639, 625, 1242, 1138, 1470, 1072, 236, 916, 262, 182),
    "CREMA-D": (1271, 1271, 1271, 1271, 1087, 1271),
    "RAVDESS": (96, 192, 192, 192, 192, 192, 192, 192),
    "eNTERFACE05": (215, 215, 215, 212, 215, 215),
}
PUBLISHED_ACCESS = {"open", "sign-up", "closed"}
EVERY_VARIANT = [
    (name, variant) for name, dataset in DATASETS.items() for variant in ("", *dataset.variants)
]


@pytest.fixture(scope="module")
def media(tmp_path_factory: pytest.TempPathFactory) -> Media:
    return Media(tmp_path_factory.mktemp("media"))


@pytest.fixture(scope="module")
def copy(tmp_path_factory: pytest.TempPathFactory, media: Media):
    """A function that returns a complete copy of a dataset, made at the first call."""
    folders: dict[object, Path] = {}

    def folder_of(name: str) -> Path:
        make_copy = COPIES[name]
        if make_copy not in folders:
            folders[make_copy] = tmp_path_factory.mktemp(name)
            make_copy(folders[make_copy], media)
        return folders[make_copy]

    return folder_of


@pytest.fixture(autouse=True)
def offline(monkeypatch: pytest.MonkeyPatch) -> None:
    """Make every download fail."""

    def gone(request: Request, timeout: float) -> None:
        raise HTTPError(request.full_url, 404, "offline", Message(), None)

    monkeypatch.setattr("svfap.sources.request.urlopen", gone)


def prepare(
    name: str, root: Path, output: Path, chosen: DatasetConfig | None = None
) -> tuple[Dataset, list[Clip]]:
    """Run the stage on a copy; return the dataset and the clips of the manifest."""
    chosen = (chosen or CHOSEN.get(name, DatasetConfig())).model_copy(update={"root": root})
    download.run(chosen, dataset=name, output=output / "manifest.csv", log=lambda _: None)
    return get(name, chosen), list(read_manifest(output / "manifest.csv"))


def refusal(name: str, root: Path, output: Path, **chosen: object) -> str:
    """Run the stage on a copy that it must refuse; return the error message."""
    with pytest.raises(SvfapError) as caught:
        prepare(name, root, output, DatasetConfig(**chosen))
    assert "\n" not in str(caught.value)
    assert not (output / "manifest.csv").exists()
    return str(caught.value)


def frame_count(path: Path) -> int:
    """Number of frames that `Media` puts into a folder or a video."""
    return len(list(path.iterdir())) if path.is_dir() else Media.VIDEO_FRAMES


# The two AVCAffe datasets share one copy, and preparing it takes long.
@pytest.mark.parametrize("name", [name for name in COPIES if name != "AVCAffe-valence"])
def test_a_complete_copy_is_prepared_and_no_fold_tests_what_it_trains_on(name, copy, tmp_path):
    dataset, clips = prepare(name, copy(name), tmp_path)
    parts = defaultdict(list)
    for clip in clips:
        parts[clip.part].append(clip)
    assert {*parts} == {*dataset.parts}
    sizes = {}
    for fold, split in dataset.folds.items():
        train, test, held = (
            [clip for part in side for clip in parts[part]]
            for side in (split.train, split.test, split.validation)
        )
        for one, other in ((train, test), (train, held), (held, test)):
            assert not {c.key for c in one} & {c.key for c in other}
            assert not {c.subject for c in one if c.subject} & {c.subject for c in other}
            assert not {c.path for c in one} & {c.path for c in other}
        sizes[fold] = (len(train), len(test))
    assert sizes == SIZES.get(name, sizes)
    assert sum(1 for _ in read_frames(clips[-1].path)) == frame_count(clips[-1].path)
    counts = Counter(clip.target for clip in clips)
    if name in CLASSES:
        assert tuple(counts[(float(i),)] for i in range(len(counts))) == CLASSES[name]


@pytest.fixture
def without():
    """A function that hides files until the test is over."""
    hidden: list[tuple[Path, Path]] = []

    def hide(path: Path) -> None:
        away = path.with_name(f".{path.name}")
        path.rename(away)
        hidden.append((away, path))

    yield hide
    for away, path in hidden:
        away.rename(path)


@pytest.mark.parametrize(
    "name",
    ["DFEW", "MAFW", "CREMA-D", "RAVDESS", "eNTERFACE05", "Werewolf-XL", "ChaLearn", "DAiSEE"],
)
def test_a_missing_clip_stops_unless_it_is_allowed(name, copy, without, tmp_path):
    variant = CHOSEN.get(name, DatasetConfig()).variant
    dataset = get(name, DatasetConfig(variant=variant))
    without(next(iter(dataset.clips(copy(name)))).path)
    message = refusal(name, copy(name), tmp_path / "a", variant=variant)
    if dataset.about.access == "open":
        assert "404" in message
    else:
        total = dataset.published.clips
        assert f"{name}: {total - 1:,} of {total:,} clips" in message
        assert f"datasets.{name}.allow_incomplete: true" in message
    allowed = DatasetConfig(variant=variant, allow_incomplete=True)
    prepare(name, copy(name), tmp_path / "b", allowed)
    assert "differ" in (notice := get(name, allowed).notice)
    published = get(name, allowed).published.clips
    assert not published or f"which has {published:,} clips." in notice


def test_missing_clips_are_named_and_nothing_else_is_reported(copy, without, tmp_path):
    frames = copy("DFEW") / "DFEW" / "Clip" / "clip_224x224"
    gone = sorted(frames.iterdir())[:7]
    for folder in gone:
        without(folder)
    message = refusal("DFEW", copy("DFEW"), tmp_path / "out")
    assert message.startswith("DFEW: 11,690 of 11,697 clips, missing: ")
    assert message.count(";") == 1
    assert message.split("; ")[0].endswith(" and 2 more")
    named = message.split("missing: ")[1].split(" and ")[0].split(", ")
    assert {*named} < {folder.name for folder in gone}


@pytest.mark.parametrize("name", [n for n in COPIES if DATASETS[n].about.access != "open"])
def test_a_missing_dataset_gives_one_line_that_says_what_to_do(name, tmp_path):
    message = refusal(name, tmp_path / "nothing", tmp_path / "out")
    about = DATASETS[name].about
    assert message.startswith(f"{DATASETS[name].name}: no ")
    assert about.apply in message
    assert all(f"`{place}`" in message for place in about.place)
    assert f"python -m svfap datasets {DATASETS[name].name}" in message


@pytest.mark.parametrize(("name", "variant"), EVERY_VARIANT)
def test_facts_are_complete_and_agree(name, variant):
    dataset = get(name, DatasetConfig(variant=variant))
    published = dataset.published
    assert dataset.about.licence
    assert dataset.about.people
    if dataset.about.access in PUBLISHED_ACCESS:
        assert dataset.about.citation
        assert dataset.about.apply
        assert dataset.about.place
    if dataset.task == "unlabelled":
        return
    assert {METRICS[metric].task for metric in dataset.metrics} <= {dataset.task}
    assert {*published.folds} | {*published.test_classes} <= {*dataset.folds}
    if published.classes:
        assert sum(published.classes) == published.clips
        assert len(published.classes) == len(dataset.targets)
    for train, test in published.folds.values():
        assert train + test == published.clips
    used = {p for f in dataset.folds.values() for p in (*f.train, *f.test, *f.validation)}
    assert used == ({*dataset.parts} if dataset.folds else set())


def test_strides_and_metrics_are_the_papers():
    facts = {name: (dataset.stride, dataset.metrics) for name, dataset in DATASETS.items()}
    assert facts["FERV39k"] == (1, ("UAR", "WAR"))
    assert facts["DFEW"] == facts["MAFW"] == facts["CREMA-D"] == (4, ("UAR", "WAR"))
    assert facts["Werewolf-XL"] == (3, ("PCC", "CCC"))
    assert facts["AVCAffe-arousal"] == (4, ("WF1",))
    assert facts["ChaLearn"] == (4, ("CCC", "ACC"))


def test_ravdess_without_calm(copy, tmp_path):
    chosen = DatasetConfig(variant="7-classes")
    dataset, clips = prepare("RAVDESS", copy("RAVDESS"), tmp_path, chosen)
    assert "calm" not in dataset.targets
    assert len(clips) == 1248
    assert Counter(clip.part for clip in clips) == dict.fromkeys(dataset.parts, 208)
    assert "7" in chosen.variant
    assert "paper has eight" in dataset.notice
    happy = next(clip for clip in clips if clip.key.startswith("02-01-03"))
    assert dataset.targets[int(happy.target[0])] == "happy"


def test_lab_videos_as_aligned_frames(media, tmp_path):
    for key in ("02-01-01-01-01-01-01", "02-01-01-01-01-01-02"):
        media.frames(tmp_path / "face_aligned" / key, "frame_det_00_000001.jpg")
    dataset = get("RAVDESS", DatasetConfig(variant="aligned"))
    assert dataset.is_cropped
    census = Census(dataset)
    assert sum(has_content(clip.path) for clip in census.count(list_clips(dataset, tmp_path))) == 2


@pytest.mark.parametrize(("name", "maker"), [("DFEW", dfew), ("MAFW", mafw)])
def test_raw_videos_instead_of_face_frames(name, maker, media, tmp_path):
    maker(tmp_path / "copy", media, videos=True)
    chosen = DatasetConfig(variant="videos")
    dataset, clips = prepare(name, tmp_path / "copy", tmp_path / "out", chosen)
    assert not dataset.is_cropped
    assert DATASETS[name].is_cropped
    assert clips[0].path.suffix == ".mp4"
    assert len(clips) == DATASETS[name].published.clips
    assert all(len(clip.key) == 5 for clip in clips)


def test_archives_as_a_publisher_sends_them(media, tmp_path):
    """An archive inside an encrypted one in parts; the publisher sends the password by e-mail."""
    mafw(tmp_path / "origin", media, videos=True)
    root = tmp_path / "raw"
    root.mkdir()
    inner = Path(shutil.make_archive(str(tmp_path / "clips"), "zip", tmp_path / "origin"))
    with AESZipFile(root / "MAFW.zip", "w", encryption=WZ_AES) as archive:
        archive.setpassword(b"by e-mail")
        archive.write(inner, "MAFW/clips.zip")
    content = (root / "MAFW.zip").read_bytes()
    (root / "MAFW.zip").unlink()
    for number in range(3):
        piece = content[number * len(content) // 3 : (number + 1) * len(content) // 3]
        (root / f"MAFW.zip.{number + 1:03d}").write_bytes(piece)
    message = refusal("MAFW", root, tmp_path / "out", variant="videos")
    assert message.endswith(f"is encrypted; write its password into {root / 'password.txt'}")
    (root / "password.txt").write_text("by e-mail\n")
    _, clips = prepare("MAFW", root, tmp_path / "out", DatasetConfig(variant="videos"))
    assert len(clips) == 9_172
    assert clips[0].path.read_bytes() == media.files[".mp4"].read_bytes()


def test_ferv39k_frames(media, copy):
    root = copy("FERV39k")
    for clip in list(get("FERV39k", DatasetConfig(variant="videos")).clips(root))[:3]:
        inner = clip.path.with_suffix("").relative_to(root / "0_7_LabelClips")
        media.frames(root / "2_ClipsforFaceCrop" / inner, "000.jpg", "001.jpg")
    clips = list(DATASETS["FERV39k"].clips(root))
    assert len(clips) == 38_935
    assert [has_content(clip.path) for clip in clips[:5]] == [True] * 3 + [False] * 2
    assert clips[0].key.count("-") == 2


def test_official_lists_that_leak_are_refused(copy, tmp_path):
    base = copy("MAFW") / "Train & Test Set" / "single" / "no_caption" / "set_2"
    leak = (base / "test.txt").read_text().splitlines()[0]
    before = (base / "train.txt").read_text()
    try:
        (base / "train.txt").write_text(f"{before}{leak}\n")
        message = refusal("MAFW", copy("MAFW"), tmp_path / "out")
    finally:
        (base / "train.txt").write_text(before)
    assert (
        "training list of set_2 is not all clips outside its test list (1 clips differ" in message
    )


def test_a_person_in_training_and_test_is_refused():
    dataset = DATASETS["CREMA-D"]
    clips = [Clip(f"k{i}", Path("x"), part, "1001", (0.0,)) for i, part in enumerate(dataset.parts)]
    with pytest.raises(SvfapError, match=r"subject '1001' would be both trained on and tested"):
        list(Census(dataset).count(clips))


def test_broken_clips_are_kept_and_named(copy, tmp_path, caplog):
    with caplog.at_level("WARNING"):
        _, clips = prepare("CREMA-D", copy("CREMA-D"), tmp_path)
    assert len(clips) == 7_442
    told = [text for text in caplog.messages if "broken at its publisher" in text]
    assert len(told) == 4
    assert "CREMA-D: 1076_MTI_SAD_XX is broken at its publisher: no face and no sound" in told


def test_a_wrong_label_shows_as_a_class_count(copy, tmp_path):
    base = copy("eNTERFACE05") / "enterface database" / "subject 9"
    right, wrong = base / "anger" / "sentence 1", base / "fear" / "sentence 9"
    right.rename(wrong)
    try:
        message = refusal("eNTERFACE05", copy("eNTERFACE05"), tmp_path / "out")
    finally:
        wrong.rename(right)
    assert "class anger: 214 instead of 215" in message
    assert "class fear: 216 instead of 215" in message


def test_enterface05_has_an_irregular_name_and_no_subject_6(copy, tmp_path):
    _, clips = prepare("eNTERFACE05", copy("eNTERFACE05"), tmp_path)
    (odd,) = (clip for clip in clips if clip.key == "s16_su_3")
    assert odd.path.name == "s16_su_3avi"
    assert sum(1 for _ in read_frames(odd.path)) == 10
    assert "06" not in {clip.subject for clip in clips}
    assert sum(clip.subject == "23" for clip in clips) == 27


def test_avcaffe_scores_videos_and_tests_the_official_people(copy, tmp_path):
    dataset, clips = prepare("AVCAffe-valence", copy("AVCAffe-valence"), tmp_path)
    tested = {clip.subject for clip in clips if clip.part in dataset.folds["official"].test}
    official = (1, 2, 13, 14, 43, 44, 53, 54, 57, 58, 63, 64, 67, 68, 77, 78, 99, 100, 107, 108)
    assert sorted(tested) == [f"aiim{number:03d}" for number in official]
    assert len({clip.group for clip in clips}) == 106 * 7
    first = min(clips, key=lambda clip: clip.key)
    assert (first.group, first.target) == ("aiim001_task_1", (0.0,))


def test_chalearn_keeps_the_papers_order_of_traits(copy, tmp_path):
    dataset, clips = prepare("ChaLearn", copy("ChaLearn"), tmp_path)
    traits = "openness conscientiousness extraversion agreeableness neuroticism"
    assert dataset.targets == tuple(traits.split())
    scores = read_annotations(copy("ChaLearn") / "annotation_test.pkl")
    clip = next(clip for clip in clips if clip.part == "test")
    assert clip.target == pytest.approx(
        [scores[trait][clip.path.name] for trait in dataset.targets], rel=1e-4
    )
    assert dataset.folds["official"].validation == ("validation",)


class _Evil:
    def __reduce__(self):
        return os.system, ("touch hacked",)


@pytest.mark.parametrize(
    "content",
    [pickle.dumps({"openness": _Evil()}), b"", b"cos\nsystem\n(S'x'\ntR.", b"\x80\x05N.", b"abc"],
)
def test_a_pickle_runs_nothing(content, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "annotation_test.pkl").write_bytes(content)
    with pytest.raises(SvfapError, match="not the official annotations"):
        read_annotations(tmp_path / "annotation_test.pkl")
    assert not (tmp_path / "hacked").exists()


def test_werewolf_labels_need_their_header(media, tmp_path):
    write(tmp_path / "labels.csv", ["01_02_003 0.5 0.25 1"])
    assert "its header must name clip, arousal" in refusal("Werewolf-XL", tmp_path, tmp_path / "o")
    write(tmp_path / "labels.csv", ["clip,arousal,valence,dominance", "99_02_003,0,0,0"])
    assert "not named session_person" in refusal("Werewolf-XL", tmp_path, tmp_path / "o")


def test_werewolf_columns_are_read_by_name(copy, tmp_path):
    dataset, clips = prepare("Werewolf-XL", copy("Werewolf-XL"), tmp_path)
    columns = dict(zip(dataset.targets, zip(*(c.target for c in clips), strict=True), strict=True))
    assert (min(columns["arousal"]), max(columns["arousal"])) == (-0.5, 2)
    assert (min(columns["valence"]), max(columns["valence"])) == (-0.75, 1.25)


def test_mead_uses_frontal_views_of_the_actors_in_the_copy(copy, tmp_path):
    dataset, clips = prepare("MEAD", copy("MEAD"), tmp_path)
    assert len(clips) == 6 * (7 * 3 + 1) * 2
    assert {"front"} == {clip.path.parts[-4] for clip in clips}
    homes = {clip.subject: clip.part for clip in clips}
    assert homes["M003"] == homes["W037"] == "fold1"
    assert "our choice" in dataset.notice


def test_engagenet_leaves_out_clips_of_nobody_and_tests_either_split(copy, tmp_path):
    dataset, clips = prepare("EngageNet", copy("EngageNet"), tmp_path / "a")
    assert len(clips) == 11_311 - 55
    assert len({clip.subject for clip in clips}) == 127
    chosen = DatasetConfig(variant="validation")
    validation, fewer = prepare("EngageNet", copy("EngageNet"), tmp_path / "b", chosen)
    assert len(fewer) == 7983 + 1071 - 39 - 5
    assert validation.folds["validation"].test == dataset.folds["official"].validation
    for each in (dataset, validation, get("DAiSEE")):
        assert "2024/1689" in each.notice


def test_engagenet_lists_may_be_saved_as_csv(media, tmp_path):
    name = "subject_7_as2uk9lhe2_vid_0_0.mp4"
    write(tmp_path / "train_engagement_labels.csv", ["chunk,label", f"{name},Barely-Engaged"])
    write(tmp_path / "validation_engagement_labels.csv", ["chunk,label"])
    media.put(tmp_path / "Train" / name)
    write(tmp_path / "test_engagement_labels.csv", ["label,chunk", f"engaged,{name}"])
    clips = list(get("EngageNet").clips(tmp_path))
    assert [clip.target for clip in clips] == [(1.0,), (2.0,)]
    assert clips[0].path == tmp_path / "Train" / name
    write(tmp_path / "test_engagement_labels.csv", ["label,chunk", f"bored,{name}"])
    with pytest.raises(SvfapError, match=r"with label 'bored' is not of EngageNet"):
        list(get("EngageNet").clips(tmp_path))


@pytest.mark.parametrize(
    ("content", "problem"),
    [
        (b"not a zip", "not a workbook of Excel"),
        ({"xl/other.xml": "<a/>"}, "not a workbook of Excel"),
        ({"xl/worksheets/sheet1.xml": "<a>"}, "not a workbook of Excel"),
        ({"xl/worksheets/sheet1.xml": "<!DOCTYPE a><a/>"}, "declares a document type"),
        ({"xl/worksheets/sheet1.xml": "<a/>"}, "no column 'chunk'"),
    ],
)
def test_a_damaged_workbook_gives_one_line(content, problem, tmp_path):
    path = tmp_path / "labels.xlsx"
    if isinstance(content, bytes):
        path.write_bytes(content)
    else:
        with ZipFile(path, "w") as archive:
            for name, text in content.items():
                archive.writestr(name, text)
    with pytest.raises(SvfapError, match=problem) as caught:
        list(read_table(path, ("chunk", "label")))
    assert "\n" not in str(caught.value)


def test_daisee_levels_and_people(copy, tmp_path):
    dataset, clips = prepare("DAiSEE", copy("DAiSEE"), tmp_path)
    counts = Counter(
        clip.target[0] for clip in clips if clip.part in dataset.folds["official"].train
    )
    assert [counts[level] for level in range(4)] == [34, 213, 2617, 2494]
    assert {len(clip.subject) for clip in clips} == {6}
    assert all(has_content(clip.path) for clip in clips)


def test_voxceleb2_from_a_list(media, tmp_path):
    rows = [f"dev/mp4/id{n:05d}/abc-_{n}/00001.mp4" for n in range(900)]
    write(tmp_path / "clips.txt", rows, end="\r\n")
    walked = list(DATASETS["VoxCeleb2"].clips(tmp_path))
    assert walked[0].path == tmp_path / rows[0]
    assert walked[0].key == "id00000-abc-_0-00001"
    assert len({clip.part for clip in walked}) == 64


def test_a_git_lfs_pointer_is_not_a_video(media, tmp_path):
    path = tmp_path / "1001_DFA_ANG_XX.flv"
    path.write_text("version https://git-lfs.github.com/spec/v1\noid sha256:0\nsize 265922\n")
    assert not has_content(path)
    path.write_bytes(b"")
    assert not has_content(path)
    assert not has_content(tmp_path / "none")


def test_unknown_variant():
    with pytest.raises(SvfapError, match=r"RAVDESS\.variant: unknown '6'; known: 7-classes, alig"):
        get("RAVDESS", DatasetConfig(variant="6"))


def test_names_in_any_spelling():
    assert get("crema_d") is DATASETS["CREMA-D"]
    assert get("avcaffe_arousal") is DATASETS["AVCAffe-arousal"]


def test_labels_in_latin_1_with_blank_lines_and_windows_line_ends(media, tmp_path):
    base = tmp_path / "4_setups" / "All_scenes"
    media.put(tmp_path / "0_7_LabelClips" / "Société" / "Sad" / "0001.mp4")
    for name in ("train_All.csv", "test_All.csv"):
        rows = [" ", "Soci\u00e9t\u00e9\\Sad\\0001 Sad", ""]
        write(base / name, rows, end="\r\n", encoding="latin-1")
    clips = list(get("FERV39k", DatasetConfig(variant="videos")).clips(tmp_path))
    assert [clip.target for clip in clips] == [(1.0,)] * 2
    assert has_content(clips[0].path)


def test_keys_are_plain_letters_whatever_the_name(media, tmp_path):
    for name in ("aiim001_task_1 (1).avi", "aiim001_task_1_é.avi"):
        media.put(tmp_path / "videos" / "shorter_segments" / "aiim001" / "task_1" / name)
    write(tmp_path / "ground_truths" / "arousal.txt", ["aiim001_task_1, Excited"])
    keys = [clip.key for clip in get("AVCAffe-arousal").clips(tmp_path)]
    assert keys == ["aiim001_task_1-aiim001_task_1--1-", "aiim001_task_1-aiim001_task_1_-"]
