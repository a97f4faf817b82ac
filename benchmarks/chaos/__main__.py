"""FIB-25 from raw to segments while everything goes wrong: are the segments those of a quiet run?

    python -m benchmarks.chaos --seed 7        # one
    python -m benchmarks.chaos --seeds 0:50    # many, a line each

Workers get SIGKILL and SIGSTOP at random every few seconds; blocks raise, crash and hang (asleep,
holding the GIL, in a loop in C); reads and writes fail (EIO; ENOSPC on a small disk in memory; 503
and lost answers from a bucket), by turns of seeds on a disk, a small disk and a bucket; and the
driver is killed twice. The same call is then made again until it comes to its end. What it stored
is compared with an undisturbed run's, file by file, and what ran with what may: no block more often
than its retries allow, none charged with an attempt that ran well, and none run again but what was
lost with a process. Needs the packages of the extra "test" and the sample.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
from collections import Counter
from contextlib import ExitStack
from pathlib import Path

from .seed import disturbed, quiet


def main() -> None:
    """Run some seeds; exits with 1 if any is wrong."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--seed", type=int, help="one seed")
    parser.add_argument("--seeds", default="0:3", help="a range such as 0:50")
    parser.add_argument("--small", action="store_true", help="blobs, without a network")
    parser.add_argument("--folder", help="a new folder that keeps all of it, to look at")
    given = parser.parse_args()
    first, stop = map(int, given.seeds.split(":"))
    seeds = range(first, stop) if given.seed is None else [given.seed]
    with ExitStack() as stack:
        made = given.folder or stack.enter_context(tempfile.TemporaryDirectory(prefix="chaos-"))
        folder = Path(made)
        undisturbed = quiet(folder, given.small)
        outcomes = []
        for seed in seeds:
            outcomes.append(disturbed(seed, undisturbed, folder / str(seed)))
            print(outcomes[-1], flush=True)
    wrong = sum(bool(outcome.faults) for outcome in outcomes)
    total = sum((outcome.attacks for outcome in outcomes), Counter[str]())
    print(f"{len(outcomes)} seeds, {wrong} wrong; in all {dict(sorted(total.items()))}")
    sys.exit(bool(wrong))


if __name__ == "__main__":
    main()
