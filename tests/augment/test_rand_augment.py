"""RandAugment on the device gives what timm's gives with Pillow, for the same draws."""

import random

import numpy as np
import pytest
import torch
from PIL import Image
from timm.data import auto_augment

from svfap.augment.crop_box import rand_augment
from svfap.augment.rand_augment import OPERATIONS, edit, edited
from svfap.errors import SvfapError
from svfap.training import tensor_file
from svfap.training.batch import Batch

RECIPE = "rand-m7-n4-mstd0.5-inc1"
PILLOW = {"interpolation": Image.Resampling.BILINEAR}
ROUNDED_TWICE = 2  # a product of what differs by one


@pytest.fixture(scope="module")
def clip():
    """Two frames of a photograph, (2, 60, 80, 3), taller than wide parts of it left out."""
    from skimage.data import astronaut

    photograph = Image.fromarray(astronaut()[:240, 100:420]).resize((80, 60))
    frame = np.asarray(photograph)
    return np.stack([frame, frame[::-1]])


def ours(clip, drawn):
    planes = torch.from_numpy(clip.copy()).permute(0, 3, 1, 2)
    return edit(planes, drawn).permute(0, 2, 3, 1).numpy()


def pillow(clip, function):
    return np.stack([np.asarray(function(Image.fromarray(frame))) for frame in clip])


@pytest.mark.parametrize("strength", [1, 4, 7, 10])
@pytest.mark.parametrize("name", sorted({*OPERATIONS} - {"GaussianBlur"}))
def test_every_operation_is_pillows(clip, name, strength):
    operation = auto_augment.AugmentOp(name, prob=1, magnitude=strength, hparams=PILLOW)
    function, operation.aug_fn = operation.aug_fn, lambda _, *arguments, **__: arguments
    arguments = operation(None)
    if "Posterize" in name and not arguments[0]:
        expected = np.zeros_like(clip)  # Pillow refuses to keep no bit
    else:
        expected = pillow(clip, lambda image: function(image, *arguments, **operation.kwargs))
    assert np.abs(ours(clip, ((name, arguments),)).astype(int) - expected).max() <= 1


def test_blur_is_nearly_pillows_which_is_made_of_boxes(clip):
    expected = pillow(clip, lambda image: auto_augment.gaussian_blur(image, 1.5))
    assert np.abs(ours(clip, (("GaussianBlur", (1.5,)),)).astype(int) - expected).mean() < 1


def test_draws_and_results_are_timms(clip):
    """The whole recipe by the same random numbers: equal draws, hence equal in distribution."""
    policy = auto_augment.rand_augment_transform(RECIPE, dict(PILLOW))
    draw, names = rand_augment(RECIPE), set()
    for number in range(120):
        drawn = draw(np.random.default_rng(number))
        names |= {name for name, _ in drawn}
        seed = int(np.random.default_rng(number).integers(2**32))

        def reference(image, seed=seed):
            random.seed(seed)
            np.random.seed(seed)
            return policy(image)

        difference = np.abs(ours(clip, drawn).astype(int) - pillow(clip, reference))
        # a threshold or a histogram after a rounding moves single pixels far
        assert (difference <= ROUNDED_TWICE).mean() > 0.8, drawn
        assert np.median(difference) <= 1
    assert names == {*auto_augment._RAND_INCREASING_TRANSFORMS}


def test_every_window_has_edits_of_its_own_within_its_clip(clip):
    """A clip that fills its place in part is edited as if it were alone."""
    video = torch.zeros(2, 2, 70, 90, 3, dtype=torch.uint8)
    video[1, :, :60, :80] = torch.from_numpy(clip)
    windows = torch.tensor([(1, 60, 80, 5, 6, 20, 30, 1), (1, 60, 80, 0, 0, 60, 80, 0)])
    both = ((), (("Equalize", ()), ("Rotate", (20.0,))))
    made, of = edited(video, windows, both)
    assert of.tolist() == [[0, 60, 80, 5, 6, 20, 30, 1], [1, 60, 80, 0, 0, 60, 80, 0]]
    assert np.array_equal(made[0, :, :60, :80], clip)
    assert np.array_equal(made[1, :, :60, :80], ours(clip, both[1]))
    assert not made[:, :, 60:].any()
    assert not made[:, :, :, 80:].any()


def test_a_batch_with_edits_can_be_kept_and_read_back(clip, tmp_path):
    """As the guard does with batches whose loss is not finite."""
    windows = torch.tensor([(0, 60, 80, 5, 6, 20, 30, 1)])
    drawn = [rand_augment(RECIPE)(np.random.default_rng(3))]
    video = torch.from_numpy(clip.copy())[None]
    batch = Batch(video, torch.zeros(1, 1), windows=windows, size=16, edits=drawn)
    tensor_file.write(tmp_path / "kept.pt", {"batch": vars(batch)})
    again = Batch(**tensor_file.read(tmp_path / "kept.pt")["batch"])
    one, other = (each.to(torch.device("cpu")) for each in (batch, again))
    assert one.video.shape == (1, 2, 16, 16, 3)
    assert torch.equal(one.video, other.video)
    assert drawn[0]


@pytest.mark.parametrize("notation", ["autoaugment", "rand-x9", "m7"])
def test_a_notation_that_is_none_is_told(notation):
    with pytest.raises(SvfapError, match=f"finetune.rand_augment: '{notation}' is no RandAugment"):
        rand_augment(notation)
