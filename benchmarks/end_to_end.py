"""The whole chain, from raw video to scored clips: `python -m benchmarks.end_to_end`.

What is measured is in `benchmarks.chain`. It is imported only by the process that measures: those
that crop videos for it start by reading this file too, and would load PyTorch for nothing.
"""

if __name__ == "__main__":
    from benchmarks import chain

    chain.main()
