"""RFC 6962 trees against published roots and paths, and against a second way of computing."""

from __future__ import annotations

import hashlib
import random
from collections.abc import Sequence
from functools import cache

import pytest
from hypothesis import given
from hypothesis import strategies as st

from index.ledger import merkle
from index.ledger.tiles import Tree

# The eight leaves of the Certificate Transparency reference vectors and their published roots.
LEAVES = [
    bytes.fromhex(text)
    for text in (
        "",
        "00",
        "10",
        "2021",
        "3031",
        "40414243",
        "5051525354555657",
        "606162636465666768696a6b6c6d6e6f",
    )
]
ROOTS = [
    "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855",
    "6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d",
    "fac54203e7cc696cf0dfcb42c92a1d9dbaf70ad9e621f4bd8d98662f00e3c125",
    "aeb6bcfe274b70a14fb067a5e5578264db0fa9b51af5e0ba159158f329e06e77",
    "d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7",
    "4e3bbb1f7b478dcfe71fb631631519a3bca12c9aefca1612bfce4c13a86264d4",
    "76e67dadbcdf1e10e1b74ddc608abd2f98dfb16fbce75277b5232a127f2087ef",
    "ddb89be403809e325750d3d263cd78929c2942b7942a34b77e122c9594a74c8c",
    "5dc9da79a70659a9ad559cb701ded9a2ab9d823aad2f4960cfe370eff4604328",
]
HASHED = [merkle.leaf_hash(leaf) for leaf in LEAVES]


@pytest.mark.parametrize("size", range(9), ids=lambda size: f"first_{size}_leaves")
def test_root_is_the_published_one(size: int) -> None:
    assert merkle.root(HASHED[:size]).hex() == ROOTS[size]


def test_every_audit_path_of_the_eight_leads_to_its_published_root() -> None:
    for size in range(1, 9):
        for index in range(size):
            found = merkle.inclusion_proof(HASHED, index, size)
            root = bytes.fromhex(ROOTS[size])
            assert merkle.verify_inclusion(HASHED[index], index, size, found, root)
        for old in range(size + 1):
            found = merkle.consistency_proof(HASHED, old, size)
            roots = bytes.fromhex(ROOTS[old]), bytes.fromhex(ROOTS[size])
            assert merkle.verify_consistency(old, size, *roots, found)


def test_audit_paths_are_the_published_ones() -> None:
    assert [item.hex() for item in merkle.inclusion_proof(HASHED, 0, 8)] == [
        "96a296d224f285c67bee93c30f8a309157f0daa35dc5b87e410b78630a09cfc7",
        "5f083f0a1a33ca076a95279832580db3e0ef4584bdff1f54c8a360f50de3031e",
        "6b47aaf29ee3c2af9af889bc1fb9254dabd31177f16232dd6aab035ca39bf6e4",
    ]
    assert [item.hex() for item in merkle.inclusion_proof(HASHED, 5, 8)] == [
        "bc1a0643b12e4d2d7c77918f44e0f4f79a838b6cf9ec5b5c283e1f4d88599e6b",
        "ca854ea128ed050b41b35ffc1b87b8eb2bde461e9e3b5596ece6b9d5975a0ae0",
        "d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7",
    ]


def test_consistency_proof_of_six_in_eight_is_the_published_one() -> None:
    assert [item.hex() for item in merkle.consistency_proof(HASHED, 6, 8)] == [
        "0ebc5d3437fbe2db158b9f126a1d118e308181031d0a949f8dededebc558ef6a",
        "ca854ea128ed050b41b35ffc1b87b8eb2bde461e9e3b5596ece6b9d5975a0ae0",
        "d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7",
    ]


def by_definition(hashes: list[bytes]) -> bytes:
    """The root as RFC 6962 section 2.1 words it: split, recurse, join."""
    if not hashes:
        return hashlib.sha256(b"").digest()
    if len(hashes) == 1:
        return hashes[0]
    split = 1
    while split * 2 < len(hashes):
        split *= 2
    left, right = by_definition(hashes[:split]), by_definition(hashes[split:])
    return hashlib.sha256(b"\x01" + left + right).digest()


MANY = [hashlib.sha256(b"\x00" + str(number).encode()).digest() for number in range(1025)]


