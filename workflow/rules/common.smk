"""The checked configuration, and functions that return a rule's inputs and parameters."""

import sys
from pathlib import Path

# The folder of a checkout, whose package is preferred to an installed one.
HOME = Path(workflow.current_basedir.get_path_or_uri(secret_free=True)).parents[1]
if (HOME / "svfap").is_dir() and str(HOME) not in sys.path:
    sys.path.insert(0, str(HOME))

from svfap import interrupts

if workflow.is_main_process:
    interrupts.end_at_once()  # before the imports, which take a while

import contextlib
import shlex
import signal

from svfap.config import yaml_file
from svfap.datasets.dataset import is_dataset
from svfap.datasets.raw_state import present_token, token_of_cuts
from svfap.errors import SvfapError
from svfap.experiment import job_lines, known_errors, layout, resolve, runs
from svfap.experiment import storage as travel
from svfap.experiment.job_environment import put_interpreter_first, refuse_old_resources
from svfap.experiment.stage_list import THREADS
from svfap.replacing import TARS_FOLDER
from svfap.tracking import environment, stage_run
from svfap.tracking.record import SUFFIX
from svfap.weights import start

# Whether files reach the jobs by a storage only, not by a shared disk.
TRAVELS = workflow.storage_settings.default_storage_provider is not None
STORAGE = workflow.storage_registry.default_storage_provider
if TRAVELS:
    travel.notice_new_folders(STORAGE)

given = workflow.resource_settings
try:
    refuse_old_resources(given.resources, given.overwrite_resources)
    refuse_old_resources(given.default_resources, None)
    for path in map(Path, workflow.configfiles):
        yaml_file.read(path)  # finds keys that occur twice; Snakemake takes the last
    EXPERIMENT = resolve.resolve(config, where="config")
    RUNS = runs.expand(EXPERIMENT)  # folder below `results` -> run
    if TRAVELS and workflow.is_main_process:
        folders = EXPERIMENT.config.data, EXPERIMENT.config.results
        travel.check(STORAGE, workflow.storage_settings.default_storage_prefix, folders)
except SvfapError as error:
    print(f"svfap: error: {error}", file=sys.stderr)
    sys.exit(2)

# Lists of videos decide which parts and folds there are, so they travel with the configuration.
LISTS = {known.csv for known in EXPERIMENT.config.datasets.values()}
workflow.configfiles.extend(map(str, LISTS - {None}))

if workflow.is_main_process:
    # A name that no font here draws is reported before the first job, not by the first figure. The
    # import takes time, and jobs, which parse this file too, do without. A machine that only starts
    # jobs elsewhere may lack what draws.
    with contextlib.suppress(ModuleNotFoundError):
        from svfap.doctor.project import OK, fonts

        names_drawn = fonts(
            label for known in EXPERIMENT.datasets.values() for label in known.targets
        )
        if names_drawn.state != OK:
            print(f"svfap: warning: {names_drawn.text}", file=sys.stderr)

DATA, RESULTS = EXPERIMENT.config.data, EXPERIMENT.config.results
# A `module` may give a prefix. Snakemake puts it before the paths of rules; these are read or written
# without a rule.
DATA_HERE, RESULTS_HERE = [
    Path(workflow.modifier.path_modifier.replace_prefix(str(path)))
    for path in (DATA, RESULTS)
]
TABLE_FILES = [
    *("benchmark.csv", "benchmark.tex", "folds.csv", "folds.md"),
    *("per_class.csv", "per_class.md", "rejects.csv", "rejects.md", "models.csv"),
    *("predictions.csv", "summary.md"),
]

# Snakemake's own options for its output bring back its own output.
shown = workflow.output_settings
if workflow.is_main_process and not (
    shown.dryrun
    or shown.quiet
    or shown.verbose
    or shown.printshellcmds
    or shown.debug_dag
):
    job_lines.show_job_lines(
        workflow.logger_manager.logger,
        travel.reader(STORAGE) if TRAVELS else job_lines.log_here,
    )

put_interpreter_first()
# `python -m svfap` works in a conda environment too, which does not contain this package.
PYTHONPATH_VALUE = (
    f'{shlex.quote(str(HOME))}:"${{PYTHONPATH:-}}"'
    if (HOME / "svfap").is_dir()
    else '"${PYTHONPATH:-}"'
)

