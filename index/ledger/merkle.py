"""The RFC 6962 tree: hashes, roots and the two proofs, in plain SHA-256.

A leaf is hashed with a leading 0x00 and a node with a leading 0x01, so that no leaf can pose as
a node. A tree of n leaves splits at the largest power of two below n (RFC 6962, 2.1).

The two ``verify`` functions need nothing of the log but a head, so a counterparty can run them
with this file alone. They return a bool: a false proof is an answer, not an accident.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Sequence

HASH_BYTES = 32
EMPTY_ROOT = hashlib.sha256(b"").digest()
"""Root of the tree without leaves (RFC 6962, 2.1)."""


def leaf_hash(body: bytes) -> bytes:
    """Return the 32-byte hash of one leaf."""
    return hashlib.sha256(b"\x00" + body).digest()


def node_hash(left: bytes, right: bytes) -> bytes:
    """Return the 32-byte hash of an inner node."""
    return hashlib.sha256(b"\x01" + left + right).digest()


class CompactRange:
    """The tree's right edge: enough to add leaves and to give the root after each one.

    Holds one hash for each bit set in the number of leaves, so 10,000 leaves need five.
    """

    def __init__(self) -> None:
        self.size = 0
        self._peaks: list[bytes] = []

    def add(self, hashed: bytes) -> None:
        """Add one leaf hash at the right."""
        size = self.size
        while size & 1:
            hashed = node_hash(self._peaks.pop(), hashed)
            size >>= 1
        self._peaks.append(hashed)
        self.size += 1

    def copy(self) -> CompactRange:
        """Return another right edge at the same size."""
        twin = CompactRange()
        twin.size, twin._peaks = self.size, list(self._peaks)
        return twin

    def root(self) -> bytes:
        """Return the root over all leaves added so far."""
        if not self._peaks:
            return EMPTY_ROOT
        result = self._peaks[-1]
        for peak in reversed(self._peaks[:-1]):
            result = node_hash(peak, result)
        return result


def root(leaf_hashes: Sequence[bytes]) -> bytes:
    """Return the root over ``leaf_hashes``, oldest first; :data:`EMPTY_ROOT` for none."""
    edge = CompactRange()
    for hashed in leaf_hashes:
        edge.add(hashed)
    return edge.root()


RootOf = Callable[[int, int], bytes]
"""Gives the root over leaves ``low`` to ``high`` (exclusive), a subtree of the tree."""


def inclusion_path(root_of: RootOf, index: int, size: int) -> list[bytes]:
    """Return the audit path of leaf ``index`` below ``size`` leaves, wherever their roots are kept.

    Lowest sibling first (RFC 6962, 2.1.1). The caller has checked the bounds.
    """
    path: list[bytes] = []
    low, high = 0, size
    while high - low > 1:
        middle = low + split(high - low)
        if index < middle:
            path.append(root_of(middle, high))
            high = middle
        else:
            path.append(root_of(low, middle))
            low = middle
    path.reverse()
    return path


def consistency_path(root_of: RootOf, old: int, new: int) -> list[bytes]:
    """Return the proof that ``old`` leaves are a prefix of ``new``, wherever their roots are kept.

    Empty when ``old`` is 0 or equals ``new`` (RFC 6962, 2.1.2). The caller has checked the bounds.
    """
    path: list[bytes] = []
    low, high = 0, new
    while old and high != old:
        middle = low + split(high - low)
        if old <= middle:
            path.append(root_of(middle, high))
            high = middle
        else:
            path.append(root_of(low, middle))
            low = middle
    if low:  # a subtree that is the whole old tree is known to the verifier: its root
        path.append(root_of(low, high))
    path.reverse()
    return path


def inclusion_proof(leaf_hashes: Sequence[bytes], index: int, size: int) -> list[bytes]:
    """Return the audit path of leaf ``index`` in the tree of the first ``size`` leaves.

    Raises:
        IndexError: not ``0 <= index < size <= len(leaf_hashes)``.
    """
    if not 0 <= index < size <= len(leaf_hashes):
        raise IndexError(f"leaf {index} of {size}, from {len(leaf_hashes)} leaves")
    return inclusion_path(lambda low, high: root(leaf_hashes[low:high]), index, size)


def verify_inclusion(
    hashed: bytes, index: int, size: int, proof: Sequence[bytes], expected_root: bytes
) -> bool:
    """Return whether ``proof`` shows leaf hash ``hashed`` at ``index`` below ``expected_root``."""
    if not 0 <= index < size:
        return False
    current, position, last = hashed, index, size - 1
    for sibling in proof:
        if last == 0 or len(sibling) != HASH_BYTES:
            return False
        if position & 1 or position == last:
            current = node_hash(sibling, current)
            # A node without a right sibling is carried up unhashed: climb to where it has one.
            while position and not position & 1:
                position >>= 1
                last >>= 1
        else:
            current = node_hash(current, sibling)
        position >>= 1
        last >>= 1
    return last == 0 and current == expected_root


def consistency_proof(leaf_hashes: Sequence[bytes], old: int, new: int) -> list[bytes]:
    """Return the proof that the first ``old`` leaves are a prefix of the first ``new``.

    Raises:
        IndexError: not ``0 <= old <= new <= len(leaf_hashes)``.
    """
    if not 0 <= old <= new <= len(leaf_hashes):
        raise IndexError(f"sizes {old} and {new}, from {len(leaf_hashes)} leaves")
    return consistency_path(lambda low, high: root(leaf_hashes[low:high]), old, new)


def verify_consistency(
    old: int, new: int, old_root: bytes, new_root: bytes, proof: Sequence[bytes]
) -> bool:
    """Return whether ``proof`` shows that the tree at ``old`` is a prefix of the one at ``new``."""
    if not 0 <= old <= new or any(len(item) != HASH_BYTES for item in proof):
        return False
    if old == new:
        return not proof and old_root == new_root
    if old == 0:
        return not proof and old_root == EMPTY_ROOT
    path = list(proof)
    if old & (old - 1) == 0:
        path.insert(0, old_root)  # old is a power of two: its root is itself a node of the new tree
    if not path:
        return False
    position, last = old - 1, new - 1
    while position & 1:
        position >>= 1
        last >>= 1
    of_old = of_new = path[0]
    for sibling in path[1:]:
        if last == 0:
            return False
        if position & 1 or position == last:
            of_old = node_hash(sibling, of_old)
            of_new = node_hash(sibling, of_new)
            while position and not position & 1:
                position >>= 1
                last >>= 1
        else:
            of_new = node_hash(of_new, sibling)
        position >>= 1
        last >>= 1
    return last == 0 and of_old == old_root and of_new == new_root


def split(size: int) -> int:
    """Return the largest power of two below ``size`` (2 or more)."""
    return 1 << ((size - 1).bit_length() - 1)
