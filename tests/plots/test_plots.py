"""Figures: size, content, notices, and curves as training writes them."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from matplotlib.figure import Figure
from matplotlib.text import Annotation
from PIL import Image

from svfap.errors import SvfapError
from svfap.plots import classes, clip_figures, curves
from svfap.plots.style import DPI

CLASSES = ("happy", "sad", "neutral")
MATRIX = np.array([[8, 2, 0], [0, 1000, 0], [0, 0, 0]])
NOTICE = "Synthetic: drawn faces, which say nothing of how well the method works on people."


def curve(rows: int = 300) -> pd.DataFrame:
    """A falling loss with noise."""
    step = np.arange(1, rows + 1)
    noise = np.random.default_rng(0).normal(scale=0.05, size=rows)
    loss = 1 / np.sqrt(step) + noise
    return pd.DataFrame({"step": step, "epoch": step / 30, "loss": loss, "lr": 1e-3 / step})


def pixels(path: Path) -> np.ndarray:
    """The picture, (height, width, 3), 0..255."""
    with Image.open(path) as image:
        return np.asarray(image.convert("RGB"))


def assert_nothing_is_cut_off(path: Path) -> None:
    """The outermost pixels of the picture are blank."""
    picture = pixels(path)
    edges = (picture[:2], picture[-2:], picture[:, :2], picture[:, -2:])
    assert all((edge == 255).all() for edge in edges)


@pytest.mark.parametrize("count", [2, 3, 11])
def test_confusion_has_the_stated_size_and_is_whole(tmp_path: Path, count: int) -> None:
    path = tmp_path / "new" / "confusion.png"
    names = [f"a longish class {number}" for number in range(count)]
    classes.draw_confusion(
        np.eye(count, dtype=int) * 1234, names, title="T", path=path, notice=NOTICE
    )
    width, height = classes.confusion_size(count)
    assert pixels(path).shape == (round(height * DPI), round(width * DPI), 3)
    assert_nothing_is_cut_off(path)


def test_confusion_shows_per_cent_of_rows_and_clips(tmp_path: Path, drawn: list[Figure]) -> None:
    classes.draw_confusion(MATRIX, CLASSES, title="T", path=tmp_path / "c.png", notice=NOTICE)
    (figure,) = drawn
    axes = figure.axes[0]
    notes = [text for text in axes.texts if isinstance(text, Annotation)]
    cells = {(*note.xy, note.get_text()) for note in notes}
    assert cells == {
        (0, 0, "80.0"),
        (0, 0, "8"),
        (1, 0, "20.0"),
        (1, 0, "2"),
        (1, 1, "100"),
        (1, 1, "1,000"),
    }
    labels = [label.get_text() for label in axes.get_yticklabels()]
    assert labels == ["happy\n10", "sad\n1,000", "neutral\n0"]
    assert figure.get_suptitle() == "T"
    assert " ".join(figure.get_supxlabel().split()) == NOTICE


def test_confusion_texts_do_not_overlap(tmp_path: Path, drawn: list[Figure]) -> None:
    matrix = np.full((11, 11), 123_456)
    classes.draw_confusion(matrix, ["disappointment"] * 11, title="T", path=tmp_path / "c.png")
    boxes = [text.get_window_extent() for text in drawn[0].axes[0].texts]
    assert len(boxes) == 2 * 121
    assert not any(boxes[i].overlaps(boxes[j]) for i in range(len(boxes)) for j in range(i))


def test_curves_have_the_stated_size_and_are_whole(tmp_path: Path) -> None:
    path = tmp_path / "curves.png"
    curves.draw_curves({"fold 1": curve(), "fold 2": curve(9)}, title="T", path=path, notice=NOTICE)
    width, height = curves.CURVE_SIZE
    assert pixels(path).shape == (round(height * DPI), round(width * DPI), 3)
    assert_nothing_is_cut_off(path)


def test_curves_overlay_folds_and_show_the_learning_rate(
    tmp_path: Path, drawn: list[Figure]
) -> None:
    frames = {f"fold {number}": curve() for number in range(10)}
    curves.draw_curves(frames, title="T", path=tmp_path / "c.png", notice=NOTICE)
    upper, lower = drawn[0].axes
    named = [line for line in upper.lines if not str(line.get_label()).startswith("_")]
    assert [line.get_label() for line in named] == [*frames]
    assert len({(line.get_color(), line.get_linestyle()) for line in named}) == 10
    np.testing.assert_allclose(np.asarray(lower.lines[0].get_ydata()), curve()["lr"])
    assert lower.get_xlabel() == "epoch"
    assert " ".join(drawn[0].get_supxlabel().split()) == NOTICE


def test_one_curve_needs_no_legend_and_whole_epochs_fall_back_to_steps(
    tmp_path: Path, drawn: list[Figure]
) -> None:
    frame = curve().assign(epoch=lambda f: f["epoch"].astype(int))
    curves.draw_curves({"only": frame}, title="T", path=tmp_path / "c.png")
    upper, lower = drawn[0].axes
    assert upper.get_legend() is None
    assert lower.get_xlabel() == "step"
    assert drawn[0].get_supxlabel() == ""


def test_a_curve_of_one_point_is_visible(tmp_path: Path) -> None:
    path = tmp_path / "c.png"
    curves.draw_curves({"only": curve(1)}, title="T", path=path)
    blue = np.array([0x00, 0x72, 0xB2])
    assert (np.abs(pixels(path).astype(int) - blue).sum(axis=2) < 30).sum() > 20


def test_figures_are_the_same_byte_by_byte(tmp_path: Path) -> None:
    paths = [tmp_path / "1.png", tmp_path / "2.png"]
    for path in paths:
        classes.draw_confusion(MATRIX, CLASSES, title="T", path=path)
    assert paths[0].read_bytes() == paths[1].read_bytes()


def test_smoothing_keeps_short_curves_and_the_level_of_long_ones() -> None:
    short, long = curve(99)["loss"], curve(1000)["loss"]
    pd.testing.assert_series_equal(curves.smooth(short), short)
    assert curves.smooth(long).std() < long.std()
    assert curves.smooth(pd.Series(np.ones(500))).eq(1).all()


def test_read_curve_keeps_the_later_of_two_equal_steps(tmp_path: Path) -> None:
    path = tmp_path / "curve.csv"
    path.write_text("step,epoch,loss,lr,more\n1,0.1,3,1,x\n3,0.3,9,1,x\n2,0.2,2,1,x\n3,0.3,1,1,x\n")
    frame = curves.read_curve(path)
    assert frame["step"].tolist() == [1, 2, 3]
    assert frame["loss"].tolist() == [3, 2, 1]
    assert "more" in frame


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "not a training curve"),
        (b"step,loss\n1,2\n", "no column epoch, lr"),
        (b"step,epoch,loss,lr\n", "no rows"),
        (b"\xff\xfe\x00\x01" * 20, "not a training curve"),
        (b"step,epoch,loss,lr\n1,1,oops,1\n", "loss is not a number"),
    ],
)
def test_a_bad_curve_is_named(tmp_path: Path, content: bytes, message: str) -> None:
    path = tmp_path / "curve.csv"
    path.write_bytes(content)
    with pytest.raises(SvfapError, match=rf"curve\.csv: .*{message}") as caught:
        curves.read_curve(path)
    assert "\n" not in str(caught.value)


def test_a_missing_curve_is_named(tmp_path: Path) -> None:
    with pytest.raises(SvfapError, match=r"curve\.csv: no such curve"):
        curves.read_curve(tmp_path / "curve.csv")


def test_filmstrips_show_every_row_with_its_label_and_the_notice(
    tmp_path: Path, drawn: list[Figure]
) -> None:
    red, blue = np.zeros((2, 16, 64, 3)), np.zeros((2, 16, 64, 3))
    red[..., 0] = blue[..., 2] = 1
    path = tmp_path / "strips.png"
    clip_figures.draw_filmstrips(
        {"input": red, "output": blue}, title="Seen", path=path, notice=NOTICE
    )
    picture = pixels(path)
    above, below = (np.argwhere((picture == c).all(-1)) for c in ((255, 0, 0), (0, 0, 255)))
    assert above[:, 0].max() < below[:, 0].min()
    assert len(above) == pytest.approx(len(below), rel=0.05)
    labels = [label.get_text() for label in drawn[0].axes[0].get_yticklabels()]
    assert labels == ["input", "output"]
    assert any("Synthetic" in text.get_text() for text in drawn[0].texts)
