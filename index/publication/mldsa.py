"""ML-DSA-44 signatures that are the same bytes every time, for the demonstration key alone.

The library in use signs hedged: it mixes fresh randomness into every signature, as FIPS 204
recommends. The bundled run must end in the same bytes on every machine, so its demonstration key
signs with the deterministic variant of FIPS 204 (algorithm 2 with ``rnd`` of 32 zero bytes),
written out here after the standard. It takes no care to hide the key from whoever times it:
everyone knows that key. Keys of an operator never come here.

Names of constants and steps are those of FIPS 204; algorithm numbers are given.
"""

from __future__ import annotations

import hashlib
from functools import lru_cache
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

Poly = NDArray[np.int64]

Q: Final = 8_380_417
D: Final = 13
TAU: Final = 39
GAMMA1: Final = 1 << 17
GAMMA2: Final = (Q - 1) // 88
K: Final = 4
L: Final = 4
ETA: Final = 2
BETA: Final = TAU * ETA
OMEGA: Final = 80
N: Final = 256


class Deterministic:
    """The deterministic signer of one 32-byte seed."""

    def __init__(self, seed: bytes) -> None:
        """Expand the seed (algorithm 6)."""
        expanded = _shake(seed + bytes((K, L)), 128)
        rho, rho_prime, self._k = expanded[:32], expanded[32:96], expanded[96:]
        self._a = np.array([[_uniform(rho + bytes((s, r))) for s in range(L)] for r in range(K)])
        short = np.array([_short(rho_prime + n.to_bytes(2, "little")) for n in range(L + K)])
        self._s1, self._s2 = _ntt(short[:L]), _ntt(short[L:])
        t = (_inverse(self._times_a(self._s1)) + short[L:]) % Q
        t0 = t % (1 << D)
        t0 = np.where(t0 > 1 << (D - 1), t0 - (1 << D), t0)
        self._t0 = _ntt(t0)
        self.public = rho + b"".join(_pack(row, 10) for row in (t - t0) >> D)
        self._tr = _shake(self.public, 64)

    def sign(self, message: bytes) -> bytes:
        """Return the signature over ``message`` with an empty context (algorithms 2 and 7)."""
        mu = _shake(self._tr + b"\x00\x00" + message, 64)
        seed = _shake(self._k + bytes(32) + mu, 64)
        kappa = 0
        while True:
            y = np.array([_mask(seed, kappa + n) for n in range(L)])
            kappa += L
            w = _inverse(self._times_a(_ntt(y)))
            w1 = _decompose(w)[0]
            c_tilde = _shake(mu + b"".join(_pack(row, 6) for row in w1), 32)
            c = _ntt(_in_ball(c_tilde))
            z = _centred(y + _inverse(c * self._s1 % Q))
            low = (w - _inverse(c * self._s2 % Q)) % Q
            if np.abs(z).max() >= GAMMA1 - BETA:
                continue
            if np.abs(_decompose(low)[1]).max() >= GAMMA2 - BETA:
                continue
            ct0 = _centred(_inverse(c * self._t0 % Q))
            hints = _decompose(low)[0] != _decompose((low + ct0) % Q)[0]
            if np.abs(ct0).max() < GAMMA2 and hints.sum() <= OMEGA:
                return c_tilde + b"".join(_pack(GAMMA1 - row, 18) for row in z) + _hint(hints)

    def _times_a(self, vector: Poly) -> Poly:
        result: Poly = (self._a * vector % Q).sum(axis=1) % Q
        return result


def _shake(message: bytes, size: int) -> bytes:
    return hashlib.shake_256(message).digest(size)


def _uniform(seed: bytes) -> Poly:
    """Return a polynomial of uniform coefficients, as a transform (algorithm 30)."""
    raw = np.frombuffer(hashlib.shake_128(seed).digest(3 * 512), np.uint8).reshape(-1, 3)
    found = raw.astype(np.int64) @ np.array((1, 1 << 8, 1 << 16))
    found &= (1 << 23) - 1
    kept: Poly = found[found < Q][:N]  # of 512 draws one in a thousand is refused
    return kept


