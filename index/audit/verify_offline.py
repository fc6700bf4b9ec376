"""Check an audit bundle of spotfix with nothing but Python 3.8 or later and this one file.

    python3 verify_offline.py BUNDLE --key fixing.pem [--log-key log.pem] [--known-head SIZE:ROOT]

BUNDLE is a folder or .tar from `spotfix export --audit`; nothing is imported, fetched or written.
Get the keys, and a head of the log that you noted earlier, from elsewhere than the bundle: whoever
forges a bundle also forges the keys inside it. Shown, in this order:
  1 bytes       every file is the one contents.json lists, every body has the digest in its name
  2 signatures  every published record was signed by a key you gave (Ed25519, RFC 8032)
  3 log         every record is in the signed log (RFC 6962), and the head you know begins that log
  4 records     canonical, each fixing once, revisions in a chain, inputs committed to beforehand
  5 arithmetic  each value is made again from what it cites; "7.4" is a clause of the rulebook,
                spotfix's methodology/README.md. Integers and exact fractions only: no float.
What is not made again is named and counted. Exit code 0: all good; 20: a difference, named; 2: usage."""

# fmt: off
# ruff: noqa: E401, E501, E701, I001, D101, D102, D103, UP031, SIM905, C420 -- one sitting, Python 3.8
from __future__ import annotations

import argparse, base64, datetime, decimal, hashlib, json, math, os, pathlib, re, sys, tarfile
from collections import Counter
from fractions import Fraction
from typing import Any

DETERMINED = ("FULL", "REDUCED", "CARRIED_INPUT")  # levels with a value of the day itself (10.4)
FAMILIES, VERSIONS = ("TKR", "GPR", "TKX", "TEX", "SPK", "USE", "QAX"), ("1.0.0", "1.1.0")
SIGNED = "fixing settlement notice erratum complaint cessation methodology key calendar restatement".split()
COMMITTED = "index_id session ref_date input_digest methodology_digest definition_digest manifest".split()
EVERYONES = "44ca4bc3911699e6 2f714114c9c2911f af854f8fc4f94796 bfc9c9d0af7b7fbb".split()  # keys whose private half is known
BROKEN = (LookupError, TypeError, ValueError, AttributeError, ArithmeticError, RecursionError)
NOT_HERE = ("the steps from quotes to cited prices (chapters 2, 4, 6, 8), chained levels (8.3), "
            "spend and tokens behind TEX (13.7), clock times and terms (11.3), "
            "what witnesses and officers signed (11.6, 24.1): taken as cited")

# --- Ed25519 (RFC 8032, 5.1): points of -x^2 + y^2 = 1 + D x^2 y^2 over the integers modulo P. A
# point is held as (X, Y, Z, T) with x = X/Z, y = Y/Z, xy = T/Z, so that adding needs no division.
P, L = 2**255 - 19, 2**252 + 27742317777372353535851937790883648493
D = -121665 * pow(121666, P - 2, P) % P
def add(p: Any, q: Any) -> Any:  # Return the sum of two points; right for p = q too.
    a, b = (p[1] - p[0]) * (q[1] - q[0]) % P, (p[1] + p[0]) * (q[1] + q[0]) % P
    c, d = 2 * p[3] * q[3] * D % P, 2 * p[2] * q[2] % P
    e, f, g, h = b - a, d - c, d + c, b + a
    return e * f % P, g * h % P, f * g % P, e * h % P
def pack(p: Any) -> bytes:  # Return the one form of a point: y in 32 bytes, the lowest bit of x on top.
    inverse = pow(p[2], P - 2, P)
    x, y = p[0] * inverse % P, p[1] * inverse % P
    return bytes((y | (x & 1) << 255).to_bytes(32, "little"))
