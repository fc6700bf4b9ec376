"""What the tests of audit bundles share: days, indices, the demonstration keys, a check."""

from __future__ import annotations

from datetime import date
from functools import cache

from index.audit import verify_offline as vo
from index.audit_bundle import Span
from index.publication.keys import DemoSigner

H100 = "GPR-H100-ANY-OD-NEO-GLB"
GPT = "TKR-gpt-oss-120b-BLD"
SOME = (H100, GPT, "TKR-gpt-oss-120b-IN", "SPK-deepseek-r1-H100-SXM-80", "TEX-ALL")
FIRST, LAST = date(2020, 1, 1), date(2029, 12, 31)
ALWAYS = Span(FIRST, LAST)

Files = dict[str, bytes]


def pem(purpose: str) -> bytes:
    """Return a demonstration key's public half."""
    return DemoSigner(purpose, name=f"demo/{purpose}").public.pem()


@cache
def key(purpose: str, called: str) -> vo.Key:
    """Return a demonstration key as the verifier reads it, pinned under another purpose."""
    return vo.Key(pem(purpose), called)


def checked(files: Files, purpose: str = "fixing", known: tuple[int, str] = (0, "")) -> vo.Audit:
    """Return the audit of a bundle's files, made in this process."""
    audit = vo.Audit(files, [key(purpose, "fixing")], key("log", "log"))
    audit.run(known)
    return audit
