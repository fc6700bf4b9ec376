"""OpenRouter's list of the sellers it routes to. It holds **no price**.

Address: ``https://openrouter.ai/api/v1/providers``, key in ``OPENROUTER_API_KEY``. It is asked and
kept because it dates how the router spells a seller, since when it sells through it, and which
country it names as its seat: what a reviewer of the register looks up. Evidence tier E4.

At hand: a whole body of the router's own site of 2026-08-08 (80 sellers), which is the same list
in another shape, and the documentation of the address ("List all providers", openrouter.ai/docs,
read 2026-11-21). Not seen: a whole body of the address itself.

Field map (``data[]``; the site's body is a bare list):

* ``slug``: listing_id; ``name``: provider, the spelling that ``openrouter_endpoints`` uses too.
* ``headquarters``, ``datacenters``: country codes, told in the detail of the rejection. The site's
  seat is not that of the legal group (it puts Novita in the US): it decides nothing.
* ``pricingStrategy`` (site only) is how the router meters a seller, not a price. The rest: ignored.
"""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from collectors.base import Capture, Parsed, Source, single_get
from collectors.model_lists import models_of, name_of
from collectors.rows import Rows


def parse(capture: Capture) -> Parsed:
    """Return one rejection per seller, ``NOT_A_LISTING``, with its seat; never a quote.

    Raises:
        ParseError: ``NOT_JSON``, or ``SHAPE`` when there is no list of sellers.
    """
    return _sellers(capture, models_of(capture))


def parse_panel_raw(capture: Capture) -> Parsed:
    """Return the same for a stored body of the router's own site: a bare list.

    Raises:
        ParseError: ``NOT_JSON`` or ``SHAPE``.
    """
    return _sellers(capture, models_of(capture, None))


def _sellers(capture: Capture, sellers: list[dict[str, Any]]) -> Parsed:
    rows = Rows(capture, "per_token")
    for seller in sellers:
        name, slug = name_of(capture, seller, "name"), name_of(capture, seller, "slug")
        seat = str(seller.get("headquarters"))[:80]
        centres = str(seller.get("datacenters"))[:200]
        told = f"a seller and no price: headquarters {seat}, datacenters {centres}"
        rows.reject(name, slug, "NOT_A_LISTING", told)
    return rows.parsed()


SOURCE = Source(
    id="openrouter_providers",
    kind="tokens",
    url="https://openrouter.ai/api/v1/providers",
    parse=parse,
    requests=single_get,
    tier="E4",
    code_licence="none (an API response)",
    data_right="names and seats are facts; no licence stated for this endpoint",
    terms=(
        "Documented; read with the operator's own key; no licence for reuse is stated. "
        "Documentation read 2026-11-21 from a stored copy."
    ),
    auth_env="OPENROUTER_API_KEY",
    every=timedelta(hours=20),
)