def test_right_edge_gives_the_defined_root_at_every_size_to_1025() -> None:
    edge = merkle.CompactRange()
    for size, hashed in enumerate(MANY, start=1):
        edge.add(hashed)
        if size < 70 or size % 61 == 0 or size in (255, 256, 257, 1023, 1024, 1025):
            assert edge.root() == by_definition(MANY[:size]), size


# Every size to 1025 against the words of the RFC ------------------------------------------------


@cache
def hash_of(low: int, high: int) -> bytes:
    """MTH of leaves low to high (RFC 6962, 2.1): split, recurse, join."""
    if high - low == 1:
        return MANY[low]
    middle = low + split(high - low)
    joined = b"\x01" + hash_of(low, middle) + hash_of(middle, high)
    return hashlib.sha256(joined).digest()


def split(count: int) -> int:
    """The largest power of two smaller than count."""
    power = 1
    while power * 2 < count:
        power *= 2
    return power


def path(index: int, low: int, high: int) -> list[bytes]:
    """PATH(m, D[n]) of RFC 6962, 2.1.1."""
    if high - low == 1:
        return []
    middle = low + split(high - low)
    if index < middle:
        return [*path(index, low, middle), hash_of(middle, high)]
    return [*path(index, middle, high), hash_of(low, middle)]


def subproof(old: int, low: int, high: int, is_known: bool) -> list[bytes]:
    """SUBPROOF(m, D[n], b) of RFC 6962, 2.1.2; ``old`` counts from the first leaf of all."""
    if old == high:
        return [] if is_known else [hash_of(low, high)]
    middle = low + split(high - low)
    if old <= middle:
        return [*subproof(old, low, middle, is_known), hash_of(middle, high)]
    return [*subproof(old, middle, high, False), hash_of(low, middle)]


WHOLE = Tree()
for _leaf in MANY:
    WHOLE.add(_leaf)
EMPTY = hashlib.sha256(b"").digest()


def check_inclusion(size: int, indexes: Sequence[int]) -> int:
    root = hash_of(0, size)
    for index in indexes:
        proof = WHOLE.inclusion_proof(index, size)
        assert proof == path(index, 0, size), (index, size)
        assert merkle.verify_inclusion(MANY[index], index, size, proof, root), (index, size)
        assert not merkle.verify_inclusion(MANY[index], index + 1, size, proof, root), (index, size)
    return len(indexes)


def check_consistency(new: int, olds: Sequence[int]) -> int:
    root = hash_of(0, new)
    for old in olds:
        proof = WHOLE.consistency_proof(old, new)
        before = hash_of(0, old)
        assert proof == subproof(old, 0, new, True), (old, new)
        assert merkle.verify_consistency(old, new, before, root, proof), (old, new)
        assert not merkle.verify_consistency(old, new, before[::-1], root, proof), (old, new)
    return len(olds)


def test_every_proof_of_every_size_to_130() -> None:
    inclusion = sum(check_inclusion(size, range(size)) for size in range(1, 131))
    consistency = sum(check_consistency(new, range(1, new + 1)) for new in range(1, 131))
    assert inclusion == consistency == 130 * 131 // 2


