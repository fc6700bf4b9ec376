"""Tamper with what was published, again and again; each time a stranger must see it and say where.

``python -m tests.tampering --tamperings 10000`` makes a small published tree of 36 records and an
audit bundle of it, and then, for each draw, changes one thing: a bit of any file, a signature by
another key, a log that was forked, rolled back or spliced, a manifest signed anew, a body, a row of
the tables. The verifier has a pinned root and a known head, as a careful stranger has. A tampering
counts as detected only if a problem names the changed file, or the place in the log.

Nothing is exempt below ``log/``, ``keys/``, ``v1/`` and ``batches/`` of the site and in the drop:
superseded tiles are checked as well.
"""

from __future__ import annotations

import argparse
import json
import random
import shutil
import tempfile
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import date
from pathlib import Path

import duckdb
import polars as pl

from index import audit_bundle, pipeline, verify_bundles, verify_tables, verify_targets
from index.config import Settings, load
from index.known_heads import Known
from index.ledger import merkle
from index.ledger.canonical import canonical, digest
from index.ledger.tiles import ENTRIES, Tree, checkpoint_text, encode_bundle, tiles_of
from index.publication import keyring
from index.publication.keys import DemoSigner, private_from_seed
from index.publication.notes import sign_checkpoint
from index.shelves import Within
from index.verifying import Findings, Seen, Trust
from index.warehouse import write
from tests.published_trees import AT, ORIGIN, Published, Record, make_tree, target_of
from tests.small_bundle import make_small_bundle

Files = dict[str, bytes]

STRANGER = DemoSigner("mock", name="somebody/else")


Made = tuple[dict[str, pl.DataFrame], set[str]]


@dataclass(frozen=True)
class World:
    """The published tree, its bundle, and other histories to tamper with."""

    tree: Published
    fork: Published
    other: Published
    earlier: Published
    bundle: Files
    tables: Path
    made: Made

    @property
    def trust(self) -> Trust:
        return Trust((DemoSigner("root").public,))

    @property
    def known(self) -> list[Known]:
        return [Known(self.tree.heads[-1], "a note")]


def raised(record: Record) -> Record:
    """Return a fixing with another value where it has one: a history that was never published."""
    if record["value"] is None:
        return {**record, "no_fix_reason": "another reason"}
    whole, dot, part = record["value"].partition(".")
    return {**record, "value": f"{int(whole) + 1}{dot}{part}"}


def elsewhere(record: Record) -> Record:
    """Return a fixing that says something else which nothing can recompute."""
    return {**record, "software": "spotfix/9.9.9"}


def make_world(source: Path, folder: Path) -> World:
    """Make everything below ``folder`` from a ledger of the small bundle."""
    tree = make_tree(source, folder / "tree")
    settings = Settings(out=folder / "tree", log_origin=ORIGIN)
    span = audit_bundle.Span(date(2026, 1, 1), date(2026, 12, 31))
    target = target_of(tree.files)
    assert target.site is not None
    seen = verify_targets.verify(target, Trust()).seen
    assert seen is not None
    made = verify_tables.expected(seen, verify_tables.bodies_from(Within(target.site, "batches")))
    (folder / "tables").mkdir()
    tables = write.write_duckdb(made[0], folder / "tables" / "spot.duckdb")
    return World(
        tree,
        make_tree(source, folder / "fork", change=elsewhere),
        make_tree(source, folder / "other", origin="example.org/other"),
        make_tree(source, folder / "earlier", appends=4),
        audit_bundle.build(settings, span),
        tables,
        made,
    )


@dataclass(frozen=True)
class Tampered:
    """What was changed: the files after it, and what a problem must name: all of ``every``."""

    files: Files
    every: tuple[str, ...]
    what: str = ""


# Changing bytes ---------------------------------------------------------------------------------