def unpack(raw: bytes) -> Any:  # Return the point of 32 bytes. ValueError: they are not the one form of a point.
    y, sign = int.from_bytes(raw, "little") & (2**255 - 1), raw[31] >> 7
    u, v = (y * y - 1) % P, (D * y * y + 1) % P
    x = u * v**3 * pow(u * v**7, (P - 5) // 8, P) % P  # the square root of u/v, or that times
    if (v * x * x - u) % P:
        x = x * pow(2, (P - 1) // 4, P) % P            # the square root of -1
    x = P - x if x & 1 != sign else x
    if len(raw) != 32 or (v * x * x - u) % P or pack((x, y, 1, x * y)) != raw: raise ValueError("is not a point of the curve in its one form")
    return x, y, 1, x * y % P
def prepare(point: Any) -> Any:  # Return i * 16^j * point in row j, place i, so that any product is 64 additions.
    rows: Any = []
    for _ in range(64):
        row = [(0, 1, 1, 0)]
        for _ in range(16):
            row.append(add(row[-1], point))
        rows, point = [*rows, row], row[16]
    return rows
def times(rows: Any, factor: int) -> Any:  # Return factor * point, 0 <= factor < 2^256, from its prepared rows.
    total = rows[0][0]
    for row in rows: total, factor = add(total, row[factor & 15]), factor >> 4
    return total
BASE = prepare(unpack(bytes.fromhex("58" + "66" * 31)))

class Key:  # One Ed25519 public key from a PEM file. ValueError: it is none that an honest key has.
    def __init__(self, pem: bytes, purpose: str) -> None:
        lines = pem.decode("ascii").strip().split("\n")
        der = base64.b64decode("".join(lines[1:-1]), validate=True)
        if "PUBLIC KEY" not in lines[0] or len(der) != 44 or der[:12].hex() != "302a300506032b6570032100": raise ValueError("is not the PEM file of an Ed25519 public key")
        self.raw, self.id = der[12:], purpose + "-" + hashlib.sha256(der[12:]).hexdigest()[:16]
        x, y, z, t = unpack(self.raw)
        self.minus = prepare((P - x, y, z, P - t))
        if times(self.minus, 8)[0] == 0: raise ValueError("is a point of small order: any message would have a signature")
    def signed(self, message: bytes, signature: bytes) -> bool:  # s * B = R + k * A? Only one s and R fit.
        s = int.from_bytes(signature[32:], "little")
        k = int.from_bytes(hashlib.sha512(signature[:32] + self.raw + message).digest(), "little") % L
        return len(signature) == 64 and s < L and pack(add(times(BASE, s), times(self.minus, k))) == signature[:32]

# --- The log (RFC 6962, 2.1): a tree of hashes; the left half is the largest power of two --------
def leaf_hash(leaf: bytes) -> bytes: return hashlib.sha256(b"\x00" + leaf).digest()
def node(left: bytes, right: bytes) -> bytes: return hashlib.sha256(b"\x01" + left + right).digest()
def half_of(size: int) -> int: return 1 << ((size - 1).bit_length() - 1)  # the largest power of two below
def root_of(leaves: list[bytes]) -> bytes:  # Return the root over leaf hashes.
    if len(leaves) < 2: return leaves[0] if leaves else hashlib.sha256(b"").digest()
    return node(root_of(leaves[:half_of(len(leaves))]), root_of(leaves[half_of(len(leaves)):]))
def root_from(leaf: bytes, place: int, size: int, path: list[bytes]) -> bytes:
    if size == 1 or not path:  # path: siblings, the nearest first
        return leaf if size == 1 and not path else b""
    half = half_of(size)
    if place < half: return node(root_from(leaf, place, half, path[:-1]), path[-1])
    return node(path[-1], root_from(leaf, place - half, size - half, path[:-1]))
def roots_from(old: int, new: int, old_root: bytes, path: list[bytes], whole: bool = True) -> Any:  # old, new
    if old == new or not path:
        known = [old_root] if whole else path
        return known * 2 if old == new and len(path) == (not whole) else [b"", b""]
    half = half_of(new)
    if old <= half:
        a, b = roots_from(old, half, old_root, path[:-1], whole)
        return [a, node(b, path[-1])]
    a, b = roots_from(old - half, new - half, old_root, path[:-1], False)
    return [node(path[-1], a), node(path[-1], b)]

# --- Text and numbers ---------------------------------------------------------------------------
def sha(body: bytes) -> str: return hashlib.sha256(body).hexdigest()
def b64(text: str) -> bytes: return base64.b64decode(text, validate=True)
def shown(value: Fraction | int, places: int) -> str:  # Half up: floor(value + 1/2) (3.2).
    units = math.floor(value * 10**places + Fraction(1, 2))
    digits = str(abs(units)).rjust(places + 1, "0")
    cut = len(digits) - places
    return ("-" if units < 0 else "") + digits[:cut] + ("." + digits[cut:] if places else "")
def exact(text: Any) -> Fraction:  # Return the number of decimal text in its one spelling, or of an integer.
    if type(text) is not int and not (type(text) is str and re.fullmatch(r"-?(0|[1-9][0-9]*)(\.[0-9]+)?", text)):
        raise ValueError("%.99r is not decimal text in its one spelling" % (text,))
    return Fraction(text)
def units_of(text: str) -> int:  # Return decimal text in units of its last place.
    return int(exact(text) * 10 ** len(text.partition(".")[2]))
def by(rows: Any, name: str, value: str) -> Any:  # Return a value of each row by its name, each name once.
    found = {x[name]: x[value] for x in rows}
    if len(found) != len(rows): raise ValueError("%s twice: %.200s" % (name, sorted(Counter(x[name] for x in rows).items(), key=lambda x: -x[1])[:1]))
    return found
def canonical(value: Any) -> str:  # Return JSON in its one form (RFC 8785): keys in UTF-16 order, no blanks, no float.
    if isinstance(value, dict):
        keys = sorted(value, key=lambda k: str(k).encode("utf-16-be"))
        return "{" + ",".join(canonical(k) + ":" + canonical(value[k]) for k in keys) + "}"
    if isinstance(value, list):
        return "[" + ",".join(canonical(one) for one in value) + "]"
    if isinstance(value, float) or (isinstance(value, int) and abs(value) >= 2**53): raise ValueError("holds the number %r, which no record may" % value)
    return json.dumps(value, ensure_ascii=False)
FAST = json.JSONEncoder(ensure_ascii=False, sort_keys=True, separators=(",", ":"))  # of ASCII text, what canonical() gives
def number(text: str) -> int:  # Return an integer that all readers hold exactly; a record holds no other number.
    if not re.fullmatch("-?[0-9]{1,16}", text) or abs(int(text)) >= 2**53: raise ValueError("holds the number %.99s, which no record may" % text)
    return int(text)
def read(text: bytes) -> Any:  # Return what canonical JSON holds: no name twice, so that all readers see the same.
    value = json.loads(text, parse_float=number, parse_int=number, parse_constant=number)
    if (FAST.encode(value) if text.isascii() else canonical(value)).encode() != text: raise ValueError("is not canonical JSON")
    return value
def lines_in(body: bytes) -> list[bytes]:  # Return the lines of a body; each one is ended.
    if not body.endswith(b"\n"[:len(body)]): raise ValueError("its last line is not ended")
    return body.split(b"\n")[:-1]

# --- A rate from its panel (chapters 5 and 7) ---------------------------------------------------
def weights_anew(volumes: dict[str, Any], rank: str, is_largest: bool) -> dict[str, int]:
    """Return the published weights of groups, in units of 1e-8, from their volumes (chapter 5)."""
    known, one = sorted(int(exact(v)) for v in volumes.values() if v is not None), {g: 1 for g in volumes}
    if rank != "V4":  # V4 knows no volumes; else an unknown one is the 25th percentile (5.1)
        filler = known[-(-len(known) // 4) - 1]
        one = {g: filler if v is None else int(exact(v)) for g, v in volumes.items()}
    size = {g: math.isqrt(v * 10**12) if rank in ("V2", "V3") else v for g, v in one.items()}  # 5.2
    many, top = sum(1 for v in size.values() if v), set()  # type: tuple[int, set[str]]
    cap = Fraction(1, 20) if is_largest else max(Fraction(8, 100), Fraction(12, 10 * many))  # 5.3
    shares = {g: Fraction(1, len(size)) for g in size}
    while cap * len(size) > 1:
        left, rest = 1 - cap * len(top), sum(v for g, v in size.items() if g not in top)
        shares = {g: cap if g in top else left * v / rest for g, v in size.items()}
        above = {g for g, share in shares.items() if share > cap}
        if not above: break
        top |= above
    units = {g: math.floor(share * 10**8) for g, share in shares.items()}
    order = sorted(size, key=lambda g: (units[g] - shares[g] * 10**8, g))  # largest remainders, 5.4
    return {g: units[g] + (g in order[:10**8 - sum(units.values())]) for g in units}
def kept_at(weights: list[int], share: Fraction) -> list[int]:
    # Kept weights of a weighted quantile (7.4, 7.6): the first member whose cumulative weight exceeds
    # the share keeps 2; where it is the share, give or take the rounding, that and the next keep 1.
    whole, below, last = sum(weights), 0, len(weights) - 1
    for place, weight in enumerate(weights):
        below += weight
        if abs(below - whole * share) <= len(weights) and place < last:
            return [int(i in (place, place + 1)) for i in range(last + 1)]
        if below > whole * share or place == last: break
    return [2 * (i == place) for i in range(last + 1)]
def rate_of(panel: list[Any], estimator: str) -> tuple[Fraction, list[int]]:
    """Return the exact rate, sum(p * k) / sum(k), and k; panel: (price in nano, group, weight)."""
    weights, k, below = [m[2] for m in panel], [], 0
    if estimator == "weighted_median":
        k = kept_at(weights, Fraction(1, 2))
    else:  # 7.2: of each member's interval of cumulative weight, what is left between the trims
        n, d = {"trimmed_mean_25": (1, 4), "trimmed_mean_40": (2, 5)}[estimator]
        for w in weights:
            k.append(max(0, min(d * (below + w), (d - n) * sum(weights)) - max(d * below, n * sum(weights))))
            below += w
    return mean_of(panel, k), k
def mean_of(panel: list[Any], k: list[int]) -> Fraction:  # Return sum(p * k) / sum(k) in units of currency.
    return Fraction(sum(m[0] * one for m, one in zip(panel, k)), sum(k) * 10**9)
def grade_of(r: Any, counted: Any, weight: Fraction) -> tuple[dict[str, str], str]:  # 12.1 to 12.3
    weights, score = [x["weight_e8"] for x in counted], {"E1": 100, "E2": 95, "E3": 75, "E4": 40}
    with decimal.localcontext() as context:  # ln in millionths, half to even (6.4)
        context.prec = 40
        low, high = (round(decimal.Decimal(units_of(r[name]) * 10 ** (9 - r["decimals"])).ln() * 10**6)
                     for name in ("p25", "p75"))
    parts = {
        "effective_n": Fraction(sum(weights) ** 2, 8 * sum(w * w for w in weights)),
        "weight": weight, "fresh": exact(r["fresh_share"]),
        "evidence": Fraction(sum(score.get(x["tier"], 0) * x["weight_e8"] for x in counted), 100 * sum(weights)),
        "spread": max(Fraction(1, 10), 1 - Fraction(high - low, 1200000)),
        "concentration": 1 - max(Fraction(0), Fraction(max(weights), 10**8) - Fraction(8, 100)) / Fraction(3, 10),
    }
    told = {name: shown(min(Fraction(1), max(Fraction(0), part)), 6) for name, part in parts.items()}
    product, level = math.prod(Fraction(part) for part in told.values()), r["waterfall"]
    limited = r["label"] != "settlement" or {"SMALL_PANEL", "PANEL_BREAK"} & set(r["flags"])
    if product >= Fraction(60, 100) ** 6 and level in ("FULL", "REDUCED") and not limited:
        return told, "A" if product >= Fraction(75, 100) ** 6 and level == "FULL" else "B"
    return told, "C" if product >= Fraction(40, 100) ** 6 else "D"

# --- The bundle ---------------------------------------------------------------------------------
class Audit:  # What a bundle holds and what was found wrong; `at` is the place that is looked at.
    def __init__(self, files: dict[str, bytes], keys: list[Key], log_key: Key | None) -> None:
        self.files, self.keys, self.log_key = files, {key.id: key for key in keys}, log_key
        self.wrong: list[dict[str, str]] = []
        self.at, self.size, self.root, self.origin = "", 0, b"", ""
        self.leaves: dict[int, bytes] = {}
        self.records, self.fixings, self.kinds = {}, {}, {}  # type: dict[int, Any], dict[Any, Any], dict[str, list[Any]]  # by seq; by name and revision; by type
        self.done, self.proven, self.signed = Counter(), set(), set()  # type: Counter[str], set[int], set[int]
        self.ends: dict[str, int] = {}  # from this record on a key's signatures count no more
        self.skipped: dict[str, list[str]] = {"not made again: " + NOT_HERE: []}
        self.warned = ["anybody could have signed this: everyone has the private part of " + k.id
                       for k in (*keys, log_key) if k and k.id[-16:] in EVERYONES]
    def say(self, what: str) -> None: self.wrong.append({"where": self.at, "what": what})
    def same(self, name: str, said: Any, found: Any) -> None:  # Said is to be what was found.
        if said != found: self.say("%s: it says %.300s, found %.300s" % (name, said, found))
    def guard(self, at: str, check: Any, *args: Any) -> None:  # What is unreadable differs, too.
        self.at = at
        try:
            check(*args)
        except BROKEN as error:
            told = "%s is needed and not here" if isinstance(error, KeyError) else "cannot be read: %s"
            self.say(told % error)
    def each(self, name: str, check: Any) -> None:  # Run a check on each line of a file.
        lines = self.files.get(name, b"no such file").split(b"\n")
        self.guard(name, self.same, "end of the file", lines.pop(), b"")
        for number, line in enumerate(lines, 1):
            self.guard("%s line %d" % (name, number), lambda text: check(read(text)), line)
    def name_of(self, r: Any) -> str:  # Return what messages call a record.
        parts = [str(r[k]) for k in ("type", "index_id", "session", "ref_date", "revision") if r.get(k) is not None]
        return "record %s (%s)" % (r.get("seq"), " ".join(parts))
    def run(self, known: tuple[int, str]) -> None:  # Make every check.
        self.each("records.jsonl", self.take_record)
        self.each("signatures.jsonl", self.check_signature)
        self.guard("checkpoint", self.check_checkpoint)
        self.each("proofs.jsonl", self.check_proof)
        self.heads = {self.size: self.root.hex()}
        self.each("heads.jsonl", self.check_head)
        if known[1]:
            self.guard("known head", self.same, "root at size %d" % known[0], known[1], self.heads.get(known[0], "none here"))
        checks = {"fixing": self.check_fixing, "methodology": self.check_rules, "settlement": self.check_settlement}
        for seq, r in sorted(self.records.items()):
            self.guard(self.name_of(r), checks.get(r["type"], lambda r: None), r)
            for name, found in (("proof that it is in the log", self.proven), ("signature that holds", self.signed)):
                if seq not in found and (r["type"] in SIGNED or found is self.proven): self.say("has no " + name)
        self.guard("contents.json", self.check_contents)
    def check_contents(self) -> None:  # Check every file against contents.json, and that against its signature.
        body = self.files["contents.json"]
        said = read(body[:-1])
        self.same("last byte of its text", body[-1:], b"\n")
        sig = self.files.get("contents.json.sig", b"")
        if not any(key.signed(body, sig) for key in self.keys.values()):
            self.say("has no signature that holds: nobody vouches that no record is left out")
        found = {k: sha(v) for k, v in self.files.items() if k[:13] != "contents.json"}
        for name in sorted({*found, *said["files"]}):
            if said["files"].get(name) != found.get(name): self.say("%s is not the file it lists" % name)
    def take_record(self, line: Any) -> None:  # Take in one leaf: canonical, in its place, each fixing once.
        leaf, seq = line["leaf"].encode(), line["seq"]
        r = read(leaf)
        self.same("seq", r["seq"], seq)
        self.same("record %s stands after those before it" % seq, seq > max(self.records, default=-1), True)
        if r["type"] == "fixing":
            key = (r["index_id"], r["session"], r["ref_date"], r["revision"])
            self.same("%s was published before" % self.name_of(r), key in self.fixings, False)
            self.fixings[key] = r
        if r["type"] == "key" and (r["action"] == "REVOKE" or r["replaces"]):
            old, end = (r["replaces"], max(seq, r["effective_seq"])) if r["replaces"] else (r["key_id"], r["effective_seq"])
            self.ends[old] = min(end, self.ends.get(old, end))
        self.leaves[seq], self.records[seq] = leaf, r
        self.kinds.setdefault(r["type"], []).append(r)
    def check_signature(self, line: Any) -> None:  # Check one signature over the exact bytes of a record.
        seq, key = line["seq"], self.keys.get(line["key_id"])
        if key is None: self.say("record %s is signed by %s, which you did not give" % (seq, line["key_id"]))
        elif not key.signed(self.leaves[seq], b64(line["signature"])): self.say("is no signature of record %s by %s" % (seq, key.id))
        elif seq >= self.ends.get(key.id, seq + 1): self.say("record %s is signed by %s, replaced or revoked from record %s on" % (seq, key.id, self.ends[key.id]))
        else:
            self.signed.add(seq)
            self.done["signatures of records"] += 1
    def check_checkpoint(self) -> None:
        """Read the signed note: origin, size, root, a blank line, signatures (C2SP signed-note)."""
        head, _, tail = self.files["checkpoint"].decode().partition("\n\n")
        self.origin, size, root = head.split("\n")
        self.size, self.root = int(size), b64(root)
        self.same("size and root", [size, root], [str(self.size), base64.b64encode(self.root).decode()])
        self.same("log_origin", {r["log_origin"] for r in self.records.values()}, {self.origin})
        if self.log_key is None:
            self.skipped["the checkpoint's signature: no --log-key was given"] = []
            return
        self.same("the log's key signs records too", self.log_key.raw in [key.raw for key in self.keys.values()], False)
        mark = hashlib.sha256(self.origin.encode() + b"\n\x01" + self.log_key.raw).digest()[:4]
        blobs = [b64(x[2]) for x in (t.split(" ") for t in tail.split("\n")) if x[:2] == ["\u2014", self.origin]]
        if not any(b[:4] == mark and self.log_key.signed((head + "\n").encode(), b[4:]) for b in blobs):
            self.say("is not signed by %s" % self.log_key.id)
    def check_proof(self, line: Any) -> None:  # Check that a record is a leaf of the log at the checkpoint.
        seq, path = line["seq"], [b64(one) for one in line["path"]]
        if not 0 <= seq < self.size or root_from(leaf_hash(self.leaves[seq]), seq, self.size, path) != self.root:
            self.say("record %s is not in the log at the checkpoint" % seq)
        self.proven.add(seq)
    def check_head(self, line: Any) -> None:  # Check that an earlier head is a beginning of this log.
        size, root, path = line["size"], bytes.fromhex(line["root"]), [b64(one) for one in line["path"]]
        found = roots_from(size, self.size, root, path) if 0 < size <= self.size else [root_of([]), self.root]
        self.same("a log of %s records that is a beginning of this one" % size, [root, self.root], found)
        self.heads[size] = line["root"]
    def body(self, kind: str, digest: str) -> bytes:  # Return a cited body, its digest checked.
        name = "bodies/%s/%s.jsonl" % (kind, digest.split(":")[-1])
        self.same("digest of " + name, sha(self.files[name]), digest.split(":")[-1])
        return self.files[name]
    def check_rules(self, r: Any) -> None:  # A listing of digests, and the texts it is of.
        rules = read(self.body("rules", r["artefact"]["sha256"])[:-1])
        self.same("methodology_digest", r["methodology_digest"], "sha256:" + sha(rules["frozen"].encode()))
        for path, text in rules.get("files", {}).items(): self.same("%s is in the listing" % path, sha(text.encode()) + "  " + path + "\n" in rules["frozen"], True)
    def check_fixing(self, r: Any) -> None:  # Fields, chain of revisions, commitment, value.
        value, level, family = r["value"], r["waterfall"], r["index_id"].split("-")[0]
        self.same("schema", r["schema"], "fixing/1.0")
        self.same("status", r["status"] in ("NO_FIX", "WITHDRAWN"), value is None)
        times = [r[k] for k in ("window_open", "cutoff_at", "calculated_at", "published_at")]
        self.same("order of times", times, sorted(times))
        before = self.fixings.get((r["index_id"], r["session"], r["ref_date"], r["revision"] - 1))
        digest = "sha256:" + sha(self.leaves[before["seq"]]) if before and before["seq"] < r["seq"] else None
        self.same("supersedes", r["supersedes"], digest)
        self.same("revision", r["revision"] > 0, digest is not None)
        if r["change_pct"] is not None:  # rounded by magnitude
            change = 100 * exact(value) / exact(r["prev_value"]) - 100
            text = shown(abs(change), 4)
            self.same("change_pct", exact(r["change_pct"]), Fraction(text) * (-1 if change < 0 else 1))
        eligible = (r["label"] == "settlement" and value is not None and r["revision"] > 0 and r["grade"] in ("A", "B")
                    and level in DETERMINED and "BOOTSTRAP_VINTAGE" not in r["flags"] and r["published_at"][:19] <= r["final_at"][:19])  # 11.3
        self.same("settlement_eligible", r["settlement_eligible"], eligible)
        inputs = self.check_commitment(r)
        listing = [m for m in sorted(self.kinds.get("methodology", []), key=lambda m: m["seq"]) if m["seq"] < r["seq"]][-1]
        rules = read(self.body("rules", listing["artefact"]["sha256"])[:-1])["frozen"]
        for name in ("methodology_digest", "definition_digest"):
            self.same(name + " is of a rule in force", r[name].split(":")[1] in rules, True)
        state, basket = (read(self.body(kind, digest)[:-1]) for kind, digest in (
            ("panel_state", r["panel_state"]["sha256"]), ("basket", r["basket_digest"])))
        rows = [read(x) for x in lines_in(self.body("contributions", r["contributions"]["sha256"]))]
        stopped = [i for i in self.kinds.get("incident", []) if i.get("kind") == "ENGINE_DIFFERENCE" and r["revision"] == 0]
        why = ("known to be wrong, its final was stopped (22.3)" if any(
               all(i[k] == r[k] for k in COMMITTED[:3]) for i in stopped) else "moved with a parent whose days are not cited (10.4)" if level == "MODEL" else
               "a regression over 13 months (19.6)" if family == "QAX" and value else
               "made under rules newer than this file" if family not in FAMILIES or r["methodology_version"] not in VERSIONS else "")
        if why:
            self.skipped.setdefault("not made again: " + why, []).append(self.name_of(r))
            return
        if family in ("TKR", "GPR"): found = self.rate(r, rows, basket, state, inputs)
        elif level == "CARRY": found = shown(Fraction(state["value_units"], 10 ** r["decimals"]), r["decimals"])
        else:
            found = getattr(self, family.lower())(r, rows, basket, state, inputs) if level != "NO_FIX" else None
        self.same("value", value, found)
        self.done[family + (" values made again" if value else " NO_FIX confirmed")] += 1
    def check_commitment(self, r: Any) -> list[Any]:  # Inputs, named by a record before (11.6).
        commit = self.records.get(r["commit_seq"], {})
        self.same("commit_seq is of a commitment before it", commit.get("type") == "commitment" and commit["seq"] < r["seq"], True)
        for name in COMMITTED: self.same(name + ", as committed", r[name], commit[name])
        self.same("basket_digest, as committed", r["basket_digest"], commit["basket_digest"] or r["basket_digest"])
        lines = lines_in(self.body("inputs", commit["inputs"]["sha256"]))
        self.same("input_digest", r["input_digest"], "sha256:" + root_of([leaf_hash(x) for x in lines]).hex())
        self.same("input_count", r["input_count"], len(lines))
        seen = any(commit["seq"] < w["size"] <= w["seq"] < r["seq"] for w in self.kinds.get("witness", []))
        self.same("flagged as unwitnessed, or witnessed", seen or "COMMIT_UNWITNESSED" in r["flags"], True)
        return [read(x) for x in lines]
    def rate(self, r: Any, rows: Any, basket: Any, state: Any, inputs: Any) -> str | None:
        """Return a rate's value from its panel; check weights, kept weights, band, CNY, grade."""
        places, level, told, rows = r["decimals"], r["waterfall"], len(rows), [x for x in rows if x["status"] != "REFUSED"]
        counted = [x for x in rows if x["status"] in ("OBSERVED", "HELD")]
        frozen = {g: units_of(w) for g, w in by(basket.get("members", ()), "group", "weight").items()}
        prices = by(rows, "group", "price_nano")
        weight = Fraction(sum(frozen.get(x["group"], 0) for x in counted), 10**8)
        many = [len({x[name] for x in counted}) for name in ("group", "source")]
        for name, due in zip(("weight_share", "n_used", "n_collected", "n_excluded", "n_providers", "n_sources", "basket_version"),
                             (shown(weight, 8), len(counted), told, told - len(counted), *many, basket["vintage"])): self.same(name, r[name], due)
        enough = len(counted) >= (3 if "SMALL_PANEL" in r["flags"] else 5) and 2 * weight >= 1  # 10.1
        if "coverage" not in (r["no_fix_reason"] or "") and level != "CARRIED_INPUT":
            self.same("level %s: enough groups and weight" % level, level in DETERMINED, enough)
        if level not in DETERMINED:
            return shown(Fraction(state["value"], 10**places), places) if level == "CARRY" else None
        volumes, is_largest = by(basket["members"], "group", "volume"), len(frozen) >= 25
        self.same("estimator of a panel of %d (7.1)" % len(frozen), basket["estimator"],
                  "trimmed_mean_40" if is_largest else "trimmed_mean_25" if len(frozen) > 9 else "weighted_median")
        self.same("prices in nano above 0", [p for p in prices.values() if p is not None and not (type(p) is int and p > 0)], [])
        self.same("counted without weight", [x["group"] for x in counted if frozen.get(x["group"]) and not x["weight_e8"]], [])
        self.same("weights of the basket", frozen, weights_anew(volumes, basket["volume_rank"], is_largest))
        panel = sorted((x["price_nano"], x["group"], x["weight_e8"], x["kept"]) for x in rows if x["price_nano"] and x["weight_e8"])
        anew = weights_anew({m[1]: volumes[m[1]] for m in panel}, basket["volume_rank"], is_largest)
        self.same("weights", {m[1]: m[2] for m in panel}, anew)
        value, kept = rate_of(panel, basket["estimator"])
        self.same("kept weights", [m[3] for m in panel], kept)
        for x in counted:
            stated = [i["price_nano"] for i in inputs if i["observation_id"] == x["observation_id"] and i["group"] == x["group"]]
            price = x["quoted_nano"] if x["status"] == "OBSERVED" else state["groups"][x["group"]]["used"]
            self.same("price of %s is among the inputs" % x["group"], x["quoted_nano"] in stated, True)
            self.same("price of %s" % x["group"], x["price_nano"], price)
        self.same("level", r["level"], shown(Fraction(state["level"], 10**4), 4))
        for other in r["alt"]: self.same("value in " + other["currency"], other["value"], shown(value * exact(other["fx_rate"]), places))  # 9.4: exact rates, rounded once
        for name, share in (("p1", 1), ("p25", 25), ("p50", 50), ("p75", 75), ("p99", 99)): self.same(name, r[name], shown(mean_of(panel, kept_at([m[2] for m in panel], Fraction(share, 100))), places))
        band = [rate_of(panel[:i] + panel[i + 1:], basket["estimator"])[0] for i in range(len(panel))] if panel[1:] else []
        self.same("loo_low, loo_high", [r["loo_low"], r["loo_high"]], [shown(v, places) for v in (min(band), max(band))])
        self.same("grade", (r["grade_components"], r["grade"]), grade_of(r, counted, weight))
        return shown(value, places)
    def tkx(self, r: Any, rows: Any, basket: Any, state: Any, _: Any) -> str:  # By the divisor (13.3).
        held = {m: exact(q) for m, q in by(basket["constituents"], "model", "quantity_e12").items()}
        prices = {m: exact(p) for m, p in by(basket["constituents"], "model", "link_price_nano").items()}
        if not basket["linked_on"] == r["ref_date"] != r["base_date"]:  # else the lines are of the old basket
            prices = by(rows, "model", "price_nano")
            self.same("quantities", {m: exact(q) for m, q in by(rows, "model", "quantity_e12").items()}, held)
            self.same("prices observed", *([x[k] for x in rows if x["status"] == "OBSERVED"] for k in ("price_nano", "quoted_nano")))
        self.same("prices in the state", state["used"], prices)
        worth = Fraction(sum(held[m] * prices[m] for m in held), 10**21)
        return shown(worth / exact(basket["divisor_e15"]) * 10**15, r["decimals"])
    def tex(self, r: Any, _rows: Any, _basket: Any, state: Any, _: Any) -> str:  # Spend by tokens (13.7).
        return shown(exact(state["spend_nano"]) / exact(state["tokens"]) / 10**9, r["decimals"])
    def spk(self, r: Any, rows: Any, basket: Any, _state: Any, _: Any) -> str:  # Less GPU-hours (18.2).
        line, (gpu, token) = basket["heat_rate"], sorted(rows, key=lambda x: bool(x["meter"] != "GPU_H"))
        parts = {"IN": (1, 0), "OUT": (0, 1), "BLD": (3, 1)}[token["meter"]]
        speeds = [line[side + "_tokens_per_second"] or 1 for side in ("in", "out")]
        hours = [Fraction(shown(Fraction(line["gpus"] * 10**6, 3600) / Fraction(s), 6)) for s in speeds]
        heat = Fraction(shown((hours[0] * parts[0] + hours[1] * parts[1]) / sum(parts), 6))
        self.same("quantities", [exact(token["quantity_e12"]), exact(gpu["quantity_e12"])], [10**12, -heat * 10**12])
        return shown(Fraction(token["price_nano"] - heat * gpu["price_nano"], 10**9), r["decimals"])
    def use(self, r: Any, rows: Any, basket: Any, _state: Any, inputs: Any) -> str:  # 20.1, 20.4
        ends = (basket.get("volume_from"), basket.get("volume_to"), sum(exact(x["quantity_e12"]) for x in rows))
        last = 1  # the last day is inside
        if "DISCLOSED" in r["flags"]:
            best = max((x for x in inputs if x["as_of"] <= r["cutoff_at"]), key=lambda x: (x["period_end"], x["as_of"]))
            ends, last = (best["period_start"], best["period_end"], best["quantity"] * 10**6), 0
        first, end = (datetime.date.fromisoformat(str(day)) for day in ends[:2])
        return shown(Fraction(ends[2], ((end - first).days + last) * 10**12), r["decimals"])
    def check_settlement(self, r: Any) -> None:  # The mean of the days that count, to the tick (17.3).
        by(r["inputs"], "date", "seq")
        mine = [s for s, x in self.records.items() if x.get("type") == "settlement" and all(x[k] == r[k] for k in ("rule_id", "period"))] or [r["seq"]]
        self.same("what it supersedes (17.7)", r.get("supersedes"), [None, *("sha256:" + sha(self.leaves[s]) for s in mine[:-1])][mine.index(r["seq"])])
        if r["seq"] != mine[-1]: return  # it was wrong: the one that corrects it is made again
        for day, one in ((x, self.records[x["seq"]]) for x in r["inputs"] if x["seq"] is not None):
            self.same("digest of " + day["date"], day["digest"], "sha256:" + sha(self.leaves[day["seq"]]))
            self.same("value of " + day["date"], day["value"], one["value"])
            self.same("fixing of " + day["date"], ["fixing", r["index_id"], day["date"]], [one[k] for k in ("type", "index_id", "ref_date")])
            later = [s for s, x in self.records.items() if s < mine[0] and x.get("supersedes") == day["digest"]]
            self.same("revisions after that of %s, before this" % day["date"], later, [])
        values = [exact(day["value"]) for day in r["inputs"] if day["state"] == "COUNTED"]
        self.same("count, sum", (r["count"], exact(r["sum"])), (len(values), sum(values)))
        if r["value"] is not None:
            self.same("value", exact(r["value"]), Fraction(shown(Fraction(sum(values), len(values)) / exact(r["tick"]), 0)) * exact(r["tick"]))
def files_of(place: str) -> dict[str, bytes]:  # Return the files of a folder or a .tar by name.
    if not os.path.isdir(place):
        with tarfile.open(place, "r:") as tar:
            members = [m for m in tar if not m.isdir()]
            odd = [m.name for m in members if not m.isreg() or m.issparse()]
            found = {m.name.split("/", 1)[-1]: tar.extractfile(m) for m in members if not odd}
            if odd or len(found) != len(members): raise ValueError("%s: %s" % (place, "%s is no plain file" % odd[0] if odd else "holds a file twice"))
            return {name: file.read() for name, file in found.items() if file}
    paths = [pathlib.Path(folder, name) for folder, _, names in os.walk(place) for name in names]
    odd = [str(p) for p in paths if p.is_symlink() or not p.is_file()]
    if odd: raise ValueError("%s is no plain file" % odd[0])
    return {p.relative_to(place).as_posix(): p.read_bytes() for p in paths}
def main() -> int:  # Read command line and files, print what was found, return the exit code.
    parser = argparse.ArgumentParser(description="Check a spotfix audit bundle offline.")
    parser.add_argument("bundle", help="folder or .tar")
    parser.add_argument("--key", action="append", required=True, help="PEM of a fixing key; may be repeated")
    parser.add_argument("--log-key", help="PEM of the log's Ed25519 key")
    parser.add_argument("--known-head", metavar="SIZE:ROOT", help="a head you noted, root in hex")
    parser.add_argument("--json", action="store_true", help="print the result as JSON")
    given = parser.parse_args()
    try:
        keys = [Key(pathlib.Path(path).read_bytes(), "fixing") for path in given.key]
        log_key = Key(pathlib.Path(given.log_key).read_bytes(), "log") if given.log_key else None
        size, root = given.known_head.split(":") if given.known_head else (0, "")
        audit = Audit(files_of(given.bundle), keys, log_key)
        known = (int(size), root.lower())
    except (OSError, ValueError, tarfile.TarError) as error:
        parser.error(str(error))
    audit.run(known)
    code = 20 if audit.wrong else 0
    if given.json:
        print(json.dumps({"ok": not code, "differences": audit.wrong, "checked": audit.done,
                          "not_checked": audit.skipped, "warnings": audit.warned, "size": audit.size, "root": audit.root.hex()}))
        return code
    for one in audit.wrong: print("DIFFERENCE  %(where)s: %(what)s" % one)
    print("log %s, size %d, root %s" % (audit.origin, audit.size, audit.root.hex()))
    for name, count in sorted(audit.done.items()): print("%6d  %s" % (count, name))
    for why, names in audit.skipped.items(): print("%s%s" % (why, " (%d): %s" % (len(names), ", ".join(names)) if names else ""))
    print("".join("WARNING     %s\n" % why for why in audit.warned), end="")
    print("%d differences" % len(audit.wrong) if code else "all good")
    return code

if __name__ == "__main__":
    sys.exit(main())
