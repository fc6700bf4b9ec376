"""The signatures of the offline verifier: RFC 8032's own vectors, a second library, bad keys."""

from __future__ import annotations

import base64
import random

import pytest
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from index.audit import verify_offline as vo
from index.ledger import merkle

HEAD = bytes.fromhex("302a300506032b6570032100")


def pem(raw: bytes, head: bytes = HEAD, label: str = "PUBLIC KEY") -> bytes:
    text = base64.b64encode(head + raw).decode()
    return f"-----BEGIN {label}-----\n{text}\n-----END {label}-----\n".encode()


def key(raw: bytes) -> vo.Key:
    return vo.Key(pem(raw), "fixing")


# RFC 8032, 7.1: TEST 1, 2 and 3.
VECTORS = [
    pytest.param(
        "d75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a", "",
        "e5564300c360ac729086e2cc806e828a84877f1eb8e5d974d873e065224901555fb8821590a33bacc61e39701cf9"
        "b46bd25bf5f0595bbe24655141438e7a100b", id="test_1",
    ),
    pytest.param(
        "3d4017c3e843895a92b70aa74d1b7ebc9c982ccf2ec4968cc0cd55f12af4660c", "72",
        "92a009a9f0d4cab8720e820b5f642540a2b27b5416503f8fb3762223ebdb69da085ac1e43e15996e458f3613d0f1"
        "1d8c387b2eaeb4302aeeb00d291612bb0c00", id="test_2",
    ),
    pytest.param(
        "fc51cd8e6218a1a38da47ed00230f0580816ed13ba3303ac5deb911548908025", "af82",
        "6291d657deec24024827e69c3abe01a30ce548a284743a445e3680d7db5ac3ac18ff9b538d16f290ae67f760984d"
        "c6594a7c15e9716ed28dc027beceea1ec40a", id="test_3",
    ),
]  # fmt: skip


@pytest.mark.parametrize(("public", "message", "signature"), VECTORS)
def test_vectors_of_the_standard(public: str, message: str, signature: str) -> None:
    one, body, sig = key(bytes.fromhex(public)), bytes.fromhex(message), bytes.fromhex(signature)
    assert one.signed(body, sig)
    assert not one.signed(body + b"\0", sig)
    assert not one.signed(body, sig[:63])
    assert not one.signed(body, sig + b"\0")
    assert not one.signed(body, b"")
    s = int.from_bytes(sig[32:], "little")
    assert not one.signed(body, sig[:32] + (s + vo.L).to_bytes(32, "little"))
    for place in range(0, 64, 7):
        changed = bytearray(sig)
        changed[place] ^= 1 << (place % 8)
        assert not one.signed(body, bytes(changed))


# The eight points whose order divides 8, in their one form, and other spellings of some.
SMALL = [
    "0100000000000000000000000000000000000000000000000000000000000000",
    "ecffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
    "0000000000000000000000000000000000000000000000000000000000000000",
    "0000000000000000000000000000000000000000000000000000000000000080",
    "26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc05",
    "26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc85",
    "c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac037a",
    "c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac03fa",
]
OTHER_FORM = [
    "0100000000000000000000000000000000000000000000000000000000000080",
    "edffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
    "eeffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
    "ecffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff",
    "ffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
    "0200000000000000000000000000000000000000000000000000000000000000",
]


@pytest.mark.parametrize("raw", SMALL)
def test_a_key_under_which_anything_is_signed_is_refused(raw: str) -> None:
    with pytest.raises(ValueError, match="small order"):
        key(bytes.fromhex(raw))


@pytest.mark.parametrize("raw", OTHER_FORM)
def test_a_key_in_another_form_or_off_the_curve_is_refused(raw: str) -> None:
    with pytest.raises(ValueError, match="not a point of the curve in its one form"):
        key(bytes.fromhex(raw))


GOOD = bytes.fromhex("d75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a")


@pytest.mark.parametrize(
    "text",
    [
        pytest.param(pem(GOOD, label="PRIVATE KEY"), id="a_private_key"),
        pytest.param(pem(GOOD[:31]), id="a_byte_too_few"),
        pytest.param(pem(GOOD + b"\0"), id="a_byte_too_many"),
        pytest.param(pem(GOOD, bytes.fromhex("302a300506032b656e032100")), id="an_x25519_key"),
        pytest.param(b"", id="nothing"),
        pytest.param(b"-----BEGIN PUBLIC KEY-----\n!\n-----END PUBLIC KEY-----\n", id="no_base64"),
        pytest.param("kéy".encode(), id="no_ascii"),
    ],
)
def test_what_is_no_key_file_is_refused(text: bytes) -> None:
    with pytest.raises(ValueError):  # noqa: PT011 -- each has words of its own
        vo.Key(text, "fixing")