def group_of(path: str) -> str:
    """Return what kind of file a path is."""
    if "/tile/entries/" in path:
        return "entry bundles"
    if "/tile/" in path:
        return "hash tiles"
    if "/checkpoints/" in path or path.endswith("log/checkpoint"):
        return "checkpoints"
    if path.startswith("site/batches/"):
        return "bodies"
    if path.startswith("site/keys/"):
        return "keys"
    name = path.rpartition("/")[2]
    if name.startswith("MANIFEST"):
        return "manifests" if name.endswith(".json") else "signatures of manifests"
    if name.startswith("ctp_"):
        return "CTP tables"
    return "*" + name[name.index(".", name.rindex("_r") if "_r" in name else 0) :]


def pick(files: Files, draw: random.Random, wanted: Callable[[str], bool] = bool) -> str:
    """Return a file, each kind as likely as any other."""
    groups: dict[str, list[str]] = {}
    for path in files:
        if wanted(path):
            groups.setdefault(group_of(path), []).append(path)
    return draw.choice(groups[draw.choice(sorted(groups))])


def flip(files: Files, draw: random.Random) -> Tampered:
    path = pick(files, draw, lambda p: len(files[p]) > 0)
    body = bytearray(files[path])
    body[draw.randrange(len(body))] ^= 1 << draw.randrange(8)
    return Tampered({**files, path: bytes(body)}, (path,), group_of(path))


def truncate(files: Files, draw: random.Random) -> Tampered:
    path = pick(files, draw, lambda p: len(files[p]) > 0)
    cut = files[path][: draw.randrange(len(files[path]))]
    return Tampered({**files, path: cut}, (path,), group_of(path))


def extend(files: Files, draw: random.Random) -> Tampered:
    path = pick(files, draw)
    more = draw.choice([b"\n", b" ", b"\0", files[path] or b"x"])
    return Tampered({**files, path: files[path] + more}, (path,), group_of(path))


def remove(files: Files, draw: random.Random) -> Tampered:
    # Superseded tiles may go, as C2SP says: the newest ones hold all that was in them.
    newest = max(int(p.rpartition("/")[2]) for p in files if "/tile/0/" in p)
    path = pick(files, draw, lambda p: "/tile/" not in p or p.endswith(f"/{newest}"))
    left = {name: body for name, body in files.items() if name != path}
    return Tampered(left, (path,), group_of(path))


def exchange(files: Files, draw: random.Random) -> Tampered:
    """Swap two files of one kind."""
    while True:
        one = pick(files, draw)
        others = [p for p in files if group_of(p) == group_of(one) and files[p] != files[one]]
        if others:
            break
    two = draw.choice(others)
    swapped = {**files, one: files[two], two: files[one]}
    # The newest checkpoint hides the rest if it is the one that moved.
    named = (one, two)
    if group_of(one) in ("checkpoints", "entry bundles"):
        named = tuple(p for p in named if _is_newest(files, p)) or named
    return Tampered(swapped, named, group_of(one))


def _is_newest(files: Files, path: str) -> bool:
    newest = max(int(p.rpartition("/")[2]) for p in files if "/tile/0/" in p)
    return path.endswith("log/checkpoint") or ("/tile/" in path and path.endswith(f"/{newest}"))


def add(files: Files, draw: random.Random) -> Tampered:
    """Put a file where none belongs."""
    path = pick(files, draw, lambda p: not p.startswith("site/batches"))
    folder = path.rpartition("/")[0]
    name = f"{folder}/{draw.choice(['index.html', 'r9.json', 'fixing_X_r0_P.json', '.hidden'])}"
    return Tampered({**files, name: files[path]}, (name,))


# Signing anew -----------------------------------------------------------------------------------


def resign(files: Files, draw: random.Random) -> Tampered:
    """Replace a signature by one of another key over the same bytes."""
    path = pick(files, draw, lambda p: p.endswith(".sig"))
    signed = files[path.removesuffix(".sig")]
    seed = draw.randbytes(32)
    stranger = draw.choice([private_from_seed("ed25519", seed), STRANGER, DemoSigner("log")])
    return Tampered({**files, path: stranger.sign(signed)}, (path,), group_of(path))


