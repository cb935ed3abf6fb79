"""A loaded model in other people's programs: threads, processes, pickles, contexts, lists."""

import asyncio
import copy
import pickle
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor

import joblib
import numpy as np
import pandas as pd
import pytest
import torch
from helpers.photo_videos import face_frames, save
from helpers.random_checkpoints import write_checkpoint
from sklearn.base import BaseEstimator, TransformerMixin, clone
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline

import svfap
from svfap.errors import SvfapError


@pytest.fixture(scope="module")
def faces(tmp_path_factory):
    folder = tmp_path_factory.mktemp("faces")
    return [save(folder / f"{n}.mp4", face_frames(30 + n)) for n in range(4)]


@pytest.fixture
def model(tmp_path, toy_model):
    return svfap.load(write_checkpoint(tmp_path / "model.pt", toy_model))


def test_threads_share_a_model(model, faces):
    expected = [model.predict(face) for face in faces]
    with ThreadPoolExecutor(8) as pool:
        for found, table in zip(pool.map(model.predict, faces * 4), expected * 4, strict=True):
            pd.testing.assert_frame_equal(found, table)


def test_an_asyncio_service_answers_several_requests_at_once(model, faces):
    expected = [model.predict(face) for face in faces]

    async def serve():
        requests = [asyncio.to_thread(model.predict, face) for face in faces * 3]
        embeddings = asyncio.to_thread(model.features, faces[0])
        return await asyncio.gather(*requests, embeddings)

    *tables, embeddings = asyncio.run(serve())
    for found, table in zip(tables, expected * 3, strict=True):
        pd.testing.assert_frame_equal(found, table)
    np.testing.assert_array_equal(embeddings, model.features(faces[0]))


PROGRAM = """
import multiprocessing, sys
import pandas as pd
import svfap

if __name__ == "__main__":
    _, method, checkpoint, *videos = sys.argv
    model = svfap.load(checkpoint)
    expected = [model.predict(video) for video in videos]
    with multiprocessing.get_context(method).Pool(2) as pool:
        for found, table in zip(pool.map(model.predict, videos), expected, strict=True):
            pd.testing.assert_frame_equal(found, table)
    print("equal")
"""


@pytest.mark.parametrize("method", ["fork", pytest.param("spawn", marks=pytest.mark.slow)])
def test_processes_use_a_loaded_model(tmp_path, toy_model, faces, method):
    program = tmp_path / "program.py"
    program.write_text(PROGRAM)
    checkpoint = write_checkpoint(tmp_path / "model.pt", toy_model)
    call = [sys.executable, program, method, checkpoint, *faces[:2]]
    done = subprocess.run(
        [*map(str, call)], capture_output=True, text=True, timeout=200, check=False
    )
    assert done.stdout.split() == ["equal"], done.stderr


class MeanFeatures(TransformerMixin, BaseEstimator):
    """Turns paths of videos into the mean embedding of each."""

    def __init__(self, model):
        self.model = model

    def fit(self, paths, labels=None):
        return self

    def transform(self, paths):
        table = self.model.features([*paths], as_frame=True)
        wide = table.filter(like="feature").groupby(table["video"], sort=False).mean()
        return wide.to_numpy()


def test_a_saved_pipeline_of_scikit_learn_predicts_equally(tmp_path, model, faces):
    pipeline = make_pipeline(MeanFeatures(model), LogisticRegression())
    pipeline = clone(pipeline).fit(faces, [0, 1, 0, 1])
    expected = pipeline.predict_proba(faces)
    joblib.dump(pipeline, tmp_path / "pipeline.joblib")
    again = joblib.load(tmp_path / "pipeline.joblib")
    np.testing.assert_array_equal(again.predict_proba(faces), expected)


def test_features_say_which_video_and_time_each_row_is(model, faces):
    table = model.features(faces[:2], as_frame=True)
    places = ["video", "face", "start", "end", "start_frame", "end_frame"]
    assert [*table] == [*places, *(f"feature{number}" for number in range(1, 25))]
    pd.testing.assert_frame_equal(table[places], model.predict(faces[:2])[places])
    np.testing.assert_array_equal(table.filter(like="feature"), model.features(faces[:2]))


def saved_by_joblib(model, folder):
    joblib.dump(model, folder / "model.joblib")
    return joblib.load(folder / "model.joblib")


@pytest.mark.parametrize(
    "duplicate",
    [
        lambda model, _: pickle.loads(pickle.dumps(model)),
        lambda model, _: copy.deepcopy(model),
        saved_by_joblib,
    ],
)
def test_a_copied_model_gives_equal_scores(model, faces, tmp_path, duplicate):
    again = duplicate(model, tmp_path)
    pd.testing.assert_frame_equal(again.predict(faces[0]), model.predict(faces[0]))


@pytest.mark.parametrize(
    "context",
    [
        torch.inference_mode,
        lambda: torch.autocast("cpu", torch.bfloat16),
        lambda: torch.set_grad_enabled(True),
    ],
)
def test_the_callers_context_changes_no_score(model, faces, context):
    expected = model.predict(faces[0])
    with context():
        pd.testing.assert_frame_equal(model.predict(faces[0]), expected)
        assert model.features(faces[0]).dtype == "float32"


@pytest.mark.parametrize("other", [torch.float64, torch.bfloat16])
def test_the_callers_default_type_changes_no_score(model, faces, tmp_path, other):
    expected = model.predict(faces[0])
    torch.set_default_dtype(other)
    try:
        for each in (model, svfap.load(tmp_path / "model.pt")):
            pd.testing.assert_frame_equal(each.predict(faces[0]), expected)
    finally:
        torch.set_default_dtype(torch.float32)


def test_the_callers_default_device_changes_no_score(model, faces, tmp_path):
    with torch.device("meta"):
        found = svfap.load(tmp_path / "model.pt").predict(faces[0])
    pd.testing.assert_frame_equal(found, model.predict(faces[0]))


def test_a_list_of_paths(model, faces):
    expected = pd.concat([model.predict(face) for face in faces], ignore_index=True)
    pd.testing.assert_frame_equal(model.predict(faces), expected)
    twice = model.predict([faces[0], str(faces[0])])
    assert [*twice["video"].unique()] == ["0.mp4", "0.mp4 (2)"]
    assert len(model.features(faces)) == len(expected)
    with pytest.raises(SvfapError, match="name at least one video"):
        model.predict([])


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"sped": 2}, "no option 'sped'; the options are hop, speaker"),
        ({"speaker": "both"}, "speaker is 'both'; choose one of main, all"),
        ({"preset": "tight"}, "preset is 'tight'; choose one of None, auto"),
        ({"pad": "no"}, "pad is 'no'; choose one of False, True"),
        ({"hop": float("inf")}, "hop is inf; take a number above 0"),
        ({"hop": "0.5"}, "hop is '0.5'; take a number above 0"),
        ({"batch_size": 2.5}, "batch size is 2.5; take a whole number"),
        ({"batch_size": True}, "batch size is True; take a number above 0"),
        ({"stream": 1.5}, "stream is 1.5; count streams from 0"),
    ],
)
def test_wrong_options_are_named(options, message):
    with pytest.raises(SvfapError, match=f"^{message}"):
        svfap.load("nowhere", **options)
