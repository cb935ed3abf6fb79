"""A classical baseline: a linear model of the shapes in a few frames of each clip.

A clip is described by histograms of oriented gradients (HOG; Dalal and Triggs, 2005) of three
frames. Logistic regression predicts classes, and ridge regression predicts values. It needs no GPU
and no pre-training, so a deep model that scores lower has learnt little. All numbers here are
common defaults, except the places of the frames: the better of two choices on the demo's folds.
"""

from collections.abc import Iterator, Mapping
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from svfap.config.labels import LabelNames
from svfap.config.stage_sections import BaselineJob
from svfap.evaluation.predictions import Predictions
from svfap.progress import track
from svfap.shards.store import ClipStore
from svfap.training import fraction
from svfap.video.resize import resize

Features = NDArray[np.float32]

PLACES = (0.25, 0.5, 0.75)  # of the frames within a clip: many clips start and end without a smile
SIZE = 64  # side of the frames in pixels
CELL = 8  # side of the square of a histogram in pixels
BLOCK = 2  # side in cells of the square over which histograms are normalised
ORIENTATIONS = 8
STEPS = 1000  # highest number of steps of logistic regression
PENALTIES = tuple(10.0**power for power in range(-1, 5))  # of ridge regression, to choose from


def predict(job: BaselineJob, shards: Mapping[str, Path]) -> Iterator[Predictions]:
    """Yield the predictions of each fold, by a model that is trained on the fold's other parts.

    Args:
        job: the task, the folds, and the share of the training clips to use.
        shards: the `index.parquet` of each part that a fold names.

    Raises:
        SvfapError: a shard is damaged, or a fold has no clips to train on or to test.
    """
    store = ClipStore([*shards.values()])
    features, row = describe(store), {key: number for number, key in enumerate(store.keys)}
    for name, fold in job.folds.items():
        train, test = (ClipStore([shards[p] for p in parts]) for parts in (fold.train, fold.test))
        classes = train.targets[:, 0] if job.task == "classification" else None
        train = fraction.of(train, job.fraction, seed=job.seed, classes=classes)
        of_train, of_test = (features[[row[key] for key in part.keys]] for part in (train, test))
        yield Predictions(
            dataset=job.dataset,
            fold=name,
            keys=test.keys,
            groups=test.groups,
            subjects=test.subjects,
            views=np.zeros(len(test), np.int64),
            targets=test.targets,
            scores=_classify(of_train, train.targets, of_test, len(job.targets))
            if job.task == "classification"
            else _regress(of_train, train.targets, of_test),
            labels=LabelNames(dataset=job.dataset, task=job.task, names=job.targets),
        )


def describe(store: ClipStore) -> Features:
    """Return the histograms of every clip, (clips, n)."""
    from skimage.feature import hog

    options = {
        "orientations": ORIENTATIONS,
        "pixels_per_cell": (CELL, CELL),
        "cells_per_block": (BLOCK, BLOCK),
    }
    rows = []
    for clip in track(range(len(store)), total=len(store), label="describe"):
        chosen = [int(place * store.length(clip)) for place in PLACES]
        grey = (
            cv2.cvtColor(frame, cv2.COLOR_RGB2GRAY)
            for frame in resize(store.frames(clip, chosen), SIZE)
        )
        rows.append(np.concatenate([hog(image, **options) for image in grey], dtype=np.float32))
    return np.stack(rows)


def _classify(
    train: Features, targets: NDArray[np.float32], test: Features, classes: int
) -> NDArray[np.float64]:
    """Return the probability of each class for the test clips, (n, classes)."""
    from sklearn.linear_model import LogisticRegression

    labels = targets[:, 0].astype(int)
    seen = np.unique(labels)  # few training clips may not have every class
    scores = np.zeros((len(test), classes))
    if len(seen) == 1:  # scikit-learn refuses to learn a single class
        scores[:, seen] = 1
    else:
        model = LogisticRegression(max_iter=STEPS).fit(train, labels)
        scores[:, seen] = model.predict_proba(test)
    return scores


def _regress(train: Features, targets: NDArray[np.float32], test: Features) -> NDArray[np.float64]:
    """Return the values of the test clips, (n, d); training clips alone choose the penalty."""
    from sklearn.linear_model import RidgeCV

    values: NDArray[np.float64] = RidgeCV(PENALTIES).fit(train, targets).predict(test)
    return values.reshape(len(test), -1)