def rewrite_record(files: Files, draw: random.Random) -> Tampered:
    """Change a record's value and sign it with the right key, in drop and site; the log stays."""
    path = pick(files, draw, lambda p: "_r" in p and p.endswith(".json"))
    record = raised(json.loads(files[path]))
    body = canonical(record)
    signature = DemoSigner("fixing").sign(body)
    twins = [p for p in files if p.endswith(".json") and files[p] == files[path]]
    changed = dict.fromkeys(twins, body) | {f"{name}.sig": signature for name in twins}
    return Tampered({**files, **changed}, (*twins, f"seq {record['seq']}"))


def rewrite_manifest(files: Files, draw: random.Random) -> Tampered:
    """Let a manifest say another thing and sign it by a wrong key, or by the right one."""
    path = pick(files, draw, lambda p: group_of(p) == "manifests")
    content = json.loads(files[path])
    line = draw.choice(content["files"])
    match draw.randrange(5):
        case 0:
            line["sha256"] = digest(draw.randbytes(8))
        case 1:
            content["files"].remove(line)
        case 2:
            content["previous"] = digest(draw.randbytes(8))
        case 3:
            draw.shuffle(content["files"])
        case _:
            content["log_size"] += draw.choice([-1, 1])
    body = canonical(content)
    if body == files[path]:
        return rewrite_manifest(files, draw)
    signer = draw.choice([STRANGER, DemoSigner("fixing")])
    changed = {path: body, f"{path}.sig": signer.sign(body)}
    return Tampered({**files, **changed}, (path.rpartition("/")[0],))


def swap_revisions(files: Files, draw: random.Random) -> Tampered:
    """Exchange r0 and r1 of a fixing, all their files, in the site or in the drop."""
    path = pick(files, draw, lambda p: p.endswith("/r0.json"))
    stems = path[:-5], path[:-6] + "1"
    if draw.random() < 0.5:
        zeros = sorted(
            p for p in files if p.startswith("drop/") and "_r0_" in p and p[-5:] == ".json"
        )
        zero = draw.choice(zeros)
        start = zero[: zero.index("_r0_")]
        one = next(p for p in files if p.startswith(f"{start}_r1_") and p.endswith(".json"))
        stems = zero[:-5], one[:-5]
    changed = {}
    for ending in (".json", ".json.sig", ".csv", ".xml", ".fix", ".tlog-proof"):
        changed[stems[0] + ending] = files[stems[1] + ending]
        changed[stems[1] + ending] = files[stems[0] + ending]
    return Tampered({**files, **changed}, tuple(f"{s}.json" for s in stems))


# Other histories --------------------------------------------------------------------------------


def logged(files: Files, bodies: list[bytes]) -> Files:
    """Return the tree with another log of these entries, sound and signed by the log's own keys."""
    kept = {p: b for p, b in files.items() if not p.startswith("site/log/")}
    tree = Tree()
    for body in bodies:
        tree.add(merkle.leaf_hash(body))
    for tile in tiles_of(len(bodies)):
        start = tile.index * 256
        kept[f"site/log/{tile.path}"] = (
            encode_bundle(bodies[start : start + tile.width])
            if tile.level == ENTRIES
            else b"".join(tree.hashes(tile))
        )
    text = checkpoint_text(ORIGIN, tree.head).encode()
    note = sign_checkpoint(text, keyring.demo(ORIGIN), AT)
    kept["site/log/checkpoint"] = kept[f"site/log/checkpoints/{len(bodies)}"] = note
    return kept


