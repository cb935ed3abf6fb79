"""The jobs of a run that a model takes part in, with what passes through the model."""

from collections.abc import Iterator, Mapping
from dataclasses import replace

from svfap.config import ModelConfig, OptimConfig
from svfap.datasets.dataset import Dataset
from svfap.experiment.runs import Run

from svfap.planning.job import Job
from svfap.planning.video_facts import VideoFacts

BACKWARD = 2  # a backward pass takes the products of two forward passes
WEIGHT = 4  # bytes


def jobs(run: Run, videos: Mapping[str, VideoFacts]) -> Iterator[Job]:
    """Pre-training, fine-tuning and evaluation of a run, for the given videos of each dataset."""
    plan, config = run.experiment, run.experiment.config
    if run.pretrains:
        settings = config.pretrain
        cost = multiply_adds.pretrain(config.model, settings.mask_ratio)
        clips = sum(videos[name].total for name in settings.datasets) * settings.fraction
        job = Job("pretrain", f"{run.folder}pretrain", {"start torch": 1, "pretraining begun": 1})
        yield _trained(job, clips, config.model, settings.optim, cost)
    for name, dataset in plan.labelled.items():
        for fold in plan.folds(name):
            yield from _fold(run, dataset, (name, fold), videos[name])


def _fold(run: Run, dataset: Dataset, place: tuple[str, str], seen: VideoFacts) -> Iterator[Job]:
    """Fine-tuning and evaluation of a fold; people held back are scored after every epoch."""
    name, fold = place
    model, split = run.experiment.config.model, dataset.folds[fold]
    tuning = run.experiment.finetune(name).finetune
    cost = multiply_adds.finetune(model, len(dataset.targets))
    train, test, held_back = (
        sum(seen.videos.get(part, 0) for part in parts)
        for parts in (split.train, split.test, split.validation)
    )
    of = f"{name}/{fold}"
    job = Job("finetune", f"{run.folder}finetune/{of}", {"start torch": 1, "fine-tuning begun": 1})
    job = _trained(job, train * tuning.fraction, model, tuning.optim, cost)
    yield _scored(job, held_back * tuning.views * tuning.optim.epochs, model, cost)
    job = Job("evaluate", f"{run.folder}evaluate/{of}", {"start torch": 1, "pictures": 1})
    yield _scored(job, test * tuning.views, model, cost)


def _trained(
    job: Job, clips: float, model: ModelConfig, optim: OptimConfig, cost: multiply_adds.Sum
) -> Job:
    """A job that trains on a number of clips."""
    shown = clips * optim.epochs * optim.repeats
    return replace(
        job,
        loads=clips * optim.epochs * model.num_frames,
        clips=shown,
        multiply_adds=shown * (1 + BACKWARD) * cost.multiply_adds,
        workers=optim.workers,
        stored=cost.parameters * WEIGHT,
    )


def _scored(job: Job, views: float, model: ModelConfig, cost: multiply_adds.Sum) -> Job:
    """A job that scores a number of views as well."""
    return replace(
        job,
        loads=job.loads + views * model.num_frames,
        clips=job.clips + views,
        multiply_adds=job.multiply_adds + views * cost.multiply_adds,
    )
