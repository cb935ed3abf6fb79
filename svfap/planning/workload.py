"""List the jobs of an experiment and the amount of work in each, without times or a machine."""

from collections.abc import Iterator, Mapping
from pathlib import Path

from pydantic import Field

from svfap.config import FIXED_PRESETS, OptimConfig, TrainingMachine
from svfap.config.section import Section
from svfap.experiment import layout, runs
from svfap.experiment.resolve import Experiment
from svfap.models.cost import Cost, finetune_cost, pretrain_cost
from svfap.planning.rates import JOB, LOADED, PRODUCTS
from svfap.planning.video_facts import VideoFacts

FORWARD_AND_BACKWARD = 3  # a backward pass has the products of two forward passes
WEIGHT_BYTES = 4  # bytes of a parameter in a checkpoint
TAR_BYTES = 25  # bytes added per frame of a clip in a shard: header, padding, entry of the index
Videos = Mapping[str, VideoFacts]


class Job(Section):
    """One job of the workflow."""

    stage: str
    output: Path = Field(description="file that it writes; its record is in the same folder")
    work: dict[str, float] = Field(default={JOB: 1}, description="unit of `Rates` -> amount")
    clips: float = Field(default=0, description="clips shown to a model, over all epochs")
    cost: Cost = Field(default=Cost(), description="cost of that model")
    optim: OptimConfig | None = Field(default=None, description="settings, if it is a training")
    machine: TrainingMachine = Field(default=TrainingMachine(), description="as configured")
    stored: float = Field(default=0, description="bytes that it leaves on the disk")
    fetched: float = Field(default=0, description="bytes that it downloads")
    done: bool = Field(default=False, description="whether nothing is left to do")


def jobs_of(experiment: Experiment, videos: Videos, *, jpeg_bytes: float) -> list[Job]:
    """List the jobs of a configuration. Only downloads can be finished already.

    Args:
        experiment: the checked configuration.
        videos: facts of each dataset's videos.
        jpeg_bytes: size of a face frame on the disk, in bytes per pixel.
    """
    jobs = [*_dataset_jobs(experiment, videos, jpeg_bytes)]
    for run in runs.expand(experiment).values():
        jobs += _model_jobs(run, videos)
    for name in experiment.labelled if experiment.config.baseline else ():
        predictions = layout.BASELINE.path(experiment.config.results, dataset=name)
        work = {JOB: 1, "clips described": videos[name].total}
        jobs.append(Job(stage="baseline", output=predictions, work=work))
    for stage, output in (("cost", layout.COSTS), ("tabulate", layout.BENCHMARK)):
        jobs.append(Job(stage=stage, output=output.path(experiment.config.results)))
    return jobs


def _dataset_jobs(experiment: Experiment, videos: Videos, jpeg_bytes: float) -> Iterator[Job]:
    """Yield the jobs that download, crop, review and pack each dataset.

    Datasets that share a folder download it once.
    """
    config, folders = experiment.config, set()
    for name, facts in videos.items():
        manifest = layout.MANIFEST.path(config.data, dataset=name)
        folder = config.datasets[name].root or manifest.parent
        stored = 0 if folder in folders else max(0, facts.gigabytes - facts.present) * 1e9
        folders.add(folder)
        rendered = experiment.datasets[name].about.access == "embedded"
        yield Job(
            stage="download",
            output=manifest,
            work={JOB: 1, "frames rendered": rendered * facts.total * facts.frames},
            stored=stored,
            fetched=facts.remote * stored,
            done=manifest.is_file(),
        )
        crop = experiment.crop_section(name)
        face = jpeg_bytes * crop.size**2
        shrink = min(1.0, crop.max_side / max(facts.shape))
        looks = 0 if crop.preset in FIXED_PRESETS else 1 / crop.every
        for part, count in facts.videos.items():
            frames = count * facts.frames
            cropping = {
                JOB: 1,
                "megapixels decoded": frames * facts.megapixels,
                "megapixels written": frames * crop.size**2 / 1e6,
                "megapixels searched": frames * looks * facts.megapixels * shrink**2,
            }
            packing = {JOB: 1, "frames packed": frames}
            clips = layout.CLIPS.path(config.data, dataset=name, part=part)
            shards = layout.SHARDS.path(config.data, dataset=name, part=part)
            yield Job(stage="crop", output=clips, work=cropping, stored=frames * face)
            stored = frames * (face + TAR_BYTES)
            yield Job(stage="shard", output=shards, work=packing, stored=stored)
        yield Job(stage="review", output=layout.CROPS_FIGURE.path(config.results, dataset=name))


def _model_jobs(run: runs.Run, videos: Videos) -> Iterator[Job]:
    """Yield the pre-training of a run, the trainings of its folds and their evaluations.

    Subjects that are held back for validation are scored after every epoch.
    """
    experiment, config = run.experiment, run.experiment.config
    results, model, pretrain = config.results, config.model, config.pretrain
    if run.pretrains_itself:
        cost = pretrain_cost(model, pretrain.mask_ratio, pretrain.target_fraction)
        clips = sum(videos[name].total for name in pretrain.datasets) * pretrain.fraction
        output = layout.PRETRAINED.path(results, run=run.folder)
        machine = config.machine.training("pretrain")
        job = Job(stage="pretrain", output=output, cost=cost, optim=pretrain.optim, machine=machine)
        yield _with_work(job, model.num_frames, clips)
    machine = config.machine.training("finetune")
    finals = experiment.finals if run.name == layout.MAIN else {}
    for name, dataset in experiment.labelled.items():
        settings, count = experiment.finetune_section(name).finetune, videos[name].count
        cost = finetune_cost(model, len(dataset.targets), settings.pool)
        optim, own, folds = settings.optim, settings.probe, experiment.folds(name)
        last = {layout.FINAL: finals[name]} if name in finals else {}
        # The folds share the features that a probe learns from: each view is encoded once.
        encoded = videos[name].total * own.views * (1 + own.flip) / len(folds)
        for fold, split in (folds | last).items():
            place = {"run": run.folder, "dataset": name, "fold": fold}
            clips = count(split.train) * settings.fraction
            scored = count(split.validation) * settings.views * optim.epochs
            if settings.tune == "probe":
                clips, scored = 0, encoded if fold in folds else 0
            output = layout.FINETUNED.path(results, **place)
            job = Job(stage="finetune", output=output, cost=cost, optim=optim, machine=machine)
            yield _with_work(job, model.num_frames, clips, scored)
            if fold in folds:
                kept = settings.tune == "probe" and settings.views == own.views
                scored = 0 if kept else count(split.test) * settings.views
                output = layout.PREDICTIONS.path(results, **place)
                job = Job(stage="evaluate", output=output, cost=cost)
                yield _with_work(job, model.num_frames, scored=scored)


def _with_work(job: Job, num_frames: int, clips: float = 0, scored: float = 0) -> Job:
    """Return the job of a model that trains on some clips, and scores a number of views.

    A clip is decoded once per epoch and shown `repeats` times.
    """
    decoded = clips * job.optim.epochs if job.optim else 0
    shown = decoded * job.optim.repeats if job.optim else 0
    passes = shown * FORWARD_AND_BACKWARD + scored
    work = {
        JOB: 1,
        LOADED: (decoded + scored) * num_frames,
        PRODUCTS: passes * job.cost.multiply_adds / 1e9,
    }
    stored = job.cost.parameters * WEIGHT_BYTES if job.optim else 0
    return job.model_copy(update={"work": work, "clips": shown + scored, "stored": stored})