def duplicate(world: World, draw: random.Random) -> Tampered:
    """Log an entry twice, at the end or in place of another; the tree is sound and signed."""
    bodies = list(world.tree.bodies)
    seq = draw.randrange(len(bodies))
    if draw.random() < 0.5:
        bodies.append(bodies[seq])
        place = len(bodies) - 1
    else:
        place = draw.choice([n for n in range(len(bodies)) if n != seq])
        bodies[place] = bodies[seq]
    return Tampered(logged(world.tree.files, bodies), (f"seq {place}",))


def reorder(world: World, draw: random.Random) -> Tampered:
    """Exchange two entries; the tree is sound and signed."""
    bodies = list(world.tree.bodies)
    one, two = draw.sample(range(len(bodies)), 2)
    bodies[one], bodies[two] = bodies[two], bodies[one]
    return Tampered(logged(world.tree.files, bodies), (f"seq {one}", f"seq {two}"))


def leave_out(world: World, draw: random.Random) -> Tampered:
    """Leave out an entry and number the rest anew; the tree is sound and signed."""
    bodies = list(world.tree.bodies)
    gone = draw.randrange(5, len(bodies))
    left = [json.loads(body) for n, body in enumerate(bodies) if n != gone]
    again = [canonical({**r, "seq": seq}) if r["type"] != "key" else canonical(r)
             for seq, r in enumerate(left)]  # fmt: skip
    return Tampered(logged(world.tree.files, again), ("site/log/checkpoint",))


def fork(world: World, draw: random.Random) -> Tampered:
    """Show the whole of another history, signed by the right keys."""
    size = len(world.tree.bodies)
    return Tampered(world.fork.files, ("site/log/checkpoint", f"size {size}"))


def roll_back(world: World, draw: random.Random) -> Tampered:
    """Show the log as it was, all of it or its checkpoint alone."""
    sizes = [head.size for head in world.tree.heads[:-1]]
    if draw.random() < 0.3:
        return Tampered(world.earlier.files, ("site/log/checkpoint", f"size {sizes[-1]}"))
    size = draw.choice(sizes)
    note = world.tree.site[f"log/checkpoints/{size}"]
    changed = {**world.tree.files, "site/log/checkpoint": note}
    return Tampered(changed, ("site/log/checkpoint", f"size {size}"))


def splice(world: World, draw: random.Random) -> Tampered:
    """Put a folder of another log, or of a fork, in the place of ours."""
    source = draw.choice([world.other, world.fork]).files
    files = world.tree.files
    day = draw.choice(sorted({p.rpartition("/")[0] for p in files if "_r0_" in p or "/r0." in p}))
    changed = {p: b for p, b in source.items() if p.startswith(day + "/") and files.get(p) != b}
    # Manifests of a fork agree with its files: the records are what gives it away.
    records = tuple(p for p in changed if p.endswith(".json") and "MANIFEST" not in p)
    return Tampered({**files, **changed}, records)


def new_body(files: Files, draw: random.Random) -> Tampered:
    """Replace a cited body by another of its kind."""
    path = pick(files, draw, lambda p: p.startswith("site/batches/"))
    kind = path.rpartition("/")[0]
    twins = [p for p in files if p.startswith(kind) and files[p] != files[path]]
    body = files[draw.choice(twins)] if twins else files[path] + b"{}\n"
    return Tampered({**files, path: body}, (path,))


# The bundle -------------------------------------------------------------------------------------


def bundle_file(world: World, draw: random.Random) -> Tampered:
    """Change, cut, lengthen or remove a file of the bundle."""
    path = draw.choice(sorted(world.bundle))
    body, how = bytearray(world.bundle[path]), draw.randrange(4)
    files = dict(world.bundle)
    if how == 0 and body:
        body[draw.randrange(len(body))] ^= 1 << draw.randrange(8)
        files[path] = bytes(body)
    elif how == 1 and body:
        files[path] = bytes(body[: draw.randrange(len(body))])
    elif how == 2:
        files[path] = bytes(body) + b"{}\n"
    else:
        del files[path]
    return Tampered(files, (path.rpartition("/")[2].removesuffix(".sig"),))


