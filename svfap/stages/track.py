"""Stage `track`: make the tracking database and its experiments before jobs run in parallel.

Jobs that start together then find everything in place.
"""

import logging
import subprocess
import sys
from pathlib import Path

from svfap.stage_config import TrackConfig
from svfap.tracking import Log, tracking_uri

logger = logging.getLogger(__name__)


def run(config: TrackConfig, *, output: Path, log: Log) -> None:
    """Make the experiments at `MLFLOW_TRACKING_URI`; without a server the pipeline runs on.

    Args:
        config: names of the experiments.
        output: a marker that this has been done.
        log: takes metrics.
    """
    uri = tracking_uri()
    if uri != "off":
        command = [sys.executable, "-m", "svfap.mlflow_writer", "--prepare", *config.experiments]
        done = subprocess.run(command, check=False)
        log({"reachable": float(done.returncode == 0)})
    output.write_text(f"{uri}\n", encoding="utf-8")
