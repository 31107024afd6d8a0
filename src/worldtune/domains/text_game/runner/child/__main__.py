"""First start: build the fence, then become the process that plays.

Arguments: memory (bytes), processor time (seconds), size of a file (bytes), descriptor for results.
"""

import os
import sys

from .enclosure import enclose

memory_bytes, cpu_s, file_bytes = (int(argument) for argument in sys.argv[1:4])
enclose(memory_bytes=memory_bytes, cpu_s=cpu_s, file_bytes=file_bytes)
os.execv(sys.executable, [sys.executable, "-s", "-S", "-P", "-B", "-m", "child.play", sys.argv[4]])