def bundle_lines(world: World, draw: random.Random) -> Tampered:
    """Leave out, double or move a line of the bundle."""
    names = [n for n in world.bundle if n.endswith(".jsonl") and "/" not in n]
    path = draw.choice(sorted(n for n in names if world.bundle[n].count(b"\n") > 1))
    lines = world.bundle[path].splitlines(keepends=True)
    one, two = draw.sample(range(len(lines)), 2)
    match draw.randrange(3):
        case 0:
            del lines[one]
        case 1:
            lines.insert(two, lines[one])
        case _:
            lines[one], lines[two] = lines[two], lines[one]
    body = b"".join(lines)
    if body == world.bundle[path]:
        return bundle_lines(world, draw)
    return Tampered({**world.bundle, path: body}, (path,))


def bundle_value(world: World, draw: random.Random) -> Tampered:
    """Change a value in the records and sign record and list of contents by a wrong key."""
    lines = world.bundle["records.jsonl"].splitlines()
    places = [n for n, line in enumerate(lines) if b'\\"type\\":\\"fixing\\"' in line]
    place = draw.choice(places)
    told = json.loads(lines[place])
    told["leaf"] = canonical(raised(json.loads(told["leaf"]))).decode()
    lines[place] = canonical(told)
    body = b"\n".join(lines) + b"\n"
    return Tampered({**world.bundle, "records.jsonl": body}, (str(told["seq"]),))


def table_value(world: World, draw: random.Random) -> Tampered:
    """Change a cell of the tables, or take a row out, or double one."""
    tables, skipped = world.made
    tampered = world.tables.with_name("tampered.duckdb")
    shutil.copyfile(world.tables, tampered)
    name = draw.choice(sorted(n for n in tables if tables[n].height > 1 and n not in skipped))
    rows = tables[name]
    with duckdb.connect(tampered) as connection:
        match draw.randrange(4):
            case 0:
                connection.execute(
                    f"DELETE FROM {name} WHERE rowid = {draw.randrange(rows.height)}"
                )
            case 1:
                place = draw.randrange(rows.height)
                connection.execute(f"INSERT INTO {name} SELECT * FROM {name} WHERE rowid = {place}")
            case _:
                columns = [c for c in rows.columns if rows[c].n_unique() > 1]
                column, place = draw.choice(columns), draw.randrange(rows.height)
                others = [n for n in range(rows.height) if rows[column][n] != rows[column][place]]
                connection.execute(
                    f'UPDATE {name} SET "{column}" = (SELECT "{column}" FROM {name} WHERE rowid = '
                    f"{draw.choice(others)}) WHERE rowid = {place}"
                )
    return Tampered({}, (f"{tampered}: table {name}",), name)


OF_FILES: dict[str, Callable[[Files, random.Random], Tampered]] = {
    "flip": flip, "truncate": truncate, "extend": extend, "remove": remove, "add": add,
    "exchange": exchange, "resign": resign, "rewrite record": rewrite_record,
    "rewrite manifest": rewrite_manifest, "swap revisions": swap_revisions, "new body": new_body,
}  # fmt: skip
OF_LOGS: dict[str, Callable[[World, random.Random], Tampered]] = {
    "duplicate entry": duplicate, "reorder entries": reorder, "leave out entry": leave_out,
    "fork": fork, "roll back": roll_back, "splice": splice,
}  # fmt: skip
OF_BUNDLES: dict[str, Callable[[World, random.Random], Tampered]] = {
    "bundle file": bundle_file, "bundle lines": bundle_lines, "bundle value": bundle_value,
}  # fmt: skip
OF_TABLES: dict[str, Callable[[World, random.Random], Tampered]] = {"table value": table_value}
KINDS = (*OF_FILES, *OF_LOGS, *OF_BUNDLES, *OF_TABLES)
WEIGHTS = [12, 6, 4, 6, 3, 5, 4, 3, 4, 2, 3, 2, 2, 2, 1, 2, 3, 4, 3, 2, 1]


