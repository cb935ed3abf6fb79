"""A server that scores once and then forks its workers, as `gunicorn --preload` does."""

import os
import subprocess
import sys

from helpers.photo_videos import face_frames, save
from helpers.random_checkpoints import write_checkpoint

PROGRAM = """
import os, sys, torch, svfap
torch.set_num_threads(4)
model = svfap.load(sys.argv[1])
before = model.predict(sys.argv[2])
pid = os.fork()
if pid == 0:
    difference = model.predict(sys.argv[2])[["happy"]] - before[["happy"]]
    os._exit(0 if float(difference.abs().max().iloc[0]) < 1e-5 else 3)
sys.exit(os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]))
"""


def test_a_forked_worker_scores(tmp_path, toy_model):
    large = toy_model.model_copy(update={"image_size": 96, "dim": 192})  # enough for threads
    model = write_checkpoint(tmp_path / "m.pt", large)
    video = save(tmp_path / "face.mp4", face_frames(40))
    call = [sys.executable, "-c", PROGRAM, str(model), str(video)]
    environment = os.environ | {"OMP_NUM_THREADS": "4"}
    assert subprocess.run(call, env=environment, timeout=100, check=False).returncode == 0
