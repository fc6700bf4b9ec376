"""A next page is followed on its own server only, and the default port is no other server."""

from __future__ import annotations

from datetime import UTC, datetime

import httpx
import pytest

from collectors import panel
from collectors.answers import own_url
from collectors.base import Capture
from collectors.links import is_same_server

HOME = "https://prices.azure.com/api/retail/prices"


@pytest.mark.parametrize(
    ("link", "base", "stays"),
    [
        pytest.param(f"{HOME}?$skip=100", HOME, True, id="the same address"),
        pytest.param("https://prices.azure.com:443/x", HOME, True, id="the port of https written"),
        pytest.param(HOME, "https://PRICES.azure.com:443/", True, id="the other way round"),
        pytest.param("http://127.0.0.1:80/x", "http://127.0.0.1/", True, id="the port of http"),
        pytest.param("http://prices.azure.com:443/x", HOME, False, id="another scheme"),
        pytest.param("https://prices.azure.com:80/x", HOME, False, id="another port"),
        pytest.param("https://prices.azure.com.evil.example/x", HOME, False, id="another host"),
        pytest.param("https://prices.azure.com:99999/x", HOME, False, id="no port at all"),
        pytest.param("https://[::1/x", HOME, False, id="no address at all"),
        pytest.param("/api/retail/prices", HOME, False, id="a path"),
        pytest.param("//prices.azure.com/x", HOME, False, id="without a scheme"),
        pytest.param("", "", False, id="nothing"),
    ],
)
def test_a_link_stays_with_its_server_or_leaves_it(link: str, base: str, stays: bool) -> None:
    assert is_same_server(link, base) is stays


@pytest.mark.parametrize("source_id", ["azure_retail", "azure_openai"])
def test_the_next_page_that_azure_writes_is_asked_for(source_id: str) -> None:
    """Documentation of the retail prices: ``https://prices.azure.com:443/…?$skip=100``."""
    source = panel.load(source_id)
    link = "https://prices.azure.com:443/api/retail/prices?$skip=100"
    flow = source.requests(source.url)
    next(flow)
    body = f'{{"Items": [], "NextPageLink": "{link}"}}'.encode()
    asked = flow.send(Capture(source_id, source.url, body, datetime(2026, 11, 20, tzinfo=UTC)))
    assert own_url(asked.url, httpx.URL(source.url)) == httpx.URL(f"{HOME}?$skip=100")
