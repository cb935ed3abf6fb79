"""Locks end with their process, with and without `flock(2)`."""

import os
import signal
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from mlflow import MlflowClient

from svfap.tracking import locks

# Python runs a module of this name when it starts: flock fails as on Lustre or NFS without locks.
NO_FLOCK = """
import errno, fcntl
def flock(file, operation):
    raise OSError(errno.{error}, "flock is not supported here")
fcntl.flock = flock
"""
COUNT = """
import sys
from pathlib import Path
from svfap.tracking import locks
counter = Path(sys.argv[1])
for _ in range(100):
    with locks.locked(counter.with_name("c.lock")):
        counter.write_text(str(int(counter.read_text()) + 1))
"""
HOLD = """
import sys, time
from pathlib import Path
from svfap.tracking import locks
with locks.locked(Path(sys.argv[1])):
    print("locked", flush=True)
    time.sleep(600)
"""
STAGE = """
import sys
from pathlib import Path
from svfap.tracking.stage_run import track_stage
with track_stage("finetune", params={"fold": 1}, inputs={}, output=Path(sys.argv[1])) as log:
    for step in range(300):
        log({"loss": 1 / (step + 1)}, step)
"""


@pytest.fixture(params=["", "ENOLCK", "ENOSYS"])
def environment(request, tmp_path, monkeypatch) -> dict[str, str]:
    """The environment of processes whose flock works, or fails with an error."""
    folder = tmp_path / "site"
    folder.mkdir()
    if request.param:
        text = NO_FLOCK.format(error=request.param)
        (folder / "sitecustomize.py").write_text(text)
        monkeypatch.setattr(locks.fcntl, "flock", locks.fcntl.flock)  # restored at the end
        exec(text, {})  # in this process too
    path = os.pathsep.join([str(folder), str(Path(__file__).parents[2])])
    return os.environ | {"PYTHONPATH": path}


def test_processes_wait_for_each_other(tmp_path, environment):
    counter = tmp_path / "counter"
    counter.write_text("0")
    command = [sys.executable, "-c", COUNT, str(counter)]
    processes = [subprocess.Popen(command, env=environment) for _ in range(4)]
    assert [process.wait(120) for process in processes] == [0] * 4
    assert counter.read_text() == "400"
    assert not [*tmp_path.glob("*.owner*")]


def test_a_killed_process_loses_its_lock(tmp_path, environment):
    path = tmp_path / "x.lock"
    command = [sys.executable, "-c", HOLD, str(path)]
    with subprocess.Popen(command, env=environment, stdout=subprocess.PIPE) as holder:
        holder.stdout.readline()
        with path.open() as file:
            assert not locks.try_lock(file)
        holder.send_signal(signal.SIGKILL)
        # The process is not waited for yet: it is a zombie, and holds nothing.
        os.waitid(os.P_PID, holder.pid, os.WEXITED | os.WNOWAIT)
        with path.open() as file:
            assert locks.try_lock(file)
            locks.release(path)
    assert not [*tmp_path.glob("*.owner*")]


@pytest.mark.parametrize("environment", ["ENOLCK"], indirect=True)
@pytest.mark.parametrize("owner", ["elsewhere 1 5", "torn", ""])
def test_an_owner_that_cannot_live_loses_its_lock(tmp_path, owner, environment):
    path, file = tmp_path / "x.lock", tmp_path / "x.owner"
    file.write_text(owner)
    if owner.startswith("elsewhere"):
        with path.open("w") as lock:
            assert not locks.try_lock(lock)
        os.utime(file, (0, 0))
    with path.open("w") as lock:
        assert locks.try_lock(lock)
    assert file.read_text().split()[1] == str(os.getpid())


@pytest.mark.slow
@pytest.mark.parametrize("environment", ["ENOSYS"], indirect=True)
def test_runs_are_tracked_without_flock(tmp_path, environment):
    """Two stages at once, a real writer, and MLflow's own lock."""
    uri, place = f"sqlite:///{tmp_path}/mlflow.db", tmp_path / "temporary"
    place.mkdir()
    environment |= {"MLFLOW_TRACKING_URI": uri, "TMPDIR": str(place)}

    def stage(number):
        command = [sys.executable, "-c", STAGE, str(tmp_path / str(number) / "x")]
        return subprocess.run(command, env=environment, capture_output=True, text=True, check=True)

    with ThreadPoolExecutor(2) as pool:
        assert [done.stderr for done in pool.map(stage, range(2))] == ["", ""]
    client = MlflowClient(tracking_uri=uri)
    runs = client.search_runs([e.experiment_id for e in client.search_experiments()])
    assert {run.info.run_name: run.info.status for run in runs} == {
        str(tmp_path / str(n) / "x"): "FINISHED" for n in range(2)
    }
    for run in runs:
        assert len(client.get_metric_history(run.info.run_id, "loss")) == 300
