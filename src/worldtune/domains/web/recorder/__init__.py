"""Recorder of web transitions: real Chromium over pages served on 127.0.0.1.

``python -m worldtune.domains.web.recorder`` writes the recording that ships with the project. A
page is read as an accessibility tree, one action is taken, the page is read again; a row is the two
trees, the action and what changed. Pages are original mini-sites (``sites/``) and MiniWoB++ tasks
from the ``miniwob`` wheel. Everything that imports Playwright is imported by the command alone.
"""
