"""The whole chain, from raw video to scored clips: `python -m benchmarks.end_to_end`.

`benchmarks.chain` does the work. Only the measuring process imports it: the processes that crop
videos import this main module too when they start, and would load PyTorch for nothing.
"""

if __name__ == "__main__":
    from benchmarks import chain

    chain.main()