environment.set_tracking_defaults(RESULTS_HERE)
PIPELINE = stage_run.Pipeline(
    RESULTS_HERE, EXPERIMENT.config.model_dump(mode="json", exclude={"machine"})
)
# What describes the machine is a resource of a job, not a parameter, so it reruns nothing.
MACHINE = EXPERIMENT.config.machine.flags()
CORES = THREADS | EXPERIMENT.config.machine.threads_by_stage()


container: EXPERIMENT.config.machine.image  # of every rule


# SLURM signals every process of a job: by SIGUSR1 shortly before the time limit, by SIGTERM at a
# preemption. The stage must survive to save its state and to print where it stopped, and the others
# must wait for it. So the stage installs handlers of its own, Snakemake ignores SIGUSR1, and the
# shell ignores SIGTERM.
signal.signal(signal.SIGUSR1, signal.SIG_IGN)
shell.prefix("set -euo pipefail; trap '' TERM; export PYTHONPATH={PYTHONPATH_VALUE}; ")


# A run's wildcard is its folder, empty for the main run: "(|variants/NAME/|...)".
wildcard_constraints:
    run=f"({'|'.join(RUNS)})",
    dataset="|".join(EXPERIMENT.datasets),
    part="[^/]+",
    fold="[^/]+",


def output_path(output):
    """Path of an output, with its wildcards."""
    return output.template(DATA if output.root == "data" else RESULTS)


def record_path(output):
    """Path of the record of the run that makes an output, with its wildcards."""
    return output_path(layout.record(output))


def face_folder():
    """The declared folder of a part's face clips; Snakemake deletes it if nobody keeps them."""
    folder = directory(output_path(layout.FACES))
    return folder if EXPERIMENT.config.crop.keep else temp(folder)


def weights(output):
    """Path of a checkpoint, which nobody can overwrite by mistake if the user wants so."""
    path = output_path(output)
    return protected(path) if EXPERIMENT.config.protect else path


def begin():
    """Open the run, if it may write its results and replaces no write-protected file."""
    outputs = (Path(path) for job in workflow.dag.needrun_jobs() for path in job.output)
    try:
        if not workflow.touch:
            known_errors.refuse_protected(outputs)
        PIPELINE.open()
    except (SvfapError, OSError) as error:
        print(f"svfap: error: {known_errors.in_words(error)}", file=sys.stderr)
        sys.exit(2)


def beside_checkpoint(output):
    """The curve and the record of a training."""
    return [output_path(output.beside(layout.CURVE)), record_path(output)]


# Only declared files travel to a machine without a shared disk. Those that a job reads beside its
# inputs are declared as `ancient`: their dates rerun nothing, since the inputs change with them.
def beside_shards(paths):
    """The tars and records of indexes of shards."""
    found = [
        (Path(path).parent / TARS_FOLDER, Path(path).with_suffix(SUFFIX))
        for path in paths
    ]
    return [ancient(str(path)) for pair in found for path in pair]


def shards(dataset, parts):
    """Paths of the shards of some parts of a dataset."""
    return [str(layout.SHARDS.path(DATA, dataset=dataset, part=part)) for part in parts]


def of_each_dataset(output):
    """Paths of an output for every dataset."""
    root = DATA if output.root == "data" else RESULTS
    return [str(output.path(root, dataset=name)) for name in EXPERIMENT.datasets]


def of_each_fold(output):
    """Paths of an output for every run, dataset and fold."""
    return [
        str(output.path(RESULTS, run=folder, dataset=name, fold=fold))
        for folder, run in RUNS.items()
        for name in run.experiment.labelled
        for fold in run.experiment.folds(name)
    ]


def final_models():
    """The main run's models that have learnt from all clips of a dataset."""
    return [
        str(layout.FINETUNED.path(RESULTS, dataset=name, fold=layout.FINAL))
        for name in EXPERIMENT.finals
    ]


def of_each_part(output):
    """Paths of an output for every dataset and part."""
    root = DATA if output.root == "data" else RESULTS
    return [
        str(output.path(root, dataset=name, part=part))
        for name, dataset in EXPERIMENT.datasets.items()
        for part in dataset.parts
    ]


# Parameters are functions: Snakemake would take `{x}` in a plain string, for example in a class
# name, for a wildcard.
def download_config(wildcards):
    return EXPERIMENT.download_section(wildcards.dataset).model_dump_json()


def crop_config(wildcards):
    return EXPERIMENT.crop_section(wildcards.dataset).model_dump_json()


def raw_state(dataset, part):
    """Path of the record of a part's raw videos, if it is on this machine."""
    return layout.RAW_STATE.path(DATA_HERE, dataset=dataset, part=part)


