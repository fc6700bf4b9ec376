"""A suggestion is the same good or none; a word that makes another good is never overlooked."""

from __future__ import annotations

import pytest

from index.suggest import suggest, suggest_seller, words


@pytest.mark.parametrize(
    ("listing", "instrument"),
    [
        pytest.param("deepseek-ai/DeepSeek-V4-Flash", "deepseek-v4-flash", id="case and folder"),
        pytest.param("glm-5p2", "glm-5.2", id="a point written as p"),
        pytest.param("accounts/acme/models/gpt-oss-120b", "gpt-oss-120b", id="a long path"),
        pytest.param("DeepSeek V4 Flash Turbo", None, id="turbo is another good"),
        pytest.param("gpt-oss-120b-free", None, id="free is another good"),
        pytest.param("gpt-oss-121b", None, id="another number is another good"),
        pytest.param("glm-5.3-air", None, id="air is another good"),
        pytest.param("", None, id="nothing"),
        pytest.param("🙂", None, id="no word"),
    ],
)
def test_a_model_is_suggested_by_its_words(listing: str, instrument: str | None) -> None:
    found = suggest("tokens", "acme", "Acme", listing)
    assert (found.instrument if found else None) == instrument


@pytest.mark.parametrize(
    ("listing", "instrument"),
    [
        pytest.param("NVIDIA H100 SXM5 80GB", "H100-SXM-80", id="maker, form and memory"),
        pytest.param("gpu_8x_h100_sxm5", "H100-SXM-80", id="eight of them, memory left out"),
        pytest.param("A100 SXM4 40GB", "A100-SXM-40", id="forty is not eighty"),
        pytest.param("H100 SXM 40GB", None, id="a memory no H100 has"),
        pytest.param("RTX 3090", None, id="a good no index knows"),
    ],
)
def test_a_gpu_is_suggested_by_chip_form_and_memory(listing: str, instrument: str | None) -> None:
    found = suggest("gpus", "acme", "Acme", listing)
    assert (found.instrument if found else None) == instrument


def test_a_line_is_ready_to_paste_but_for_what_only_a_person_knows() -> None:
    found = suggest("gpus", "acme", 'Ac"me', "H100 SXM 80")
    assert found is not None
    assert found.register == "gpus.toml"
    assert 'provider = "Ac\\"me"' in found.line
    assert 'url = "", reviewed = YYYY-MM-DD' in found.line


def test_what_has_no_goods_has_no_suggestion() -> None:
    assert suggest("volumes", "acme", "", "deepseek-v4-flash") is None


def test_words_leave_out_what_names_no_good() -> None:
    assert words("NVIDIA GeForce RTX 4090 GPU") == ("rtx", "4090")


@pytest.mark.parametrize(
    ("spelling", "seller"),
    [("Deep Infra", "deepinfra"), ("together-ai", "together"), ("zzz", None)],
)
def test_a_seller_is_suggested_by_its_letters(spelling: str, seller: str | None) -> None:
    assert suggest_seller(spelling, ["together", "deepinfra", "novita"]) == seller
