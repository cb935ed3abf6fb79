"""The jobs of an experiment, and how much of what each of them does: no times, no machine."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from svfap.experiment import runs
from svfap.experiment.resolve import Experiment
from svfap.planning import trainings, video_facts
from svfap.planning.job import Job
from svfap.planning.video_facts import VideoFacts

PADDED = 1_000  # bytes that a tar adds to a frame: a header and, on average, half a block
WITHOUT_SEARCH = {"frames", "voxceleb2"}


@dataclass(frozen=True)
class Workload:
    """All jobs, and what is known of the videos."""

    jobs: tuple[Job, ...]
    footage: Mapping[str, VideoFacts]

    def of(self, stage: str) -> list[Job]:
        """The jobs of a stage."""
        return [job for job in self.jobs if job.stage == stage]


def workload(plan: Experiment, *, jpeg_bytes: float) -> Workload:
    """Everything that a configuration makes from nothing.

    Args:
        plan: the checked configuration.
        jpeg_bytes: of a pixel of a face frame.

    Raises:
        SvfapError: the videos of a dataset cannot be counted.
    """
    config = plan.config
    videos = {
        name: video_facts.of(name, dataset, config.datasets[name], config.data)
        for name, dataset in plan.datasets.items()
    }
    jobs = [*_downloads(plan, videos), *_face_clips(plan, videos, jpeg_bytes)]
    for run in runs.expand(plan).values():
        jobs += trainings.jobs(run, videos)
    jobs.append(Job("cost", "cost", {"start torch": 1}))
    jobs.append(Job("tabulate", "tables", {"start": 1, "tables": 1}))
    return Workload(tuple(jobs), videos)


def _downloads(plan: Experiment, videos: Mapping[str, VideoFacts]) -> Iterator[Job]:
    """What comes over the network or is drawn; a copy that two datasets share comes once."""
    places = set()
    for name, seen in videos.items():
        place = plan.config.datasets[name].root or name
        size = 0.0 if place in places else seen.gigabytes * 1e9
        places.add(place)
        embedded = plan.datasets[name].about.access == "embedded"
        drawn = {"frames drawn": seen.total * seen.frames} if embedded else {}
        fetched = size if seen.remote else 0.0
        yield Job(
            "download", f"download/{name}", {"start": 1} | drawn, stored=size, fetched=fetched
        )


def _face_clips(
    plan: Experiment, videos: Mapping[str, VideoFacts], jpeg_bytes: float
) -> Iterator[Job]:
    """Crops, sheets and shards."""
    face = jpeg_bytes * plan.config.crop.size**2
    for name, seen in videos.items():
        for part, count in seen.videos.items():
            frames = count * seen.frames
            work = {"start": 1} | _cropping(plan, name, frames, seen)
            yield Job("crop", f"crop/{name}/{part}", work, stored=frames * face)
            packing = {"start": 1, "frames packed": frames}
            yield Job("shard", f"shard/{name}/{part}", packing, stored=frames * (face + PADDED))
        yield Job("review", f"review/{name}", {"start": 1, "sheets": 1})


def _cropping(plan: Experiment, name: str, frames: float, seen: VideoFacts) -> dict[str, float]:
    """Units of work of cropping that many frames."""
    config = plan.crop(name)
    work = {
        "cropping begun": 1,
        "megapixels decoded": frames * seen.megapixels,
        "megapixels written": frames * config.size**2 / 1e6,
    }
    if config.preset in WITHOUT_SEARCH:
        return work
    shrink = min(1.0, config.max_side / max(seen.shape))
    looks = frames / config.every
    return work | {"megapixels searched": looks * seen.megapixels * shrink**2}
