"""How much more two processes of app.py answer than one does, on the same cores.

    python tests/bench/processes.py [--rounds 7]

Apps share nothing, so any load balancer may stand before them; here the client itself sends half of its
requests to each. Drawn photos of 256 pixels, 16 at once; medians of the rounds, in turn.
"""

import argparse
import asyncio
import contextlib
import statistics
import sys
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))
sys.path.insert(0, str(Path(__file__).parents[2]))

from drawing import photograph
from serve import SIZES, load, running

from model import bundle

AT_ONCE, REQUESTS = 16, 600


async def rate(ports: list[int], photo: bytes) -> float:
    """Return the photos a second that the servers at these ports answer together."""
    shares = [load(port, photo, AT_ONCE // len(ports), REQUESTS // len(ports)) for port in ports]
    started = time.perf_counter()
    await asyncio.gather(*shares)
    return REQUESTS / (time.perf_counter() - started)


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--rounds", type=int, default=7)
    rounds = parser.parse_args().rounds
    photo, rates = photograph(*SIZES["256 pixels"]), ([], [])
    with contextlib.ExitStack() as stack:
        ports = [stack.enter_context(running("ours", str(bundle.DEFAULT)))[0] for _ in range(2)]
        for turn in range(rounds + 1):  # the first one warms up
            for number, measured in enumerate(rates, 1):
                answered = asyncio.run(rate(ports[:number], photo))
                if turn:
                    measured.append(answered)
    one, two = map(statistics.median, rates)
    print(f"photos a second: one process {one:.0f}, two processes {two:.0f}, {two / one:.2f} times as many")


if __name__ == "__main__":
    main()