# The campaign -----------------------------------------------------------------------------------


def _seen(world: World) -> Seen:
    seen = verify_targets.verify(target_of(world.tree.files), world.trust).seen
    assert seen is not None
    return seen


def problems_of(world: World, tampered: Tampered, kind: str) -> list[str]:
    """Return what a stranger with a pinned root and a known head says of it."""
    found = Findings()
    if kind in OF_BUNDLES:
        fixing, log = DemoSigner("fixing").public, DemoSigner("log").public
        verify_bundles.check_files(tampered.files, Trust((fixing, log)), world.known[0], found)
    elif kind in OF_TABLES:
        seen = _seen(world)
        file = world.tables.with_name("tampered.duckdb")
        verify_tables.check_file(file, *world.made, seen, found)
        file.unlink()
    else:
        verify_targets.verify(target_of(tampered.files), world.trust, world.known, found)
    return [str(one) for one in found.problems]


@dataclass
class Tally:
    """Detected of injected by kind, and what was missed."""

    seed: int
    injected: Counter[str] = field(default_factory=Counter)
    detected: Counter[str] = field(default_factory=Counter)
    missed: list[str] = field(default_factory=list)

    def text(self) -> str:
        lines = [f"{'kind':<32} {'injected':>8} {'detected':>8}"]
        for kind in sorted(self.injected):
            lines.append(f"{kind:<32} {self.injected[kind]:>8,} {self.detected[kind]:>8,}")
        lines.append(
            f"{'all':<32} {sum(self.injected.values()):>8,} {sum(self.detected.values()):>8,}"
        )
        return "\n".join([*lines, *self.missed[:20]])


def campaign(world: World, count: int, seed: int) -> Tally:
    """Tamper ``count`` times, repeatably; nothing is raised for what is missed."""
    draw, tally = random.Random(seed), Tally(seed)
    for number in range(count):
        kind = KINDS[number] if number < len(KINDS) else draw.choices(KINDS, WEIGHTS)[0]
        if kind in OF_FILES:
            tampered = OF_FILES[kind](world.tree.files, draw)
        else:
            tampered = (OF_LOGS | OF_BUNDLES | OF_TABLES)[kind](world, draw)
        label = f"{kind}: {tampered.what}" if kind in ("flip", "table value") else kind
        tally.injected[label] += 1
        said = problems_of(world, tampered, kind)
        unnamed = [one for one in tampered.every if not any(one in text for text in said)]
        if said and not unnamed:
            tally.detected[label] += 1
        else:
            tally.missed.append(
                f"MISSED {number} {label}: not named {unnamed[:3]}; said {said[:3]}"
            )
    return tally


def main() -> None:
    """Run a campaign from the command line and print its figures."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--tamperings", type=int, default=10_000)
    parser.add_argument("--seed", type=int, default=None, help="repeat the draws of a campaign")
    parser.add_argument("--ledger", type=Path, default=None, help="a ledger of the small bundle")
    given = parser.parse_args()
    seed = random.SystemRandom().randrange(2**32) if given.seed is None else given.seed
    print(f"seed {seed}", flush=True)
    folder = Path(tempfile.mkdtemp(prefix="spotfix-tampering-"))
    try:
        source = given.ledger
        if source is None:
            settings = load(out=folder / "out", bundle=make_small_bundle(folder / "bundle"))
            pipeline.run_bundled(settings)
            source = settings.ledger
        tally = campaign(make_world(source, folder), given.tamperings, seed)
    finally:
        shutil.rmtree(folder)
    print(tally.text())
    if tally.missed or sum(tally.injected.values()) < given.tamperings or not tally.injected:
        raise SystemExit(f"{len(tally.missed)} of {given.tamperings} were missed")


if __name__ == "__main__":
    main()
