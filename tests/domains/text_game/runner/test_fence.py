"""What the fence around a game stops. It stops no determined attacker, see the package child."""

import os
import sys
from pathlib import Path

import pytest

from tests.domains.text_game.runner.foreign_games import answer_of
from worldtune.domains.text_game.runner import child

ATTEMPTS = {
    "socket": ("import socket\nsocket.socket()", "call socket.__new__"),
    "resolve": ("import socket\nsocket.getaddrinfo('localhost', 80)", "call socket.getaddrinfo"),
    "subprocess": ("import subprocess\nsubprocess.run(['true'])", "import _posixsubprocess"),
    "system": ("import os\nos.system('true')", "call os.system"),
    "fork": ("import os\nos.fork()", "call os.fork"),
    "exec": ("import os\nos.execv('/bin/true', ['true'])", "call os.exec"),
    "spawn": ("import os\nos.posix_spawn('/bin/true', ['true'], {})", "call os.posix_spawn"),
    "ctypes": ("import ctypes\nctypes.CDLL(None)", "import ctypes"),
    "kill": ("import os\nos.kill(os.getppid(), 0)", "call os.kill"),
    "limits": ("import resource\nresource.setrlimit(0, (1, 1))", "call resource.setrlimit"),
    "write": ("open('notes.txt', 'w')", "write to 'notes.txt'"),
    "append": ("import os\nos.open('notes.txt', os.O_APPEND)", "write to 'notes.txt'"),
    "remove": ("import os\nos.remove('notes.txt')", "call os.remove"),
    "read": ("open('/etc/passwd')", "read '/etc/passwd'"),
    "climb": ("import os\nopen(os.__file__ + '/../../../../../etc/passwd')", "read "),
    "package": ("import os\nopen(os.path.dirname(os.__file__) + '/site-packages/x')", "read "),
    "path": ("import pathlib\npathlib.Path('/etc/passwd').open()", "read "),
    "list": ("import os\nos.listdir('/')", "list '/'"),
    "bytecode": ("attempt.__code__.replace(co_consts=())", "call code.__new__"),
}


@pytest.mark.parametrize("name", ATTEMPTS)
def test_a_game_is_refused(name, tmp_path):
    attempt, deed = ATTEMPTS[name]
    answer, failures = answer_of(tmp_path, attempt)
    assert answer is None
    assert [failure.kind for failure in failures] == ["refused"]
    assert failures[0].message.startswith(f"tried to {deed}")
    assert "action 'try'" in failures[0].message


def test_a_game_that_swallows_a_refusal_goes_on_and_is_told(tmp_path):
    attempt = "import os\ntry: os.system('true')\nexcept OSError: return 'well then'"
    answer, failures = answer_of(tmp_path, attempt)
    assert answer == "well then"
    assert [(failure.kind, failure.message) for failure in failures] == [
        ("refused", "tried to call os.system")
    ]


def test_a_game_writes_nothing_into_the_home_folder(tmp_path, monkeypatch):
    home = tmp_path / "home"
    home.mkdir()
    monkeypatch.setenv("HOME", str(home))
    attempt = f"open({str(home / 'diary')!r}, 'w').write('I was here')"
    _, failures = answer_of(tmp_path / "games", attempt)
    assert [failure.kind for failure in failures] == ["refused"]
    assert list(home.iterdir()) == []


def test_a_game_sees_no_variable_of_the_user(tmp_path, monkeypatch):
    monkeypatch.setenv("SECRET_TOKEN", "hunter2")
    attempt = "import os, posix\nreturn [dict(os.environ), os.getcwd(), os.listdir, len(sys.argv)]"
    answer, failures = answer_of(tmp_path, attempt, setting="import sys")
    assert failures == []
    assert answer[0] == {}
    assert "text_game_" in answer[1]
    assert answer[3] == 1


def test_a_game_cannot_read_the_variables_from_the_system(tmp_path):
    _, failures = answer_of(tmp_path, "open('/proc/self/environ').read()")
    assert failures[0].kind == "refused"


def test_a_game_has_no_input_and_only_the_standard_library(tmp_path):
    attempt = (
        "try: input()\nexcept EOFError: pass\n"
        "import dataclasses, heapq, string\n"
        "try: import pydantic\nexcept ImportError: return 'alone'"
    )
    answer, _ = answer_of(tmp_path, attempt)
    assert answer == "alone"


def test_a_game_may_use_what_games_use(tmp_path):
    attempt = (
        "import copy, dataclasses, enum, itertools, json, math, random, re, time\n"
        "@dataclasses.dataclass\nclass Pair:\n    left: int\n    right: int\n"
        "return [copy.deepcopy(Pair(1, 2)), json.loads('[1]'), random.Random(1).random() < 1]"
    )
    answer, failures = answer_of(tmp_path, attempt)
    assert failures == []
    assert answer == ["attempt.<locals>.Pair(left=1, right=2)", [1], True]


def test_the_kernel_limits_a_game_where_the_hooks_do_not_look(tmp_path):
    attempt = (
        "return [resource.getrlimit(kind) for kind in (resource.RLIMIT_AS, resource.RLIMIT_CPU,"
        " resource.RLIMIT_CORE, resource.RLIMIT_NOFILE, resource.RLIMIT_FSIZE)]"
    )
    answer, _ = answer_of(tmp_path, attempt, setting="import resource")
    assert answer == [[256 << 20] * 2, [31, 32], [0, 0], [32, 32], [2 << 30] * 2]


@pytest.mark.skipif(sys.platform != "linux", reason="network namespaces are Linux's")
def test_a_game_has_a_network_of_its_own_where_the_kernel_allows_it(tmp_path):
    attempt = "import os\nreturn [os.readlink('/proc/self/ns/' + kind) for kind in ('net', 'user')]"
    (network, user), _ = answer_of(tmp_path, attempt)
    if user == os.readlink("/proc/self/ns/user") and network == os.readlink("/proc/self/ns/net"):
        pytest.skip("this kernel or container lets no user make a namespace; the guard remains")
    assert network != os.readlink("/proc/self/ns/net")


def test_a_game_cannot_forge_more_than_rows(tmp_path):
    """The descriptor for results is open to the game; nonsense in it ends the reading."""
    attempt = (
        "import os\n"
        "for number in range(3, 30):\n"
        '    try: os.write(number, b\'{"row":{"game":"other"}}\\n\')\n'
        "    except OSError: pass\n"
        "return 'written'"
    )
    answer, failures = answer_of(tmp_path, attempt)
    assert answer is None
    assert [failure.kind for failure in failures] == ["protocol"]
    assert "something else than results" in failures[0].message


def test_the_fence_is_made_of_the_standard_library_alone():
    for file in Path(child.__file__).parent.glob("*.py"):
        assert "worldtune" not in file.read_text(encoding="utf-8"), file.name