def raw_token(wildcards):
    """A text that changes if a raw video of the part does."""
    changed_by = EXPERIMENT.config.datasets[wildcards.dataset].changed_by
    return present_token(raw_state(wildcards.dataset, wildcards.part), changed_by)


def raw_cuts(wildcards):
    """A text that changes with the raw videos that clips are cut from."""
    name = wildcards.dataset
    changed_by = EXPERIMENT.config.datasets[name].changed_by
    records = [raw_state(name, part) for part in EXPERIMENT.datasets[name].parts]
    return token_of_cuts(records, changed_by)


def shard_config(wildcards):
    return EXPERIMENT.config.shard.model_dump_json()


def pretrain_config(wildcards):
    return RUNS[wildcards.run].experiment.pretrain_section().model_dump_json()


def finetune_config(wildcards):
    return (
        RUNS[wildcards.run]
        .experiment.finetune_section(wildcards.dataset, wildcards.fold)
        .model_dump_json()
    )


def evaluate_config(wildcards):
    return (
        RUNS[wildcards.run]
        .experiment.evaluate_section(wildcards.dataset, wildcards.fold)
        .model_dump_json()
    )


def baseline_config(wildcards):
    return EXPERIMENT.baseline_section(wildcards.dataset).model_dump_json()


def baseline_shards(wildcards):
    """The shards of every part that a fold trains on or tests."""
    folds = EXPERIMENT.folds(wildcards.dataset).values()
    parts = dict.fromkeys(part for fold in folds for part in fold.train + fold.test)
    return shards(wildcards.dataset, parts)


def all_predictions():
    """Predictions of every run and fold, and of the classical baseline."""
    baselines = EXPERIMENT.labelled if EXPERIMENT.config.baseline else []
    return of_each_fold(layout.PREDICTIONS) + [
        str(layout.BASELINE.path(RESULTS, dataset=name)) for name in baselines
    ]


def cost_config(wildcards):
    return runs.cost_section(RUNS).model_dump_json()


def tabulate_config(wildcards):
    return runs.tabulate_section(RUNS).model_dump_json()


def review_config(wildcards):
    return EXPERIMENT.review_section(wildcards.dataset).model_dump_json()


def listing(wildcards):
    """The CSV of a user's own videos, which is on the machine that starts the workflow."""
    csv = EXPERIMENT.config.datasets[wildcards.dataset].csv
    return [local(str(csv))] if csv else []


def of_parts(*outputs):
    """A function: the paths of outputs for every part of a job's dataset."""
    return lambda wildcards: [
        str(output.path(DATA, dataset=wildcards.dataset, part=part))
        for output in outputs
        for part in EXPERIMENT.datasets[wildcards.dataset].parts
    ]


def pretrain_shards(wildcards):
    return [
        path
        for name in RUNS[wildcards.run].experiment.config.pretrain.datasets
        for path in shards(name, EXPERIMENT.datasets[name].parts)
    ]


def pretrained(wildcards):
    """The checkpoint that fine-tuning starts from: none, the user's, or this workflow's.

    A public model is no file of the workflow: the stage takes it from the cache of weights.
    """
    run = RUNS[wildcards.run]
    if run.experiment.finetune_section(wildcards.dataset).finetune.init == "scratch":
        return []
    own = run.experiment.config.pretrain.checkpoint
    if own is not None:
        return [] if start.public(own) else str(start.file_of(own))
    return str(layout.PRETRAINED.path(RESULTS, run=run.pretrained_in))


def fold_of(wildcards):
    if wildcards.fold == layout.FINAL:
        return EXPERIMENT.finals[wildcards.dataset]
    return EXPERIMENT.datasets[wildcards.dataset].folds[wildcards.fold]


def train_shards(wildcards):
    return shards(wildcards.dataset, fold_of(wildcards).train)


def validation_shards(wildcards):
    return shards(wildcards.dataset, fold_of(wildcards).validation)


def test_shards(wildcards):
    return shards(wildcards.dataset, fold_of(wildcards).test)


def pretrain_sent(wildcards):
    return beside_shards(pretrain_shards(wildcards))


def finetune_sent(wildcards):
    used = train_shards(wildcards) + validation_shards(wildcards)
    start = RUNS[wildcards.run].pretrained_in
    own = str(layout.record(layout.PRETRAINED).path(RESULTS, run=start))
    made = str(layout.PRETRAINED.path(RESULTS, run=start)) == pretrained(wildcards)
    return beside_shards(used) + [ancient(own)] * made


