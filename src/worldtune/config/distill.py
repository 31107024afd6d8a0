"""The teacher of a distillation, what it is asked, and which of its answers are kept."""

import re
from collections.abc import Mapping
from typing import Annotated, Any, Literal, Self
from urllib.parse import urlsplit

from pydantic import Field, field_validator, model_validator

from worldtune.config.base import Config, Count, Fraction, PositiveFloat, PositiveInt, Weight

_SECRET_NAME = r"key|secret|password|authori[sz]ation|token$"


class DistillConfig(Config):
    """Demonstrations with reasoning from a teacher, by rejection sampling (paper, appendix)."""

    base_url: str = "http://127.0.0.1:8000/v1"
    """Address of an OpenAI-compatible endpoint, up to the part before /chat/completions."""
    model: str = ""
    """Name of the teacher, as the endpoint knows it. Has to be stated."""
    api_key_env: str = ""
    """Environment variable that holds the key, such as OPENAI_API_KEY; empty sends no key."""
    system: str = ""
    """System message before the prompt; empty sends none."""
    temperature: Annotated[float, Field(ge=0, le=2)] | None = 1.0
    """null leaves it to the endpoint."""
    max_tokens: PositiveInt | None = 4096
    """Longest answer, reasoning included; longer ones are cut off and lost. null sends no limit."""
    extra_body: dict[str, Any] = Field(default_factory=dict)
    """Further fields of a request, as the endpoint knows them (reasoning_effort, top_p)."""
    samples: PositiveInt = 4
    """Answers asked for per row."""
    threshold: float = 1.0
    """Lowest reward of an answer that is kept."""
    keep: Literal["all", "best", "first"] = "best"
    """Which good answers of a row become demonstrations: all; the best, the shortest of equals;
    the first, after which the row is asked no more."""
    max_rows: PositiveInt | None = 1000
    """Rows that are asked, the first of a seeded order of the training split; null asks all."""
    selection_seed: int = 0
    """Seed of that order, and of the draw of unchanged rows."""
    unchanged_keep_fraction: Fraction = 1.0
    """Share of the rows in which nothing changes that may be asked, by a seeded draw."""
    concurrency: PositiveInt = 8
    """Most requests under way at a time."""
    requests_per_minute: PositiveFloat | None = None
    """Most requests sent per minute, retries included; null sets no limit."""
    max_retries: Count = 6
    """Times that a request is repeated after 429, 5xx, a time-out, a lost connection or an answer
    that cannot be read, with waits that double up to a minute."""
    timeout_s: PositiveFloat = 600.0
    """A request that takes longer is repeated."""
    input_price: Weight = 0.0
    """Price of a million prompt tokens, in the currency that the cost is wanted in."""
    output_price: Weight = 0.0
    """Price of a million answer tokens."""

    # These checks do not quote what was found: people paste keys into the wrong field.
    @model_validator(mode="before")
    @classmethod
    def _refuse_secrets(cls, stated: Any) -> Any:
        extra = stated.get("extra_body") if isinstance(stated, Mapping) else None
        for section in (stated, extra):
            names = section if isinstance(section, Mapping) else ()
            for name in map(str, names):
                if re.search(_SECRET_NAME, name.lower()) and name != "api_key_env":
                    raise ValueError(
                        f"{name}: a key belongs into no file and on no command line. Put it into "
                        "an environment variable and name that in api_key_env"
                    )
        return stated

    @field_validator("base_url")
    @classmethod
    def _check_address(cls, value: str) -> str:
        try:
            parts = urlsplit(value)
            is_address = parts.scheme in ("http", "https") and parts.hostname and parts.port != 0
        except ValueError:
            is_address = False
        if not is_address:
            raise ValueError("expected an address such as http://127.0.0.1:8000/v1")
        if "@" in parts.netloc or parts.query or parts.fragment:
            raise ValueError(
                "the address holds credentials, a query or a fragment. Give scheme, host, port and "
                "path alone, and the key in the environment variable that api_key_env names"
            )
        return value

    @field_validator("api_key_env")
    @classmethod
    def _check_variable(cls, value: str) -> str:
        if not re.fullmatch(r"(?:[A-Z][A-Z0-9_]*)?", value):
            raise ValueError(
                "expected the name of an environment variable, in capitals, such as "
                "OPENAI_API_KEY, and not a key itself"
            )
        return value

    @model_validator(mode="after")
    def _check_samples(self) -> Self:
        if self.temperature == 0 and self.samples > 1:
            raise ValueError("temperature 0 repeats the same answer: set samples to 1")
        return self
