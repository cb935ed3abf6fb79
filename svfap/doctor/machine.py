"""What a run needs of the machine: torch, GPU, disk, decoder, tracking server, scheduler."""

import functools
import json
import shutil
import subprocess
import sys
import tempfile
import time
import urllib.request
from http.client import HTTPException
from pathlib import Path
from typing import Any

import numpy as np

from svfap.doctor.finding import FIX, OK, WARN, Finding
from svfap.errors import SvfapError
from svfap.experiment import resolve
from svfap.tracking import stage_run
from svfap.tracking.record import RECORD

PATIENCE = 120.0  # seconds
SERVER_PATIENCE = 5.0
LEAST_BYTES = 1e9
# Live state of SVFAP-B's pre-training: weights and two moments of 86 M parameters, saved twice.
SPARE_BYTES = 10e9
CLOCK_SECONDS = 5.0
CLIP_FRAMES = 8


@functools.cache
def _torch() -> dict[str, Any]:
    """What a process of its own finds.

    Raises:
        SvfapError: torch does not start, or a GPU does not compute.
    """
    code, out, error = _asked([sys.executable, "-m", "svfap.doctor.gpu"], PATIENCE)
    if code:
        last = (error.strip().splitlines() or [f"exit status {code}"])[-1]
        raise SvfapError(f"{last}; install the locked packages anew: make setup")
    return dict(json.loads(out))


def torch() -> Finding:
    """Whether torch starts."""
    found = _torch()
    return Finding(OK, f"{found['torch']}, built for {found['built_for']}")


def gpu() -> Finding:
    """Whether there is a GPU, its driver, and whether torch computes on it."""
    query = ["nvidia-smi", "--query-gpu=driver_version,name", "--format=csv,noheader"]
    code, out, _ = _asked(query, SERVER_PATIENCE)
    seen = out.strip().splitlines() if code == 0 else []
    driver = f"driver {seen[0].split(',')[0]}" if seen else "driver unknown"
    try:
        gpus = _torch()["gpus"]
    except SvfapError:
        return Finding(FIX, f"{driver}; torch does not start, see above")
    if gpus:
        return Finding(OK, f"{', '.join(gpus)}; {driver}; each has multiplied matrices in bf16")
    if seen:
        return Finding(
            FIX,
            f"{len(seen)} with {driver}, but torch built for {_torch()['built_for']} cannot use"
            " any; update the driver, or look at CUDA_VISIBLE_DEVICES",
        )
    return Finding(WARN, "none found; a CPU is enough for the demo, not for the paper's models")


def disk(folder: Path) -> Finding:
    """Whether a folder can be written, has room, and keeps the machine's time."""
    there = next(path for path in (folder.absolute(), *folder.absolute().parents) if path.exists())
    try:
        with tempfile.NamedTemporaryFile(dir=there) as probe:
            probe.write(b"svfap")
            probe.flush()
            ahead = Path(probe.name).stat().st_mtime - time.time()
    except OSError as error:
        return Finding(
            FIX, f"{there} cannot be written ({error.strerror}); choose another folder or mount it"
        )
    free = shutil.disk_usage(there).free
    room = f"{free / 1e9:,.1f} GB free"
    if abs(ahead) > CLOCK_SECONDS:
        return Finding(
            FIX,
            f"its clock is {abs(ahead):,.0f} s {'ahead' if ahead > 0 else 'behind'}; jobs would run"
            " again for their files' dates; set both clocks by NTP",
        )
    if free < LEAST_BYTES:
        return Finding(FIX, f"{room}; make room, or choose another folder in the configuration")
    if free < SPARE_BYTES:
        return Finding(WARN, f"{room}; the state of one pre-training takes 2 GB, clips much more")
    return Finding(OK, f"{room}, can be written")


def decoder() -> Finding:
    """Whether a video is written and read again."""
    import av

    from svfap.video.decode import Reject, read_frames
    from svfap.video.encode import write_video

    picture = np.full((64, 64, 3), 128, np.uint8)
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "clip.mp4")
        try:
            write_video(path, [picture] * CLIP_FRAMES, fps=25)
            read = sum(abs(float(frame.bgr().mean()) - 128) < 4 for frame in read_frames(path))
        except (OSError, Reject) as error:
            return Finding(FIX, f"a clip cannot be written and read ({error}); run: make setup")
    if read != CLIP_FRAMES:
        return Finding(FIX, f"read {read} of {CLIP_FRAMES} frames; run: make setup")
    return Finding(OK, f"PyAV {av.__version__} reads the H.264 that ffmpeg writes")


def mlflow(results: Path) -> Finding:
    """Whether the tracking server answers; a run goes on without."""
    resolve.set_environment(results)
    uri = stage_run.tracking_uri()
    if uri == "off":
        return Finding(OK, f"off; what each stage did is in {RECORD} alone")
    if not uri.startswith(("http://", "https://")):
        return Finding(OK, f"{uri}; look at it with: make mlflow")
    try:
        with urllib.request.urlopen(f"{uri.rstrip('/')}/health", timeout=SERVER_PATIENCE):
            return Finding(OK, f"{uri} answers")
    except (OSError, HTTPException, ValueError) as error:
        reason = getattr(error, "reason", error)
        return Finding(
            WARN,
            f"{uri} does not answer ({reason}); the run would go on without: start the server, or"
            " correct or unset MLFLOW_TRACKING_URI",
        )


def slurm() -> Finding:
    """Whether there is a scheduler, and whether it answers."""
    if shutil.which("sbatch") is None:
        return Finding(OK, "not here; jobs run on this machine")
    _, version, _ = _asked(["sbatch", "--version"], SERVER_PATIENCE)
    code, out, error = _asked(["sinfo", "--noheader", "--format=%R"], 2 * SERVER_PATIENCE)
    if code:
        reason = (error.strip().splitlines() or ["no answer"])[-1]
        return Finding(
            WARN, f"{version.strip()} does not answer ({reason}); ask its administrators"
        )
    partitions = ", ".join(dict.fromkeys(out.split()))
    return Finding(OK, f"{version.strip()}; partitions for the profile: {partitions}")


def _asked(command: list[str], seconds: float) -> tuple[int, str, str]:
    """Exit status, output and errors of a program; status 127 if there is none."""
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=seconds, check=False)
    except FileNotFoundError as error:
        return 127, "", str(error)
    except subprocess.TimeoutExpired:
        return 124, "", f"no answer within {seconds:.0f} s"
    return done.returncode, done.stdout, done.stderr
