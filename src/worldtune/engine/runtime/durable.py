"""Files that are whole or not there, whatever the process or the machine dies of.

Bytes reach the disk before the name that readers look for: write, fsync, rename, fsync the folder.
"""

import hashlib
import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from worldtune.errors import UserError


def sha256_file(path: Path) -> str:
    """Hexadecimal sha256 of a file."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def write_bytes(path: Path, content: bytes) -> str:
    """Write a file down to the disk, under its final name at once; returns its sha256."""
    with path.open("wb", buffering=0) as file:
        write_all(file.fileno(), memoryview(content))
        os.fsync(file.fileno())
    return hashlib.sha256(content).hexdigest()


def replace_file(path: Path, content: bytes) -> None:
    """Put ``content`` in the place of a file, whole or not at all."""
    path.parent.mkdir(parents=True, exist_ok=True)
    fresh = path.with_name(f".{path.name}.new")
    write_bytes(fresh, content)
    os.replace(fresh, path)
    sync_folder(path.parent)


def publish_folder(fresh: Path, final: Path) -> None:
    """Rename a folder of files that are on the disk to its final name, which must be free."""
    sync_folder(fresh)
    fresh.rename(final)
    sync_folder(final.parent)


def remove_folder(folder: Path) -> None:
    """Take a folder away at once under its name, then delete it; a kill leaves no half of it."""
    if folder.exists():
        gone = folder.with_name(f".{folder.name}.old")
        shutil.rmtree(gone, ignore_errors=True)
        folder.rename(gone)
        shutil.rmtree(gone, ignore_errors=True)


def sync_folder(folder: Path) -> None:
    """Bring the names in a folder to the disk."""
    number = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(number)
    finally:
        os.close(number)


def sync_tree(folder: Path) -> None:
    """Bring files that others wrote in a folder, and their names, to the disk."""
    for path in sorted(folder.rglob("*")):
        if path.is_file():
            with path.open("rb") as file:
                os.fsync(file.fileno())
        else:
            sync_folder(path)
    sync_folder(folder)


def write_all(number: int, content: memoryview) -> None:
    """Write to a file descriptor until nothing is left: one call may write less."""
    while content:
        content = content[os.write(number, content) :]


@contextmanager
def explained(what: str, folder: Path) -> Iterator[None]:
    """Turn a full disk or a folder that cannot be written to into an error that says what to do."""
    try:
        yield
    except OSError as error:
        raise UserError(
            f"{what} cannot be written to {folder}: {error.strerror or error}. What was stored "
            "before it is whole: make room or make the folder writable, then start the same "
            "command again and it goes on from there"
        ) from error
