"""Random erasing draws its boxes as timm does, and its noise belongs to one crop."""

import numpy as np
import pytest
import torch
from timm.data.random_erasing import RandomErasing

from svfap.augment.erase import Erasure, draw_erasure, erase

SIZE = (40, 32)


def test_boxes_are_distributed_as_timms():
    rng, timms = np.random.default_rng(0), RandomErasing(0.25, mode="const", device="cpu")
    ours, theirs = [], []
    for _ in range(3000):
        box = draw_erasure(0.25, SIZE, rng)
        if box is not None:
            assert 0 <= box.top <= SIZE[0] - box.height
            assert 0 <= box.left <= SIZE[1] - box.width
            ours.append((box.height, box.width, box.top, box.left))
        picture = torch.ones(1, *SIZE)
        timms(picture)
        rows, columns = (picture[0] == 0).nonzero(as_tuple=True)
        if len(rows):
            top, left = rows.min().item(), columns.min().item()
            theirs.append((rows.max().item() + 1 - top, columns.max().item() + 1 - left, top, left))
    assert len(ours) == pytest.approx(len(theirs), rel=0.15)
    for function in (np.mean, np.std):
        assert function(ours, axis=0) == pytest.approx(function(theirs, axis=0), rel=0.15)


def test_noise_fills_the_box_alone_and_depends_on_its_seed_alone():
    clip, box = torch.zeros(6, 20, 20), Erasure(3, 5, 8, 9, seed=7)
    erase(clip, box)
    inside = clip[:, 3:11, 5:14]
    assert (inside != 0).all()
    assert inside.std() == pytest.approx(1, abs=0.15)
    assert clip.count_nonzero() == inside.numel()
    again = torch.zeros(6, 20, 20)
    torch.rand(1)
    erase(again, box)
    assert torch.equal(clip, again)
    erase(again, box._replace(seed=8))
    assert not torch.equal(clip, again)
