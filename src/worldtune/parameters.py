"""All parameters of a run as one pydantic class, and its errors in words.

Kedro validates one node's parameters at a time and shows pydantic's own text; a user wants the full
key, what was found there, what belongs there and which key was probably meant. The descriptions
come from the JSON schema of the same classes, so they cannot drift from what is enforced.
"""

import json
from collections.abc import Iterator, Mapping, Sequence
from difflib import get_close_matches
from functools import cache, partial
from typing import Any

from pydantic import ValidationError, create_model

from worldtune.config import (
    DOMAIN_CONFIGS,
    ComputeConfig,
    Config,
    FewConfig,
    LaunchConfig,
    few_task,
)
from worldtune.errors import ParameterError

Schema = Mapping[str, Any]

_DOMAIN_FIELDS: dict[str, Any] = {
    name: (config, config()) for name, config in DOMAIN_CONFIGS.items()
}
Parameters = create_model(
    "Parameters",
    __base__=Config,
    __doc__="Top level of the parameter files: what all domains share, then one key per domain.",
    seed=(int, 0),
    compute=(ComputeConfig, ComputeConfig()),
    launch=(LaunchConfig, LaunchConfig()),
    **_DOMAIN_FIELDS,
)


def parse_parameters(raw: Mapping[str, Any]) -> Config:
    """Check the merged parameters of a run and fill in the defaults.

    Args:
        raw: The parameters as read from YAML and ``--params``, nested by key.

    Returns:
        An instance of ``Parameters``: frozen, complete, every section of its own class.

    Raises:
        ParameterError: Some key is unknown or some value is wrong; one message lists them all.
    """
    try:
        parameters = Parameters.model_validate(dict(raw))
        problems = [
            problem
            for domain in DOMAIN_CONFIGS
            for problem in _few_problems(domain, getattr(parameters, domain))
        ]
        if not problems:
            return parameters
    except ValidationError as error:
        problems = [_describe(problem) for problem in error.errors(include_url=False)]
    count = f"{len(problems)} invalid parameter{'s' if len(problems) > 1 else ''}"
    lines = "".join(f"\n  {problem}" for problem in problems)
    raise ParameterError(
        f"{count}; nothing was run.{lines}\n"
        "They are read from conf/*/parameters and --params; docs/configuration.md lists every key."
    )


def _few_problems(domain: str, config: Any) -> Iterator[str]:
    """What ``<domain>.compare.few`` states that does not fit the sections which it changes."""
    few: FewConfig | None = config.compare.few
    if few is None:
        return
    checks = {
        "task": partial(few_task, domain, config.task, few),
        "rlvr": partial(few.rlvr.applied_to, config.rlvr),
    }
    for section, check in checks.items():
        try:
            check()
        except ValidationError as error:
            for problem in error.errors(include_url=False):
                # The section itself says what is valid; the words are about the key that was given.
                words = _describe({**problem, "loc": (domain, section, *problem["loc"])})
                yield words.replace(f"{domain}.{section}", f"{domain}.compare.few.{section}")


def _describe(problem: Mapping[str, Any]) -> str:
    """One line about one pydantic error: full key, what was found, what was expected."""
    path: Sequence[str | int] = problem["loc"]
    key = ".".join(str(part) for part in path)
    found = _show(problem["input"])
    if problem["type"] == "extra_forbidden":
        return f"{key}: unknown key (found {found}). {_suggest(path)}"
    if problem["type"] == "value_error":  # a check over several fields; its text says what to do
        return f"{key}: {problem['ctx']['error']}"
    is_list_item = any(isinstance(part, int) for part in path)
    expected = problem["msg"] if is_list_item else _expected(_lookup(path))
    return f"{key}: found {found}, expected {expected}."


def _show(value: Any) -> str:
    """A found value with its type, cut to a readable length."""
    text = repr(value)
    return f"{text if len(text) <= 60 else text[:57] + '...'} ({type(value).__name__})"


def _suggest(path: Sequence[str | int]) -> str:
    """The nearest valid key of an unknown one, or the keys that are valid beside it."""
    *parents, name = (str(part) for part in path)
    beside = _properties(_lookup(parents))
    prefix = "".join(f"{parent}." for parent in parents)
    everywhere = dict(_walk(_root(), ""))
    same_name = [key for key in everywhere if key.rpartition(".")[2] == name]
    nearest = (
        [prefix + match for match in get_close_matches(name, beside, n=1)]
        or get_close_matches(prefix + name, same_name, n=1, cutoff=0.0)
        or get_close_matches(prefix + name, everywhere, n=1)
    )
    if nearest:
        return f"Nearest valid key: {nearest[0]} ({_expected(_lookup(nearest[0].split('.')))})."
    return f"Valid keys here: {', '.join(prefix + valid for valid in beside)}."


@cache
def _root() -> Schema:
    """The JSON schema of all parameters."""
    return Parameters.model_json_schema()


def _walk(schema: Schema, prefix: str) -> Iterator[tuple[str, Schema]]:
    """Every valid key below a schema with its own schema, parents before children."""
    for name, child in _properties(schema).items():
        yield prefix + name, child
        yield from _walk(child, f"{prefix}{name}.")


def _lookup(path: Sequence[str | int]) -> Schema:
    """The schema of a key; of the nearest enclosing key where the path leads into a list."""
    schema: Schema = _resolve(_root())
    for part in path:
        properties = _properties(schema)
        if part not in properties:
            break
        schema = properties[str(part)]
    return schema


def _properties(schema: Schema) -> dict[str, Schema]:
    """The keys directly below a schema."""
    return {name: _resolve(child) for name, child in schema.get("properties", {}).items()}


def _resolve(schema: Schema) -> Schema:
    """Follow references; of ``X | None`` with a section X take X."""
    definitions = _root().get("$defs", {})
    if "$ref" in schema:
        return _resolve(definitions[schema["$ref"].rpartition("/")[2]])
    sections = [option for option in schema.get("anyOf", ()) if "$ref" in option]
    return _resolve(sections[0]) if sections else schema


def _expected(schema: Schema) -> str:
    """A schema in words, such as "an integer at least 2" or "one of 'f1', 'reference_f1'"."""
    if "anyOf" in schema:
        return ", or ".join(_expected(option) for option in schema["anyOf"])
    if "enum" in schema:
        return "one of " + ", ".join(repr(value) for value in schema["enum"])
    if "const" in schema:
        return repr(schema["const"])
    names = {
        "object": "a section of keys",
        "array": "a list",
        "null": "null",
        "boolean": "true or false",
    }
    kind = schema.get("type", "")
    limits = [
        f"{words} {schema[key]:g}"
        for key, words in (
            ("minimum", "at least"),
            ("exclusiveMinimum", "above"),
            ("maximum", "at most"),
            ("exclusiveMaximum", "below"),
        )
        if key in schema
    ]
    words = names.get(kind, f"an {kind}" if kind == "integer" else f"a {kind}")
    return f"{words} {' and '.join(limits)}".strip()


def parameter_table() -> str:
    """Every key with its type, range, default and meaning, as a Markdown table for the docs."""
    rows = ["| Key | Value | Default | |", "|---|---|---|---|"]
    defaults = Parameters().model_dump(mode="json")
    for key, schema in _walk(_root(), ""):
        if "properties" not in schema:
            value: Any = defaults
            for part in key.split("."):
                value = value[part] if value is not None else None
            meaning = " ".join(schema.get("description", "").split())
            cells = (f"`{key}`", _expected(schema), f"`{json.dumps(value)}`", meaning)
            rows.append(f"| {' | '.join(cells)} |")
    return "\n".join(rows) + "\n"
