"""A publication in the columns of CTP, the interface of China's futures counters.

One row per fixing. Column names are those of ``CThostFtdcDepthMarketDataField``
(documentation.help/CTP-API-cn, read 2026-11-21). What they hold here:

``TradingDay`` ref_date as ``YYYYMMDD``; ``InstrumentID`` index_id; ``ExchangeID``
administrator_id; ``LastPrice`` value; ``PreSettlementPrice`` prev_value; ``SettlementPrice`` the
value if the record is settlement-eligible; ``Volume`` volume; ``UpdateTime`` and
``UpdateMillisec`` published_at on Beijing's clock, the only one a counter shows.

A missing price is ``1.7976931348623157e+308``, the largest double, as on the counters' own wire. An
empty cell would be read as 0 by ``atof``, and no reader may take a missing price for nought. A
missing volume is an empty cell: the column is an integer and has no such number.
"""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable, Mapping
from datetime import datetime, timedelta, timezone
from typing import Any, Final

COLUMNS: Final = (
    "TradingDay",
    "InstrumentID",
    "ExchangeID",
    "LastPrice",
    "PreSettlementPrice",
    "SettlementPrice",
    "Volume",
    "UpdateTime",
    "UpdateMillisec",
)

MISSING: Final = "1.7976931348623157e+308"
"""No price: the largest IEEE double, by CTP's habit."""

_BEIJING = timezone(timedelta(hours=8))


def table(fixings: Iterable[Mapping[str, Any]]) -> bytes:
    """Return header and one row per fixing record: UTF-8, LF, in the order given."""
    buffer = io.StringIO()
    writer = csv.writer(buffer, lineterminator="\n")
    writer.writerow(COLUMNS)
    writer.writerows(_row(one) for one in fixings)
    return buffer.getvalue().encode()


def _row(fixing: Mapping[str, Any]) -> list[str]:
    at = datetime.fromisoformat(fixing["published_at"]).astimezone(_BEIJING)
    settles = fixing["value"] if fixing["settlement_eligible"] else None
    return [
        str(fixing["ref_date"]).replace("-", ""),
        str(fixing["index_id"]),
        str(fixing["administrator_id"]),
        _price(fixing["value"]),
        _price(fixing["prev_value"]),
        _price(settles),
        fixing["volume"] or "",
        f"{at:%H:%M:%S}",
        str(at.microsecond // 1000),
    ]


def _price(value: str | None) -> str:
    return MISSING if value is None else value
