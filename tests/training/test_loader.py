"""The memory of loaded batches: parts of several processes in one buffer, a budget, and errors."""

from functools import partial

import pytest
import torch
from helpers.toy_shards import make_shards

from svfap.augment.crop_box import random_resized_crop
from svfap.augment.rand_augment import rand_augment_policy
from svfap.config import OptimConfig, TrainingMachine
from svfap.errors import SvfapError
from svfap.shards.store import ClipStore
from svfap.training import memory
from svfap.training.balance import BalancedDraws
from svfap.training.distributed import Ranks
from svfap.training.draws import Draws
from svfap.training.free_memory import free_memory
from svfap.training.loader import Loader
from svfap.training.memory import Ring, choose_buffers
from svfap.video.sampling import finetune_indices

pytestmark = pytest.mark.filterwarnings("ignore:This DataLoader will create")  # for these cores

CPU = torch.device("cpu")


@pytest.fixture(scope="module")
def store(tmp_path_factory):
    """Eleven clips of two sizes."""
    folder = tmp_path_factory.mktemp("shards")
    few = make_shards(folder / "a", [0, 1, 2], side=48, seed=1)
    return ClipStore([make_shards(folder / "b", [0, 1] * 4), few])


def make_loader(store, kind=Draws, ring_gb=1.0, **optim):
    draws = kind(
        store,
        lambda length, rng: finetune_indices(length, 8, 1, rng),
        partial(random_resized_crop, min_area=0.3, flip=0.5),
        size=32,
        seed=3,
        repeats=optim.get("repeats", 1),
        draw_edits=rand_augment_policy("rand-m7-n4-mstd0.5-inc1"),
    )
    machine = {key: optim.pop(key) for key in ("workers", "device_batch") if key in optim}
    config = OptimConfig(**optim)
    return Loader(draws, config, Ranks(0, 1, CPU), TrainingMachine(ring_gb=ring_gb, **machine))


def contents(loader):
    """Everything in the batches of all steps, copied: their memory is overwritten."""
    return [
        {
            key: value.numpy().tobytes() if isinstance(value, torch.Tensor) else value
            for key, value in fields
        }
        for batches in loader.load(0)
        for fields in [batch.to_dict().items() for batch in batches]
    ]


@pytest.mark.parametrize(
    ("kind", "optim"),
    [
        (Draws, {"device_batch": 2}),
        (BalancedDraws, {"repeats": 3}),
        (Draws, {"repeats": 3, "device_batch": 4}),
    ],
)
def test_batches_do_not_depend_on_processes_or_memory(store, kind, optim):
    settings = {"batch_size": 7, "epochs": 2, **optim}
    expected = contents(make_loader(store, kind, **settings))
    size = make_loader(store, **settings).draws.most_bytes(settings.get("device_batch", 7))
    for workers in (2, 5):
        assert contents(make_loader(store, kind, workers=workers, **settings)) == expected
    # The last step may have more batches than the others; one batch ahead is the least.
    loader = make_loader(store, workers=3, **settings)
    batches = max(len(loader.batch_positions(step)) for step in (0, loader.steps - 1))
    least = (2 * batches + 1) * size / 1e9
    assert contents(make_loader(store, kind, least, workers=3, **settings)) == expected
    message = r"loaded batches take \S+ GB at least .*, machine\.ring_gb is \S+; raise it"
    with pytest.raises(SvfapError, match=message):
        next(make_loader(store, kind, 0.99 * least, workers=3, **settings).load(0))


def test_no_clip_is_decoded_twice(store):
    draws = make_loader(store, repeats=3, batch_size=7).draws
    for positions in (range(7), range(7, 14), range(4, 5)):
        for count in (1, 2, 3, 8):
            parts = draws.split(positions, count)
            assert [p for part in parts for p in part] == [*positions]
            clips = [{p // 3 for p in part} for part in parts]
            assert sum(map(len, clips)) == len(set.union(*clips))


@pytest.mark.parametrize("workers", [1, 16])
def test_memory_does_not_grow_with_the_processes(store, monkeypatch, workers):
    """Buffers for two steps in use and two ahead; a small budget leaves one ahead."""
    made = []
    ring = memory.Ring
    monkeypatch.setattr(
        "svfap.training.loader.Ring",
        lambda n, *size, **pin: made.append(n) or ring(n, *size, **pin),
    )
    next(make_loader(store, workers=workers, batch_size=4).load(0))
    size = make_loader(store, batch_size=4).draws.most_bytes(4)
    next(make_loader(store, workers=workers, batch_size=4, ring_gb=3.5 * size / 1e9).load(0))
    assert made == [4, 3]


def test_the_budget_chooses_the_number_of_buffers():
    assert choose_buffers(10**6, 3, 9, 1.0) == 9
    assert choose_buffers(10**6, 3, 9, 0.0055) == 5
    message = r"^loaded batches take 0\.94 GB at least \(3 x 315 MB\), machine\.ring_gb is 0\.5; "
    with pytest.raises(SvfapError, match=message):
        choose_buffers(315 * 10**6, 3, 4, 0.5)


def test_too_little_free_memory(monkeypatch):
    monkeypatch.setattr(memory, "free_memory", lambda: 2 * 10**9)
    monkeypatch.setenv("LOCAL_WORLD_SIZE", "4")
    message = r"take 0\.60 GB at least \(3 x 200 MB\), only 0\.50 GB of memory are free \(machine\."
    with pytest.raises(SvfapError, match=message):
        choose_buffers(200 * 10**6, 3, 9, 4.0)
    assert choose_buffers(100 * 10**6, 3, 9, 4.0) == 5


def test_memory_that_the_system_refuses():
    """No machine has 2**60 bytes."""
    message = r"the system refuses \S+ GB for 1 batches ahead \(Cannot allocate memory\); set"
    with pytest.raises(SvfapError, match=message):
        Ring(1, 2**60, pinned=False)


def test_memory_that_the_gpu_refuses(monkeypatch):
    class Runtime:
        def cudaHostRegister(self, *_):
            return 2

    def refuse(code):
        raise RuntimeError(f"CUDA error {code}: out of memory")

    monkeypatch.setattr(torch.cuda, "cudart", Runtime)
    monkeypatch.setattr(torch.cuda, "check_error", refuse)
    message = r"page-locked, CUDA error 2: out of memory\); set machine\.ring_gb below"
    with pytest.raises(SvfapError, match=message):
        Ring(1, 10, pinned=True).tensor(0, (10,))


def write(path, text):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)


def test_free_memory_obeys_every_cgroup(tmp_path):
    write(tmp_path / "proc/meminfo", "MemTotal: 9000 kB\nMemAvailable: 8000 kB\n")
    write(tmp_path / "proc/self/cgroup", "4:memory:/job/step\n1:cpu:/\n0::/a/b\n")
    assert free_memory(tmp_path) == 8000 * 1024
    group = tmp_path / "sys/fs/cgroup/a"  # version 2: an ancestor has the limit
    write(group / "memory.max", "max\n")
    write(group / "memory.current", "3000\n")
    write(group / "memory.stat", "anon 5\ninactive_file 1000\n")
    assert free_memory(tmp_path) == 8000 * 1024
    write(group / "memory.max", "7000\n")
    assert free_memory(tmp_path) == 5000
    group = tmp_path / "sys/fs/cgroup/memory/job/step"
    write(group / "memory.limit_in_bytes", "4000\n")
    write(group / "memory.usage_in_bytes", "3000\n")
    write(group / "memory.stat", "total_inactive_file 500\n")
    assert free_memory(tmp_path) == 1500
    assert free_memory(tmp_path / "nothing here") > 2**60