def _short(seed: bytes) -> Poly:
    """Return a polynomial of coefficients from -ETA to ETA (algorithm 31)."""
    raw = np.frombuffer(_shake(seed, 512), np.uint8).astype(np.int64)
    halves = np.stack((raw & 15, raw >> 4), axis=1).ravel()
    return ETA - halves[halves < 15][:N] % 5


def _mask(seed: bytes, number: int) -> Poly:
    """Return one polynomial of the mask y (algorithm 34)."""
    bits = np.unpackbits(
        np.frombuffer(_shake(seed + number.to_bytes(2, "little"), 32 * 18), np.uint8),
        bitorder="little",
    )
    values: Poly = GAMMA1 - bits.reshape(N, 18).astype(np.int64) @ (1 << np.arange(18))
    return values


def _in_ball(seed: bytes) -> Poly:
    """Return a polynomial with TAU coefficients of 1 or -1 (algorithm 29)."""
    stream = _shake(seed, 1024)
    signs = int.from_bytes(stream[:8], "little")
    c = np.zeros(N, np.int64)
    at = 8
    for i in range(N - TAU, N):
        while stream[at] > i:
            at += 1
        j = stream[at]
        at += 1
        c[i] = c[j]
        c[j] = 1 - 2 * (signs & 1)
        signs >>= 1
    return c


def _decompose(r: Poly) -> tuple[Poly, Poly]:
    """Return high and low part of each coefficient (algorithm 36)."""
    low = r % (2 * GAMMA2)
    low = np.where(low > GAMMA2, low - 2 * GAMMA2, low)
    top = r - low == Q - 1
    return np.where(top, 0, (r - low) // (2 * GAMMA2)), np.where(top, low - 1, low)


def _centred(values: Poly) -> Poly:
    values = values % Q
    return np.where(values > Q // 2, values - Q, values)


def _pack(values: Poly, width: int) -> bytes:
    """Return coefficients as bits, lowest first (algorithm 16)."""
    bits = (values[:, None] >> np.arange(width)) & 1
    return np.packbits(bits.astype(np.uint8).ravel(), bitorder="little").tobytes()


def _hint(hints: NDArray[np.bool_]) -> bytes:
    """Return the places of the hints (algorithm 20)."""
    encoded = bytearray(OMEGA + K)
    at = 0
    for row in range(K):
        for place in np.flatnonzero(hints[row]):
            encoded[at] = int(place)
            at += 1
        encoded[OMEGA + row] = at
    return bytes(encoded)


@lru_cache(maxsize=1)
def _zetas() -> tuple[int, ...]:
    """Return powers of the root of unity 1753, in bit-reversed order (appendix B)."""
    return tuple(pow(1753, int(f"{n:08b}"[::-1], 2), Q) for n in range(N))


def _ntt(values: Poly) -> Poly:
    """Return the transform along the last axis (algorithm 41)."""
    a: Any = values % Q
    zetas = np.array(_zetas())
    blocks = 1
    while blocks < N:
        a = a.reshape(*values.shape[:-1], blocks, 2, N // (2 * blocks))
        t = zetas[blocks : 2 * blocks, None] * a[..., 1, :] % Q
        a = np.stack(((a[..., 0, :] + t) % Q, (a[..., 0, :] - t) % Q), axis=-2)
        blocks *= 2
    result: Poly = a.reshape(values.shape)
    return result


def _inverse(values: Poly) -> Poly:
    """Return what :func:`_ntt` made ``values`` from (algorithm 42)."""
    a: Any = values
    zetas = np.array(_zetas())
    blocks = N // 2
    while blocks:
        a = a.reshape(*values.shape[:-1], blocks, 2, N // (2 * blocks))
        factor = Q - zetas[blocks : 2 * blocks][::-1, None]
        low, high = a[..., 0, :], a[..., 1, :]
        a = np.stack(((low + high) % Q, factor * ((low - high) % Q) % Q), axis=-2)
        blocks //= 2
    result: Poly = a.reshape(values.shape) * pow(N, -1, Q) % Q
    return result
