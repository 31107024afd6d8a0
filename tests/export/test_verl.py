"""verl's own dataset and reward classes on an export, in an environment of their own.

WORLDTUNE_VERL_PYTHON names its interpreter; ``make test-peers`` makes one and runs this.
"""

import json
import os
import re
import shlex
import subprocess
from pathlib import Path
from typing import Any

import pytest

from tests.export.exported import SIZES, answers, export_web, web_domain
from tests.export.test_trl import tiny_tokenizer
from tests.processes import PROJECT
from tests.web_rows import web_row
from worldtune.engine.task.text_task import TextTask

PYTHON = os.environ.get("WORLDTUNE_VERL_PYTHON", "")

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(
        not PYTHON,
        reason="WORLDTUNE_VERL_PYTHON names no interpreter with verl: make test-peers makes one",
    ),
]
