"""RandAugment on the device gives the same results as timm with Pillow, for the same draws."""

import random

import numpy as np
import pytest
import torch
from PIL import Image
from timm.data import auto_augment

from svfap.augment.crop_box import CropBoxes, PlacedBox
from svfap.augment.rand_augment import OPERATIONS, edit, edit_clips, rand_augment_policy
from svfap.errors import SvfapError
from svfap.training import tensor_file
from svfap.training.batch import Batch

RECIPE = "rand-m7-n4-mstd0.5-inc1"
PILLOW = {"interpolation": Image.Resampling.BILINEAR}
ROUNDED_TWICE = 2  # each of two operations may round differently by 1


@pytest.fixture(scope="module")
def clip():
    """Two frames of a photograph, (2, 60, 80, 3); the second is upside down."""
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
def test_every_operation_equals_pillows(clip, name, strength):
    operation = auto_augment.AugmentOp(name, prob=1, magnitude=strength, hparams=PILLOW)
    function, operation.aug_fn = operation.aug_fn, lambda _, *arguments, **__: arguments
    arguments = operation(None)
    if "Posterize" in name and not arguments[0]:
        expected = np.zeros_like(clip)  # Pillow refuses to keep no bit
    else:
        expected = pillow(clip, lambda image: function(image, *arguments, **operation.kwargs))
    assert np.abs(ours(clip, ((name, arguments),)).astype(int) - expected).max() <= 1


def test_blur_is_close_to_pillows(clip):
    """Pillow approximates the Gaussian by box filters."""
    expected = pillow(clip, lambda image: auto_augment.gaussian_blur(image, 1.5))
    assert np.abs(ours(clip, (("GaussianBlur", (1.5,)),)).astype(int) - expected).mean() < 1


def test_draws_and_results_equal_timms(clip):
    """With the same random numbers the whole recipe gives the same edits."""
    policy = auto_augment.rand_augment_transform(RECIPE, dict(PILLOW))
    draw, names = rand_augment_policy(RECIPE), set()
    for number in range(120):
        drawn = draw(np.random.default_rng(number))
        names |= {name for name, _ in drawn}
        seed = int(np.random.default_rng(number).integers(2**32))

        def reference(image, seed=seed):
            random.seed(seed)
            np.random.seed(seed)
            return policy(image)

        difference = np.abs(ours(clip, drawn).astype(int) - pillow(clip, reference))
        # After a rounding, a threshold or a histogram may change single pixels a lot.
        assert (difference <= ROUNDED_TWICE).mean() > 0.8, drawn
        assert np.median(difference) <= 1
    assert names == {*auto_augment._RAND_INCREASING_TRANSFORMS}


def test_every_box_has_its_own_edits_within_its_clip(clip):
    """A padded clip is edited as if it had no padding."""
    video = torch.zeros(2, 2, 70, 90, 3, dtype=torch.uint8)
    video[1, :, :60, :80] = torch.from_numpy(clip)
    first = PlacedBox(1, 60, 80, 5, 6, 20, 30, True)
    second = PlacedBox(1, 60, 80, 0, 0, 60, 80, False)
    both = ((), (("Equalize", ()), ("Rotate", (20.0,))))
    copies, boxes = edit_clips(video, CropBoxes.of([first, second]), both)
    assert [*boxes] == [first._replace(clip=0), second._replace(clip=1)]
    assert np.array_equal(copies[0, :, :60, :80], clip)
    assert np.array_equal(copies[1, :, :60, :80], ours(clip, both[1]))
    assert not copies[:, :, 60:].any()
    assert not copies[:, :, :, 80:].any()


def test_a_batch_with_edits_can_be_saved_and_read_back(clip, tmp_path):
    """The guard saves batches with a non-finite loss."""
    boxes = CropBoxes.of([PlacedBox(0, 60, 80, 5, 6, 20, 30, True)])
    drawn = [rand_augment_policy(RECIPE)(np.random.default_rng(3))]
    video = torch.from_numpy(clip.copy())[None]
    batch = Batch(video, torch.zeros(1, 1), boxes=boxes, size=16, edits=drawn)
    tensor_file.write(tmp_path / "saved.pt", {"batch": batch.to_dict()})
    content = tensor_file.read(tmp_path / "saved.pt")["batch"]
    keys = ["video", "target", "first", "share", "windows", "size", "edits", "step"]
    assert [*content] == keys
    del content["step"]  # files of version 0.1.0 lack it
    again = Batch.from_dict(content)
    one, other = (each.prepared(torch.device("cpu")) for each in (batch, again))
    assert one.video.shape == (1, 2, 16, 16, 3)
    assert torch.equal(one.video, other.video)
    assert drawn[0]


@pytest.mark.parametrize("notation", ["autoaugment", "rand-x9", "m7"])
def test_an_invalid_notation_is_an_error(notation):
    message = f"finetune.rand_augment: timm does not understand '{notation}'; write it like rand-m7"
    with pytest.raises(SvfapError, match=message):
        rand_augment_policy(notation)
