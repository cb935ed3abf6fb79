"""Everything that only a GPU can show, in one call of at most 8 minutes.

    python -m benchmarks.gpu --out DIR --reference AUTHORS

runs on a node with one GPU, from the root of the repository. `AUTHORS` is a checkout of the
authors' code (github.com/sunlicai/SVFAP). The node needs Python 3.11 or newer with torch 2.11 or
newer, torchvision, timm, OpenCV, pyarrow, tqdm, pydantic, pyyaml, simplejpeg and, for `AUTHORS`,
einops; it needs no network. The command names missing packages at once. `--cpu --tiny` rehearses
the same code on a machine without a GPU.

`DIR/results.json` is rewritten after every measurement, so a run that is cut off keeps what it has.
`DIR/table.md` compares the results with the targets, and `DIR/log.txt` has the messages of every
part. `DIR/work` (or `--work`) has the synthetic clips and the cache of compiled kernels, which a
second run reuses.
"""
