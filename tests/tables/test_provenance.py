"""Run times, versions and tracked runs, from the files that the workflow leaves."""

import json

import numpy
import pytest

from svfap import __version__
from svfap.tables import provenance
from svfap.tables.html import html_page

HEADER = "s\th:m:s\tmax_rss\tmax_vms\tmax_uss\tmax_pss\tio_in\tio_out\tmean_load\tcpu_time\n"


@pytest.fixture
def results(tmp_path):
    """Two fine-tunings, one of a variant, a download too short to be measured, and a cost."""
    for path, line in (
        ("finetune/demo/1", "3600.4\t1:00:00\t2048\t0\t0\t0\t0\t0\t0\t7200\n"),
        ("variants/few/finetune/demo/1", "61\t0:01:01\t1024\t0\t0\t0\t0\t0\t0\t60\n"),
        ("cost", "9\t0:00:09\t512\t0\t0\t0\t0\t0\t0\t9\n"),
        ("download/demo", "0.2\t0:00:00\tNA\tNA\tNA\tNA\tNA\tNA\tNA\tNA\n"),
    ):
        file = tmp_path / "benchmarks" / f"{path}.tsv"
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(HEADER + line)
    return tmp_path


def record(results, folder, *events):
    path = results / folder / "run.jsonl"
    path.parent.mkdir(parents=True)
    path.write_text("".join(json.dumps(event) + "\n" for event in events))


def test_times_are_summed_by_stage_over_all_runs(results):
    times, _, _ = provenance.provenance_tables(results)
    assert [row[0] for row in times.rows] == ["download", "finetune", "cost"]
    assert times.rows[1] == ("finetune", "2", "1:01:01", "1:00:00", "2.00")


def test_versions_are_those_of_this_environment(results):
    versions = dict(provenance.provenance_tables(results)[1].rows)
    assert versions["svfap"] == __version__
    assert versions["numpy"] == numpy.__version__


@pytest.mark.parametrize(
    ("uri", "page"),
    [
        ("sqlite:///results/mlflow.db", "http://localhost:5000/#/runs/abc123"),
        ("https://host/mlflow/", "https://host/mlflow/#/runs/abc123"),
    ],
)
def test_tracked_runs_link_to_their_pages(results, uri, page):
    start = {"event": "start", "stage": "finetune", "id": "a", "params": {}}
    tracked = {"event": "tracked", "run_id": "abc123", "uri": uri}
    took = {"event": "metrics", "metrics": {"cpu_seconds": 124.8}, "step": 0}
    end = {"event": "end", "status": "FINISHED"}
    record(results, "finetune/demo/1", start, tracked, took, end)
    record(results, "finetune/demo/2", start)
    record(results, "tracking", {"event": "start", "stage": "pipeline", "id": "b", "params": {}})
    runs = provenance.provenance_tables(results)[2]
    assert runs.rows == (
        ("finetune", "finetune/demo/1", "finished", "0:02:05", page),
        ("finetune", "finetune/demo/2", "not yet", "", "off"),
    )
    assert f'<a href="{page}" target="_blank">abc123</a>' in html_page([runs], heading="Runs")
    assert bool(runs.notes) == uri.startswith("sqlite")
