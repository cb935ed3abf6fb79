"""The classical baseline on small shards: what it learns, and what it must never see."""

import numpy as np
import pandas as pd
import pytest
from helpers.toy_shards import make_shards

from svfap.config.stage_sections import BaselineFold, BaselineJob
from svfap.errors import SvfapError
from svfap.evaluation import baseline, predictions
from svfap.shards.store import ClipStore
from svfap.shards.writer import Sample, write_shards
from svfap.stages import baseline as stage
from svfap.video.facevideo import encode_jpeg

FOLDS = {
    "1": BaselineFold(train=("b", "c"), test=("a",)),
    "2": BaselineFold(train=("a", "c"), test=("b",)),
}


def job(task="classification", targets=("level", "upright", "never"), **changes):
    return BaselineJob(dataset="toy", task=task, targets=targets, folds=FOLDS, **changes)


def stripes(folder, upright, *, seed, frames=9):
    """Write clips of noisy stripes; the share of upright stripes in a clip is its target."""
    rng = np.random.default_rng(seed)
    wave = 60 * np.sin(np.arange(48) / 2)
    folder.mkdir(parents=True)

    def samples():
        for number, share in enumerate(upright):
            picture = 128 + share * wave[None, :, None] + (1 - share) * wave[:, None, None]
            video = picture + rng.normal(0, 15, (frames, 48, 48, 3))
            jpegs = [encode_jpeg(f.clip(0, 255).astype(np.uint8), quality=95) for f in video]
            key = f"{folder.name}{number}"
            yield Sample(key, key, f"p{key}", (float(share),), 25.0), jpegs

    write_shards(folder / "index.parquet", samples(), max_bytes=10**7)
    return folder / "index.parquet"


def parts(root, upright, **changes):
    return [stripes(root / name, upright, seed=n, **changes) for n, name in enumerate("abc")]


def scored(shards, config, tmp_path):
    output = tmp_path / "out" / "predictions.parquet"
    stage.run(config, shards=shards, output=output, log=lambda _: None)
    return predictions.read([output])


def test_it_recognises_classes_of_clips_that_it_has_not_seen(tmp_path):
    frame = scored(parts(tmp_path, [0, 1] * 4), job(), tmp_path)
    assert frame.groupby("fold").size().to_dict() == {"1": 8, "2": 8}
    assert not frame["key"].duplicated().any()
    scores, targets = (np.stack(frame[name].to_list()) for name in ("score", "target"))
    assert (scores.argmax(axis=1) == targets[:, 0]).all()
    np.testing.assert_allclose(scores.sum(axis=1), 1, rtol=1e-5)
    assert (scores[:, 2] == 0).all()  # no clip has the third class


def test_it_regresses_values(tmp_path):
    shards = parts(tmp_path, np.linspace(0, 1, 12))
    frame = scored(shards, job("regression", ("share",)), tmp_path)
    scores, targets = (np.stack(frame[name].to_list())[:, 0] for name in ("score", "target"))
    assert np.corrcoef(scores, targets)[0, 1] > 0.9


def test_test_labels_change_no_score(tmp_path):
    """Only the test part of fold 1 has other labels, and no model of fold 1 may notice."""
    first = scored(parts(tmp_path / "x", [0, 1] * 4), job(), tmp_path)
    shards = parts(tmp_path / "y", [0, 1] * 4)
    store = ClipStore([shards[0]])
    samples = [
        (
            Sample(key, key, subject, (1.0,), 25.0),
            [encode_jpeg(frame, quality=95) for frame in store.frames(clip, range(9))],
        )
        for clip, (key, subject) in enumerate(zip(store.keys, store.subjects, strict=True))
    ]
    write_shards(shards[0], samples, max_bytes=10**7)
    second = scored(shards, job(), tmp_path / "second")
    both = [np.stack(f[f["fold"] == "1"]["score"].to_list()) for f in (first, second)]
    np.testing.assert_allclose(*both, atol=0.02)  # the pictures were compressed once more


def test_a_single_class_in_training_and_clips_of_one_frame(tmp_path):
    frame = scored(parts(tmp_path, [1, 1], frames=1), job(), tmp_path)
    assert np.stack(frame["score"].to_list()).tolist() == [[0, 1, 0]] * 4


def test_a_share_of_the_labels_is_that_of_fine_tuning(tmp_path, monkeypatch):
    shards = parts(tmp_path, [0, 1] * 4)
    seen = []
    classify = baseline._classify
    monkeypatch.setattr(baseline, "_classify", lambda *a: (seen.append(len(a[1])), classify(*a))[1])
    scored(shards, job(fraction=0.25, seed=3), tmp_path)
    assert seen == [4, 4]  # of 16 training clips


def test_the_same_input_gives_the_same_predictions(tmp_path):
    shards = parts(tmp_path, [0, 1, 1])
    first, second = (scored(shards, job(), tmp_path / name) for name in "mn")
    pd.testing.assert_frame_equal(first, second)


def test_a_part_that_is_not_given_is_named(tmp_path):
    shards = [make_shards(tmp_path / name, [0, 1]) for name in "ab"]
    with pytest.raises(SvfapError, match="fold 1 needs part c"):
        scored(shards, job(), tmp_path)
