"""Settings that cannot work are refused, and no message repeats what may be a secret."""

from typing import Any

import pytest

from worldtune.config import DistillConfig
from worldtune.errors import ParameterError
from worldtune.parameters import parse_parameters

SECRET = "sk-Very-Secret-0123"


def refuse(stated: dict[str, Any]) -> str:
    with pytest.raises(ParameterError) as caught:
        parse_parameters({"web": {"distill": stated}})
    return str(caught.value)


@pytest.mark.parametrize(
    ("stated", "words"),
    [
        ({"base_url": f"http://user:{SECRET}@127.0.0.1/v1"}, "web.distill.base_url: the address"),
        ({"base_url": f"https://{SECRET}@host.test/v1"}, "holds credentials"),
        ({"base_url": f"https://host.test/v1?token={SECRET}"}, "holds credentials"),
        ({"base_url": SECRET}, "expected an address such as http"),
        ({"api_key_env": SECRET}, "web.distill.api_key_env: expected the name of an environment"),
        ({"api_key": SECRET}, "web.distill: api_key: a key belongs into no file"),
        ({"api-key": SECRET}, "api-key: a key belongs into no file"),
        ({"extra_body": {"api_key": SECRET}}, "a key belongs into no file"),
        ({"extra_body": {"access_token": SECRET}}, "a key belongs into no file"),
        ({"extra_body": {"Authorization": SECRET}}, "a key belongs into no file"),
    ],
)
def test_a_secret_in_the_wrong_place_is_refused_unread(stated: dict[str, Any], words: str) -> None:
    message = refuse(stated)
    assert words in message
    assert SECRET not in message


@pytest.mark.parametrize("url", ["", "127.0.0.1:8000", "ftp://host/v1", "http://host:99999/v1"])
def test_an_address_needs_scheme_and_host(url: str) -> None:
    assert "expected an address such as http://127.0.0.1:8000/v1" in refuse({"base_url": url})


@pytest.mark.parametrize("url", ["https://api.test", "http://[::1]:8000/v1", "http://gpu-7/v1/"])
def test_usual_addresses_are_taken(url: str) -> None:
    assert DistillConfig(base_url=url).base_url == url


def test_several_samples_of_the_same_answer_are_refused() -> None:
    assert "temperature 0 repeats the same answer" in refuse({"temperature": 0, "samples": 2})
    assert DistillConfig(temperature=0, samples=1).samples == 1


def test_fields_that_count_tokens_are_no_secrets() -> None:
    body = {"max_completion_tokens": 8000, "skip_special_tokens": False}
    assert DistillConfig(extra_body=body).extra_body == body


def test_a_misspelt_key_is_named_with_the_nearest() -> None:
    message = refuse({"treshold": 0.5})
    assert "web.distill.treshold: unknown key" in message
    assert "web.distill.threshold" in message