def test_both_ends_the_middle_and_a_draw_of_every_size_to_1025() -> None:
    draw = random.Random(20261121)
    for size in range(1, 1026):
        some = {0, size - 1, size // 2, split(size + 1) - 1, draw.randrange(size)}
        check_inclusion(size, sorted(some))
        check_consistency(size, sorted(one + 1 for one in some))
        assert WHOLE.root_at(size) == hash_of(0, size)


@pytest.mark.campaign
def test_every_proof_of_every_size_to_1025() -> None:
    """`make campaign-merkle`: 526,000 audit paths and as many consistency proofs."""
    inclusion = sum(check_inclusion(size, range(size)) for size in range(1, 1026))
    consistency = sum(check_consistency(new, range(1, new + 1)) for new in range(1, 1026))
    assert inclusion == consistency == 1025 * 1026 // 2
    print(f"{inclusion:,} audit paths and {consistency:,} consistency proofs agree")


def test_the_tree_of_nothing() -> None:
    assert Tree().head.root == WHOLE.root_at(0) == EMPTY
    for size in range(1026):
        assert WHOLE.consistency_proof(0, size) == []
        assert merkle.verify_consistency(0, size, EMPTY, WHOLE.root_at(size), [])
    assert not merkle.verify_inclusion(MANY[0], 0, 0, [], EMPTY)


@given(new=st.integers(0, 1025), old=st.integers(0, 1025), index=st.integers(0, 1024))
def test_proofs_from_stored_nodes_are_those_from_all_leaves(new: int, old: int, index: int) -> None:
    stored = WHOLE.inclusion_proof, WHOLE.consistency_proof
    plain = merkle.inclusion_proof, merkle.consistency_proof
    for first, of_nodes, of_leaves in zip((index, old), stored, plain, strict=True):
        try:
            expected = of_leaves(MANY, first, new)
        except IndexError:
            with pytest.raises(IndexError):
                of_nodes(first, new)
        else:
            assert of_nodes(first, new) == expected


@pytest.mark.parametrize(("index", "size"), [(-1, 8), (8, 8), (0, 0), (5, 1026), (0, -1)])
def test_a_tree_proves_nothing_outside_itself(index: int, size: int) -> None:
    with pytest.raises(IndexError):
        WHOLE.inclusion_proof(index, size)
    with pytest.raises(IndexError):
        WHOLE.consistency_proof(size + 1, size)
    with pytest.raises(IndexError):
        WHOLE.root_at(1026 + abs(size))


def test_a_copy_grows_by_itself() -> None:
    small = Tree()
    for hashed in MANY[:100]:
        small.add(hashed)
    twin = small.copy()
    for hashed in MANY[100:]:
        twin.add(hashed)
    assert small.head.root == hash_of(0, 100)
    assert twin.head.root == hash_of(0, 1025)


def test_sampled_proofs_verify_up_to_1025_leaves_and_wrong_ones_do_not() -> None:
    draw = random.Random(20261120)
    for _ in range(150):
        new = draw.randint(2, 1025)
        old, index = draw.randint(1, new - 1), draw.randrange(new)
        old_root, new_root = merkle.root(MANY[:old]), merkle.root(MANY[:new])
        path = merkle.inclusion_proof(MANY, index, new)
        assert merkle.verify_inclusion(MANY[index], index, new, path, new_root)
        assert not merkle.verify_inclusion(MANY[index], (index + 1) % new, new, path, new_root)
        assert not merkle.verify_inclusion(MANY[index], index, new, path[:-1], new_root)
        assert not merkle.verify_inclusion(MANY[index], index, new, [*path, path[0]], new_root)
        assert not merkle.verify_inclusion(merkle.EMPTY_ROOT, index, new, path, new_root)
        proof = merkle.consistency_proof(MANY, old, new)
        assert merkle.verify_consistency(old, new, old_root, new_root, proof)
        assert not merkle.verify_consistency(old, new, new_root, new_root, proof)
        assert not merkle.verify_consistency(old, new, old_root, old_root, proof)
        assert not merkle.verify_consistency(old, new, old_root, new_root, proof[:-1])
        assert not merkle.verify_consistency(old, new, old_root, new_root, [*proof, proof[0]])
        at = draw.randrange(len(proof))
        bent = bytes([proof[at][0] ^ 1]) + proof[at][1:]
        changed = [*proof[:at], bent, *proof[at + 1 :]]
        assert not merkle.verify_consistency(old, new, old_root, new_root, changed)


@pytest.mark.parametrize(
    ("index", "size"),
    [(8, 8), (-1, 8), (0, 0), (0, 9)],
    ids=["leaf_beyond_size", "negative_leaf", "empty_tree", "tree_beyond_leaves"],
)
def test_no_audit_path_outside_the_tree(index: int, size: int) -> None:
    with pytest.raises(IndexError):
        merkle.inclusion_proof(HASHED, index, size)
    assert not merkle.verify_inclusion(HASHED[0], index, size, [], HASHED[0])


@pytest.mark.parametrize(("old", "new"), [(5, 4), (-1, 4), (1, 9)])
def test_no_consistency_proof_outside_the_tree(old: int, new: int) -> None:
    with pytest.raises(IndexError):
        merkle.consistency_proof(HASHED, old, new)


def test_one_forged_hash_for_every_proof_of_a_shrinking_log_fails() -> None:
    assert not merkle.verify_consistency(8, 4, bytes.fromhex(ROOTS[8]), bytes.fromhex(ROOTS[4]), [])
    assert not merkle.verify_consistency(0, 4, bytes.fromhex(ROOTS[1]), bytes.fromhex(ROOTS[4]), [])
    assert not merkle.verify_consistency(3, 3, bytes.fromhex(ROOTS[3]), bytes.fromhex(ROOTS[4]), [])
