"""Readers of the formats that users have, one file each, chosen by web.ingest.source.kind.

What a row must fulfil is decided in one place for all formats: checks.py.
"""

from worldtune.domains.web.readers import jsonl, mind2web, recorded, thuml_cot, wma
from worldtune.ingestion.source import SourceReader

READER = SourceReader(
    prefix="web.ingest",
    formats={
        module.FORMAT.kind: module.FORMAT for module in (recorded, thuml_cot, wma, mind2web, jsonl)
    },
    hub_example="thuml/webarena-world-model-cot",
)
