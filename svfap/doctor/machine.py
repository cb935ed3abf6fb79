"""Checks of the machine: torch, GPU, disk, decoder, tracking server, scheduler."""

import functools
import json
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np

from svfap.doctor.finding import FIX, OK, WARN, Finding
from svfap.doctor.installation import REPAIR, in_project
from svfap.errors import SvfapError, installed
from svfap.redact import redacted
from svfap.sources.request import request
from svfap.sources.source_error import SourceError, TransientError
from svfap.tracking.environment import set_tracking_defaults, tracking_uri
from svfap.tracking.record import RECORD

TORCH_SECONDS = 120.0  # long, because torch may be on a slow network disk
SERVER_SECONDS = 5.0
LEAST_BYTES = 1e9
# This is enough for five states of SVFAP-B's pre-training. A state takes 2 GB: it is saved twice,
# each time with weights and two moments of 86 M parameters.
SPARE_BYTES = 10e9
CLOCK_SECONDS = 5.0  # larger than a file server's rounding and delay
CLIP_FRAMES = 8


@functools.cache
def _torch() -> dict[str, Any]:
    """Run `svfap.doctor.gpu` once in a process of its own; return its facts.

    Raises:
        SvfapError: torch does not start, or a GPU does not compute.
    """
    code, out, error = _run([sys.executable, "-m", "svfap.doctor.gpu"], TORCH_SECONDS)
    if code:
        last = (error.strip().splitlines() or [f"exit status {code}"])[-1]
        raise SvfapError(f"{last}; reinstall it: {REPAIR}")
    return dict(json.loads(out))


def torch() -> Finding:
    """Check that torch starts."""
    found = _torch()
    return Finding(OK, f"{found['torch']}, built for {found['built_for']}")


def gpu() -> Finding:
    """Check the GPU and its driver, and that torch computes on it."""
    query = ["nvidia-smi", "--query-gpu=driver_version,name", "--format=csv,noheader"]
    code, out, _ = _run(query, SERVER_SECONDS)
    listed = out.strip().splitlines() if code == 0 else []
    driver = f"driver {listed[0].split(',')[0]}" if listed else "driver unknown"
    try:
        gpus = _torch()["gpus"]
    except SvfapError:
        return Finding(FIX, f"{driver}; torch does not start, see above")
    if gpus:
        return Finding(OK, f"{', '.join(gpus)}; {driver}; each has multiplied matrices in bf16")
    if listed:
        return Finding(
            FIX,
            f"torch built for {_torch()['built_for']} cannot use the {len(listed)} found with"
            f" {driver}; update the driver, or check CUDA_VISIBLE_DEVICES",
        )
    return Finding(WARN, "none found; a CPU is enough for the demo, not for the paper's models")


def disk(folder: Path) -> Finding:
    """Check that a folder can be written and has space, and that its disk's clock is right."""
    # The folder may not exist yet: check the parent in which it would be created.
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
            f"its clock is {abs(ahead):,.0f} s {'ahead' if ahead > 0 else 'behind'}: Snakemake"
            " compares dates of files, and would run jobs again; set both clocks by NTP",
        )
    if free < LEAST_BYTES:
        return Finding(FIX, f"{room}; make room, or choose another folder in the configuration")
    if free < SPARE_BYTES:
        return Finding(WARN, f"{room}; the state of one pre-training takes 2 GB, clips much more")
    return Finding(OK, f"{room}, can be written")


def decoder() -> Finding:
    """Check that a video can be written and read again."""
    import av

    from svfap.video.decode import Reject, read_frames
    from svfap.video.encode import write_video

    picture = np.full((64, 64, 3), 128, np.uint8)
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "clip.mp4")
        try:
            write_video(path, [picture] * CLIP_FRAMES, fps=25)
            # H.264 is lossy: a grey frame comes back within a few grey levels.
            read = sum(abs(float(frame.bgr().mean()) - 128) < 4 for frame in read_frames(path))
        except (OSError, Reject) as error:
            return Finding(FIX, f"a clip cannot be written and read ({error}); run: {REPAIR}")
    if read != CLIP_FRAMES:
        return Finding(FIX, f"read {read} of {CLIP_FRAMES} frames; run: {REPAIR}")
    return Finding(OK, f"PyAV {av.__version__} reads the H.264 that ffmpeg writes")


def mlflow(results: Path) -> Finding:
    """Check that the tracking server answers; a run works without it."""
    set_tracking_defaults(results)
    uri = tracking_uri()
    if uri == "off":
        return Finding(OK, f"off; {RECORD} beside each output is the only record")
    if not installed("mlflow"):
        state = WARN if in_project() else OK
        return Finding(state, "not installed; only stages need it, unless MLFLOW_TRACKING_URI=off")
    if not uri.startswith(("http://", "https://")):
        shown = redacted(uri)
        own = "" if results == Path("results") else " CONFIG=FILE"
        browse = f"make mlflow{own}" if in_project() else f"mlflow ui --backend-store-uri {shown}"
        return Finding(OK, f"{shown}; look at it with: {browse}")
    try:
        with request(f"{uri.rstrip('/')}/health", {}, timeout=SERVER_SECONDS):
            return Finding(OK, f"{redacted(uri)} answers")
    except (OSError, TransientError, SourceError) as error:
        reason = getattr(error, "reason", error)
        return Finding(
            WARN,
            f"{redacted(uri)} does not answer ({reason}); a run would continue without it. Start"
            " the server, or correct or unset MLFLOW_TRACKING_URI",
        )


def slurm() -> Finding:
    """Check that a scheduler answers, if there is one."""
    if shutil.which("sbatch") is None:
        return Finding(OK, "not installed; jobs run on this machine")
    _, version, _ = _run(["sbatch", "--version"], SERVER_SECONDS)
    code, out, error = _run(["sinfo", "--noheader", "--format=%R"], 2 * SERVER_SECONDS)
    if code:
        reason = (error.strip().splitlines() or ["no answer"])[-1]
        return Finding(
            WARN, f"{version.strip()} does not answer ({reason}); ask the cluster's administrators"
        )
    partitions = ", ".join(dict.fromkeys(out.split()))
    return Finding(OK, f"{version.strip()}; partitions for the profile: {partitions}")


def _run(command: list[str], seconds: float) -> tuple[int, str, str]:
    """Run a program; return its exit status, output and errors.

    As in a shell, the status is 127 if the program does not exist, and 124 if it
    runs longer than `seconds`.
    """
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=seconds, check=False)
    except FileNotFoundError as error:
        return 127, "", str(error)
    except subprocess.TimeoutExpired:
        return 124, "", f"no answer within {seconds:.0f} s"
    return done.returncode, done.stdout, done.stderr
