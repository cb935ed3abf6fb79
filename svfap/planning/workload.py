"""The jobs of an experiment and the amount of work in each: no times, no machine."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from svfap.config import OptimConfig
from svfap.datasets.dataset import Fold
from svfap.experiment import layout, runs
from svfap.experiment.resolve import Experiment
from svfap.models.cost import Cost, finetune_cost, pretrain_cost
from svfap.planning.rates import JOB, LOADED, PRODUCTS
from svfap.planning.video_facts import VideoFacts

FORWARD_AND_BACKWARD = 3  # a backward pass has the products of two forward passes
WEIGHT_BYTES = 4  # of a parameter in a checkpoint
TAR_BYTES = 1_000  # per frame in a tar: a header of 512, and padding to a multiple of 512
Videos = Mapping[str, VideoFacts]


@dataclass(frozen=True)
class Job:
    """One job of the workflow.

    Attributes:
        stage: its stage.
        output: the file that it writes; its record is in the same folder.
        work: unit of `Rates.seconds` -> amount.
        clips: clips shown to a model, over all epochs.
        cost: cost of that model.
        optim: settings of a training; None for other jobs.
        stored: bytes that it leaves on the disk.
        fetched: bytes that it downloads.
        done: whether nothing is left to do.
    """

    stage: str
    output: Path
    work: Mapping[str, float] = field(default_factory=lambda: {JOB: 1.0})
    clips: float = 0
    cost: Cost = field(default_factory=Cost)
    optim: OptimConfig | None = None
    stored: float = 0
    fetched: float = 0
    done: bool = False


def jobs_of(experiment: Experiment, videos: Videos, *, jpeg_bytes: float) -> list[Job]:
    """List the jobs of a configuration. Only downloads can be done already.

    Args:
        experiment: the checked configuration.
        videos: facts of each dataset's videos.
        jpeg_bytes: size of a face frame on the disk, in bytes per pixel.
    """
    results = experiment.config.results
    jobs = [*_downloads(experiment, videos), *_face_clips(experiment, videos, jpeg_bytes)]
    for run in runs.expand(experiment).values():
        if run.pretrains_itself:
            jobs.append(_pretraining(run, videos))
        for name in run.experiment.labelled:
            for fold, split in run.experiment.folds(name).items():
                place = {"run": run.folder, "dataset": name, "fold": fold}
                jobs += _fold(run.experiment, place, split, videos[name].videos)
    jobs.append(Job("cost", layout.COSTS.path(results)))
    return [*jobs, Job("tabulate", layout.BENCHMARK.path(results))]


def _downloads(experiment: Experiment, videos: Videos) -> Iterator[Job]:
    """Yield a download per dataset; datasets that share a folder download it once."""
    folders = set()
    for name, facts in videos.items():
        manifest = layout.MANIFEST.path(experiment.config.data, dataset=name)
        folder = experiment.config.datasets[name].root or manifest.parent
        stored = 0.0 if folder in folders else facts.gigabytes * 1e9
        folders.add(folder)
        work = {JOB: 1.0}
        if experiment.datasets[name].about.access == "embedded":
            work["frames rendered"] = facts.total * facts.frames
        fetched = stored if facts.remote else 0.0
        done = manifest.is_file()
        yield Job("download", manifest, work, stored=stored, fetched=fetched, done=done)


def _face_clips(experiment: Experiment, videos: Videos, jpeg_bytes: float) -> Iterator[Job]:
    """Yield the jobs that crop, review and pack each dataset."""
    from svfap.faces.find_clips import (
        FIXED_PRESETS,  # imports OpenCV, without which `svfap plan` starts faster
    )

    config = experiment.config
    for name, facts in videos.items():
        crop = experiment.crop_section(name)
        face = jpeg_bytes * crop.size**2
        for part, count in facts.videos.items():
            frames = count * facts.frames
            cropping = {
                JOB: 1,
                "megapixels decoded": frames * facts.megapixels,
                "megapixels written": frames * crop.size**2 / 1e6,
            }
            if crop.preset not in FIXED_PRESETS:
                shrink = min(1.0, crop.max_side / max(facts.shape))
                cropping["megapixels searched"] = frames / crop.every * facts.megapixels * shrink**2
            packing = {JOB: 1, "frames packed": frames}
            clips = layout.CLIPS.path(config.data, dataset=name, part=part)
            shards = layout.SHARDS.path(config.data, dataset=name, part=part)
            yield Job("crop", clips, cropping, stored=frames * face)
            yield Job("shard", shards, packing, stored=frames * (face + TAR_BYTES))
        yield Job("review", layout.FIGURES.path(config.results) / name / "crops.png")


def _pretraining(run: runs.Run, videos: Videos) -> Job:
    config, settings = run.experiment.config, run.experiment.config.pretrain
    cost = pretrain_cost(config.model, settings.mask_ratio, settings.target_fraction)
    clips = sum(videos[name].total for name in settings.datasets) * settings.fraction
    output = layout.PRETRAINED.path(config.results, run=run.folder)
    return _model_job("pretrain", output, cost, config.model.num_frames, clips, settings.optim)


def _fold(
    experiment: Experiment, place: dict[str, str], split: Fold, counts: Mapping[str, float]
) -> Iterator[Job]:
    """Yield the fine-tuning and the evaluation of a fold.

    Subjects that are held back for validation are scored after every epoch.
    """
    config, dataset = experiment.config, place["dataset"]
    settings, frames = experiment.finetune_section(dataset).finetune, config.model.num_frames
    cost = finetune_cost(config.model, len(experiment.datasets[dataset].targets))
    clips = sum(counts.get(part, 0) for part in split.train) * settings.fraction
    held_back = sum(counts.get(part, 0) for part in split.validation) * settings.views
    tested = sum(counts.get(part, 0) for part in split.test) * settings.views
    output, optim = layout.FINETUNED.path(config.results, **place), settings.optim
    scored = held_back * optim.epochs
    yield _model_job("finetune", output, cost, frames, clips, optim, scored=scored)
    output = layout.PREDICTIONS.path(config.results, **place)
    yield _model_job("evaluate", output, cost, frames, scored=tested)


def _model_job(
    stage: str,
    output: Path,
    cost: Cost,
    num_frames: int,
    clips: float = 0,
    optim: OptimConfig | None = None,
    *,
    scored: float = 0,
) -> Job:
    """Return a job that trains on some clips, and scores a number of views.

    A clip is decoded once per epoch and shown `repeats` times.
    """
    decoded = clips * optim.epochs if optim else 0
    shown = decoded * optim.repeats if optim else 0
    passes = shown * FORWARD_AND_BACKWARD + scored
    work = {
        JOB: 1,
        LOADED: (decoded + scored) * num_frames,
        PRODUCTS: passes * cost.multiply_adds / 1e9,
    }
    stored = cost.parameters * WEIGHT_BYTES if optim else 0
    return Job(stage, output, work, shown + scored, cost, optim, stored)