def evaluate_sent(wildcards):
    record = layout.record(layout.FINETUNED).path(RESULTS, **wildcards)
    return [ancient(str(record)), *beside_shards(test_shards(wildcards))]


def baseline_sent(wildcards):
    return beside_shards(baseline_shards(wildcards))


def tabulate_sent():
    """Records and times of all jobs that led to the tables."""
    found = [str(Path(path).with_suffix(SUFFIX)) for path in all_predictions()]
    folders = [folder for folder, run in RUNS.items() if run.pretrains_itself]
    for output in (layout.record(layout.PRETRAINED), layout.JOB_TIMES["pretrain"]):
        found += [str(output.path(RESULTS, run=folder)) for folder in folders]
    found += of_each_fold(layout.record(layout.FINETUNED))
    found += of_each_fold(layout.JOB_TIMES["finetune"])
    found += of_each_fold(layout.JOB_TIMES["evaluate"])
    found += of_each_dataset(layout.JOB_TIMES["download"])
    for stage in ("crop", "shard"):
        found += of_each_part(layout.JOB_TIMES[stage])
    found += of_each_part(layout.record(layout.CLIPS))
    found.append(record_path(layout.COSTS))
    return [ancient(path) for path in dict.fromkeys(found)]


def training_curves():
    """The curves of every training of the main run."""
    outputs = [
        layout.FINETUNED.beside(layout.CURVE).path(RESULTS, dataset=name, fold=fold)
        for name in EXPERIMENT.labelled
        for fold in EXPERIMENT.folds(name)
    ]
    if runs.main_run(RUNS).pretrains_itself:
        outputs.append(layout.PRETRAINED.beside(layout.CURVE).path(RESULTS))
    return [str(path) for path in outputs]


def in_report(path, caption, category):
    """An output, or the path of one, that `snakemake --report` shows."""
    path = output_path(path) if isinstance(path, layout.Output) else str(path)
    folder = Path(path).parent
    labels = {"of": folder.name, "file": Path(path).name}
    if "{fold}" in path:
        labels["of"] = "{run}{dataset} {fold}"
    elif "{run}" in path:
        labels["of"] = "{run}pretrain"
    return report(
        path, caption=f"../report/{caption}", category=category, labels=labels
    )


def reconstructions():
    """The picture and the video of what pre-training reconstructs."""
    return [
        in_report(output, "reconstruction.rst", "3 Training")
        for output in (layout.RECONSTRUCTION, layout.RECONSTRUCTION_VIDEO)
    ]


def table_page(name, caption, category):
    """The HTML page of a table."""
    page = layout.BENCHMARK.beside(f"{name}.html")
    return in_report(page, caption, category)


def variant_tables():
    """The tables that only some configurations have."""
    names = ["ablations"] if EXPERIMENT.config.variants else []
    names += (
        ["comparison"]
        if any(is_dataset(name, "DFEW") for name in EXPERIMENT.labelled)
        else []
    )
    pages = [table_page(name, f"{name}.rst", "1 Tables") for name in names]
    files = [
        output_path(layout.BENCHMARK.beside(f"{name}.{kind}"))
        for name in names
        for kind in ("md", "tex")
    ]
    return pages + files


def report_pages():
    """The HTML pages of the tables, and all files of those that only some have."""
    return [
        table_page("summary", "summary.rst", "1 Tables"),
        table_page("benchmark", "table.rst", "1 Tables"),
        table_page("folds", "folds.rst", "1 Tables"),
        table_page("per_class", "per_class.rst", "1 Tables"),
        table_page("rejects", "rejects.rst", "4 Data"),
        table_page("runs", "runs.rst", "5 Provenance"),
        *variant_tables(),
    ]


def result_figures():
    """Confusion matrix and accuracies by class, or true against predicted values."""
    figures = {
        "classification": {
            "classes": layout.CLASSES_FIGURE,
            "confusion": layout.CONFUSION_FIGURE,
        },
        "regression": {"scatter": layout.SCATTER_FIGURE},
    }
    return [
        in_report(figure.path(RESULTS, dataset=name), f"{kind}.rst", "2 Figures")
        for name, dataset in EXPERIMENT.labelled.items()
        for kind, figure in figures[dataset.task].items()
    ]


def curve_figures():
    """The training curves of every dataset, and of pre-training."""
    trained = [*EXPERIMENT.labelled]
    if runs.main_run(RUNS).pretrains_itself:
        trained.append("pretrain")
    paths = [layout.CURVES_FIGURE.path(RESULTS, dataset=name) for name in trained]
    return [in_report(path, "curves.rst", "3 Training") for path in paths]
