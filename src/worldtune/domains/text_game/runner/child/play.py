"""Second start, inside the fence: read the job, put the guard up, play, tell how it went.

The job comes as JSON on the standard input, which is empty from then on. Argument: the descriptor
for results.
"""

import base64
import gc
import json
import os
import sys

from .guard import install
from .output import FullError, Output, Tail
from .program import Program
from .rollouts import Job, Player


def main() -> None:
    """Play the job to its end, or to that of the memory or of the file of results."""
    fields = json.load(sys.stdin.buffer)
    source = base64.b64decode(fields.pop("source"))
    job = Job(**fields)
    output = Output(int(sys.argv[1]), f"{job.game}.py")
    printed = Tail()
    try:
        # Before the guard: for its message the compiler looks for a file, which is not there.
        program = Program(job.game, source)
    except (SyntaxError, ValueError, RecursionError) as error:
        output.no_python(error)
        output.end()
        return
    _close_off(printed)
    _play(Player(job, program, output, printed), output)


def _play(player: Player, output: Output) -> None:
    deeds: list[str] = []
    install(deeds)
    try:
        player.play()
    except MemoryError as error:
        error.__traceback__ = None  # its frames hold what filled the memory
        gc.collect()
        output.out_of_memory()
    output.refusals(deeds)
    output.end()


def _close_off(printed: Tail) -> None:
    """Leave the game no input, no output, no environment and no path to this package."""
    descriptor = os.open(os.devnull, os.O_RDONLY)
    os.dup2(descriptor, 0)
    sys.stdin = open(0, encoding="utf-8")
    sys.stdout = sys.stderr = printed
    sys.path.remove(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
    sys.argv = [""]
    os.environ.clear()


if __name__ == "__main__":
    try:
        main()
    except FullError:
        os._exit(3)
    os._exit(0)  # not by way of what the game may have registered to run at exit
