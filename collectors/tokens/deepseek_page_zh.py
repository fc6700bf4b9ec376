"""DeepSeek's price page in Chinese: CNY per million tokens, by peak and off-peak hours.

Address ``https://api-docs.deepseek.com/zh-cn/quick_start/pricing/``, no key, tier E3. The list for
buyers in mainland China; not a conversion of the English one. Table, ids and rules as
``deepseek_page``, which has the map; what differs:

* prices end in 元 (``4.5元``), labels are 百万tokens输入（缓存命中）CIN, （缓存未命中）IN,
  百万tokens输出 OUT, 空闲时段 off-peak, 高峰时段 peak.
* hours are Beijing time, quoted eight hours earlier in UTC, days as they then are there. Three
  wordings were seen: daily (to 2026-08-22), Monday to Friday, and Monday to Friday without public
  holidays (September 2026), which is also ``HOLIDAY_TARIFF``.
* the sentence above the table, 下表所列模型价格以“百万 tokens”为单位 (page of 2026-08-01), is held
  to the labels as there.
* a note that requests to a model are routed (路由) refuses that column: its date is not read.

At hand: a clipped whole page of 2026-08-01 (before peak hours; Markdown around an HTML table) and a
hand-trimmed table of 2026-09-12 that lost its spans and notes. Unproven.
"""

from __future__ import annotations

import re

from collectors.base import Capture, Parsed, Source, single_get
from collectors.tokens import peak_hours
from collectors.tokens.deepseek_page import Words, parse_in

CHINESE = Words(
    currency="CNY",
    model="模型",
    version="模型版本",
    meters={
        "百万tokens输入(缓存命中)": "CIN",
        "百万tokens输入(缓存未命中)": "IN",
        "百万tokens输出": "OUT",
    },
    off_peak="空闲时段",
    peak="高峰时段",
    hours=peak_hours.CHINESE,
    unit=re.compile(
        r"(?:以|每)[\u201c\"\u300c ]{0,2}"
        r"([^\u3002\uff0c\uff1b\u201d\"|]{0,12}?)\s?tokens?(?![a-z])",
        re.IGNORECASE,
    ),
    units=frozenset({"百万", "一百万", "1百万", "100万", "1m"}),
    routed=re.compile(r"`?(?P<model>deepseek-[\w.-]*\w)`?[^。\uff1b]{0,60}路由"),
)


def parse(capture: Capture) -> Parsed:
    """Return one quote per model, meter and tariff window, CNY per million tokens, tier E3.

    Rejections and errors as ``deepseek_page``.
    """
    return parse_in(capture, CHINESE)


SOURCE = Source(
    id="deepseek_page_zh",
    kind="tokens",
    url="https://api-docs.deepseek.com/zh-cn/quick_start/pricing/",
    parse=parse,
    requests=single_get,
    tier="E3",
    code_licence="none (a page)",
    data_right="prices are facts; no licence stated",
    terms=(
        "The seller's public price page; no terms for collecting it were at hand on 2026-11-21, "
        "robots file asked first. Single prices, quoted with address and date."
    ),
    content_types=("text/html",),
    max_raw_bytes=2 * 2**20,
    max_decoded_bytes=4 * 2**20,
    currencies=("CNY",),
    is_page=True,
    path="deepseek",
)