def test_it_agrees_with_a_second_library_on_true_and_on_mutated_signatures() -> None:
    draw = random.Random(8032)
    compared = refused = 0
    for _ in range(6):
        private = Ed25519PrivateKey.from_private_bytes(draw.randbytes(32))
        public = private.public_key()
        text = public.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
        mine = vo.Key(text, "fixing")
        for _ in range(40):
            message = draw.randbytes(draw.randrange(200))
            signature = bytearray(private.sign(message))
            if draw.random() < 0.6:
                signature[draw.randrange(64)] ^= 1 << draw.randrange(8)
            try:
                public.verify(bytes(signature), message)
                expected = True
            except InvalidSignature:
                expected = False
            assert mine.signed(message, bytes(signature)) == expected
            compared, refused = compared + 1, refused + (not expected)
    assert compared == 240
    assert 100 < refused < 200


@pytest.mark.parametrize("size", [*range(1, 18), 31, 32, 33, 100])
def test_proofs_agree_with_the_ledger_s_own(size: int) -> None:
    leaves = [merkle.leaf_hash(b"%d" % n) for n in range(size)]
    root = merkle.root(leaves)
    assert vo.root_of(leaves) == root
    for place in range(size):
        path = merkle.inclusion_proof(leaves, place, size)
        assert vo.root_from(leaves[place], place, size, path) == root
        assert vo.root_from(leaves[place], place, size, [*path, root]) != root
        assert not path or vo.root_from(leaves[place], place, size, path[1:]) != root
    for old in range(1, size + 1):
        path = merkle.consistency_proof(leaves, old, size)
        before = merkle.root(leaves[:old])
        assert vo.roots_from(old, size, before, path) == [before, root]
        assert vo.roots_from(old, size, before, [*path, root]) != [before, root]
        assert old == size or vo.roots_from(old, size, root, path) != [root, root]


@pytest.mark.parametrize(
    ("value", "places", "text"),
    [(0.5, 0, "1"), (-0.5, 0, "0"), (-1.5, 0, "-1"), (0.125, 2, "0.13"), (0, 4, "0.0000")],
)
def test_halves_go_up(value: float, places: int, text: str) -> None:
    assert vo.shown(vo.Fraction(value), places) == text


def test_five_sellers_of_the_rulebook() -> None:
    """Rulebook 15.1: weights 0.24 thrice, 0.14 twice, and 2.4000."""
    volumes = {"ash": 900, "birch": 400, "cedar": 100, "elm": None, "fir": 25}
    weights = vo.weights_anew(volumes, "V2", False)
    assert weights == {
        "ash": 24_000_000, "birch": 24_000_000, "cedar": 24_000_000, "elm": 14_000_000,
        "fir": 14_000_000,
    }  # fmt: skip
    prices = {"cedar": 1_990, "ash": 2_100, "birch": 2_400, "elm": 2_790, "fir": 3_500}
    panel = sorted((p * 10**6, g, weights[g]) for g, p in prices.items())
    assert vo.shown(vo.rate_of(panel, "weighted_median")[0], 4) == "2.4000"
    four = vo.weights_anew({g: v for g, v in volumes.items() if g != "elm"}, "V2", False)
    assert list(four.values()) == [30_000_000, 30_000_000, 26_666_667, 13_333_333]


def test_ten_sellers_of_the_rulebook() -> None:
    """Rulebook 15.2: a quarter of the weight cut from each tail, and 0.282000."""
    cents = (10, 20, 24, 25, 27, 28, 30, 38, 60, 90)
    panel = [(c * 10**7, f"g{n:02}", 10_000_000) for n, c in enumerate(cents)]
    value, kept = vo.rate_of(panel, "trimmed_mean_25")
    assert vo.shown(value, 6) == "0.282000"
    assert [k / 10**8 for k in kept] == [0, 0, 0.2, 0.4, 0.4, 0.4, 0.4, 0.2, 0, 0]
