"""The command line of the GPU benchmark."""

import argparse
import importlib.util
import logging
import os
import sys
from pathlib import Path

NEEDED = {  # module -> package
    **dict.fromkeys(("numpy", "torch", "torchvision", "timm", "pyarrow", "tqdm", "pydantic"), ""),
    "cv2": "opencv-python-headless",
    "simplejpeg": "",
    "yaml": "pyyaml",
}

logger = logging.getLogger("benchmarks.gpu")


def main() -> int:
    """Run all parts, then print and write the table; return 1 if a part failed."""
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(message)s", datefmt="%H:%M:%S")
    parser = argparse.ArgumentParser(prog="python -m benchmarks.gpu", description=__doc__)
    parser.add_argument("--out", type=Path, required=True, help="folder for the results")
    parser.add_argument("--work", type=Path, help="folder for clips and kernels; default: OUT/work")
    parser.add_argument("--reference", type=Path, help="a checkout of the authors' repository")
    parser.add_argument("--minutes", type=float, default=8.0, help="time for everything")
    parser.add_argument("--cpu", action="store_true", help="rehearse without a GPU")
    parser.add_argument("--tiny", action="store_true", help="rehearse with sizes of seconds")
    parser.add_argument("--parts", nargs="+", default=[], help="measure only these parts")
    parser.add_argument("--batch", type=int, help="number of clips per batch; default: all")
    given = parser.parse_args()
    if given.reference and not (given.reference / "modeling_pretrain.py").is_file():
        parser.error(f"{given.reference}: give a checkout of the authors' repository")
    needed = NEEDED | ({"einops": ""} if given.reference else {})
    missing = [package or name for name, package in needed.items() if not _found(name)]
    if missing:
        parser.error(f"missing packages; run: pip install {' '.join(missing)}")
    work = (given.work or given.out / "work").absolute()
    given.out.mkdir(parents=True, exist_ok=True)
    _prepare_environment(work, cpu=given.cpu)
    # Import after the environment is set, and once for all parts: each part is a fork.
    from benchmarks.gpu import parts, results, table
    from benchmarks.gpu.setting import Setting

    setting = Setting(given.out.absolute(), work, given.reference, given.tiny, given.batch)
    if unknown := {*given.parts} - {*parts.PARTS}:
        parser.error(f"no part {', '.join(unknown)}; the parts are {', '.join(parts.PARTS)}")
    if not given.cpu and not parts.has_gpu():
        parser.error("no GPU found; add --cpu --tiny to rehearse without one")
    for name in (results.RESULTS, parts.LOG):
        (setting.out / name).unlink(missing_ok=True)
    succeeded = parts.run_all(setting, 60 * given.minutes, given.parts or parts.PARTS)
    text = table.markdown(results.read(setting.out))
    (setting.out / "table.md").write_text(text, encoding="utf-8")
    print(text)
    return 0 if succeeded else 1


def _found(name: str) -> bool:
    return importlib.util.find_spec(name) is not None


def _prepare_environment(work: Path, *, cpu: bool) -> None:
    """Set the variables that CUDA and the compiler read when they start."""
    # Looking for a GPU must not start CUDA here: forked processes could not use it any more.
    os.environ["PYTORCH_NVML_BASED_CUDA_CHECK"] = "1"
    if cpu:
        os.environ["CUDA_VISIBLE_DEVICES"] = ""
        # Trace forward and backward pass as on a GPU, but generate no C++, which takes minutes.
        os.environ["TORCH_COMPILE_OVERRIDE_BACKENDS"] = ">=0:aot_eager"
    os.environ["TORCHINDUCTOR_CACHE_DIR"] = str(work / "kernels")
    os.environ["TRITON_CACHE_DIR"] = str(work / "kernels" / "triton")


if __name__ == "__main__":
    sys.exit(main())
