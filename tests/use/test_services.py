"""A loaded model in other people's programs: threads, pickles, precision contexts, lists."""

import copy
import pickle
from concurrent.futures import ThreadPoolExecutor

import joblib
import pandas as pd
import pytest
import torch
from helpers.photo_videos import face_frames, save
from helpers.random_checkpoints import write_checkpoint

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
