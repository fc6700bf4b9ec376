"""The registers: exact, unambiguous, complete for the catalogues they claim to cover."""

from __future__ import annotations

import gzip
import json
import os
from pathlib import Path

import polars as pl
import pytest

from methodology import register
from methodology.errors import DefinitionError
from methodology.register_lines import parse_gpus, parse_models, parse_providers

COUNTED_CLASSES = ("first_party", "host")
"""As the table of classes in ``methodology/instruments/README.md`` says."""

PROVIDER = """
[[provider]]
id = "acme"
group = "acme"
name = "Acme"
class = "host"
domicile = "US"
reviewed = 2026-11-20
why = "runs models on its own hardware"
[provider.spellings]
models_dev = ["acme", "Acme"]
"""

MODEL = """
[[model]]
id = "glm-5"
name = "GLM-5"
developer = "zhipu"
domicile = "CN"
open_weights = true
licence = "MIT"
reviewed = 2026-11-20
[model.listings]
models_dev = ["glm-5", "zai-org/GLM-5"]
[model.first_party]
group = "zhipu"
models_dev = ["zai/glm-5"]
"""

GPU = """
[[map]]
source = "gpurentalprices"
provider = "*"
listing = "h100_sxm"
instrument = "H100-SXM-80"
gpu_count = 8
url = "https://example.org/prices"
reviewed = 2026-11-20
why = "the page says SXM"
"""


def payload(name: str) -> Path:
    """Return a real captured body, or skip."""
    fallback = Path(__file__).parents[2] / "shared" / "payloads"
    file = Path(os.environ.get("SPOTFIX_PAYLOADS", fallback)) / name
    if not file.is_file():
        pytest.skip(f"real body {name} is not here; set SPOTFIX_PAYLOADS")
    return file


def test_a_good_provider_line_is_read_whole() -> None:
    (found,) = parse_providers(PROVIDER)
    assert (found.id, found.group, found.provider_class, found.domicile) == (
        "acme",
        "acme",
        "host",
        "US",
    )
    assert found.spellings == {"models_dev": ("acme", "Acme")}


@pytest.mark.parametrize(
    ("old", "new", "told"),
    [
        pytest.param('why = "', 'wy = "', "unknown key 'wy'", id="misspelled_key_is_refused"),
        pytest.param('group = "acme"\n', "", "'group' is missing", id="missing_key_is_refused"),
        pytest.param('"host"', '"hsot"', "class 'hsot'", id="unknown_class_is_refused"),
        pytest.param("models_dev", "modelsdev", "'modelsdev'", id="unknown_source_is_refused"),
        pytest.param(
            '["acme", "Acme"]', '["acme", "acme"]', "twice", id="spelling_twice_is_refused"
        ),
        pytest.param('["acme", "Acme"]', "[]", "not a list", id="no_spelling_is_refused"),
        pytest.param('["acme", "Acme"]', "[1]", "not a spelling", id="number_is_no_spelling"),
        pytest.param("2026-11-20", '"today"', "not a date", id="text_is_no_review_date"),
        pytest.param("[[provider]]", "[provider]", "[[provider]]", id="single_table_is_refused"),
        pytest.param("[[provider]]", "[[seller]]", "seller", id="unknown_table_is_refused"),
        pytest.param('id = "acme"', "id = ", "not valid TOML", id="broken_toml_is_refused"),
    ],
)
def test_bad_provider_lines_name_file_and_culprit(old: str, new: str, told: str) -> None:
    with pytest.raises(DefinitionError) as caught:
        parse_providers(PROVIDER.replace(old, new, 1), "sellers.toml")
    assert "sellers.toml" in str(caught.value)
    assert told in str(caught.value)


def test_a_provider_id_twice_quotes_the_second_line() -> None:
    with pytest.raises(DefinitionError, match=r"'acme' is listed twice \(line \d+: "):
        parse_providers(PROVIDER + PROVIDER)


@pytest.mark.parametrize(
    ("old", "new", "told"),
    [
        pytest.param("licence =", "license =", "unknown key 'license'", id="us_spelling"),
        pytest.param('licence = "MIT"\n', "", "needs a licence", id="open_without_licence"),
        pytest.param("true", "false", "needs a licence", id="closed_with_licence"),
        pytest.param("true", '"yes"', "true or false", id="text_is_no_flag"),
        pytest.param("models_dev =", "modeldev =", "'modeldev'", id="unknown_source"),
        pytest.param('"zai/glm-5"', '"zai/glm-5.1"', "'glm-5.1'", id="foreign_first_party"),
        pytest.param('group = "zhipu"', 'group = "z"', "not the developer", id="foreign_group"),
    ],
)
def test_bad_model_lines_are_refused(old: str, new: str, told: str) -> None:
    with pytest.raises(DefinitionError) as caught:
        parse_models(MODEL.replace(old, new, 1))
    assert told in str(caught.value)


def test_a_listing_mapped_to_two_models_is_refused_with_its_line() -> None:
    other = MODEL.replace('id = "glm-5"', 'id = "glm-5.1"')
    with pytest.raises(DefinitionError, match=r"'glm-5'.* listed twice \(line"):
        parse_models(MODEL + other)


def test_a_gpu_line_is_read_and_a_second_one_refused() -> None:
    (found,) = parse_gpus(GPU)
    assert (found.provider, found.listing, found.instrument, found.gpu_count) == (
        "*",
        "h100_sxm",
        "H100-SXM-80",
        8,
    )
    with pytest.raises(DefinitionError, match="mapped twice"):
        parse_gpus(GPU + GPU)
    with pytest.raises(DefinitionError, match="gpu_count"):
        parse_gpus(GPU.replace("= 8", "= 0"))


def listed(source: str) -> dict[str, str]:
    rows = register.token_listing_map().filter(pl.col("source") == source)
    return dict(rows.select("listing_id", "instrument_id").rows())


@pytest.mark.parametrize(
    "listing",
    [
        pytest.param("glm-5-turbo", id="glm_5_does_not_swallow_glm_5_turbo"),
        pytest.param("zai-org/GLM-5-Turbo", id="nor_in_another_spelling"),
        pytest.param("GLM-5 ", id="a_trailing_space_is_another_spelling"),
        pytest.param("glm-5:free", id="a_free_variant_is_no_offer"),
        pytest.param("MiniMax-M2.5-highspeed", id="highspeed_is_another_service"),
        pytest.param("kimi-k2.7-code-highspeed", id="highspeed_of_kimi_too"),
        pytest.param("glm5.2-fast", id="fast_is_another_service"),
        pytest.param("nvidia/GLM-5.1-NVFP4", id="four_bit_is_another_good"),
        pytest.param("deepseek-chat", id="an_alias_that_moves_is_no_good"),
        pytest.param("gpt-5.6", id="an_alias_of_sol_is_not_mapped"),
    ],
)
def test_other_goods_map_to_nothing(listing: str) -> None:
    assert listing not in listed("models_dev")


@pytest.mark.parametrize(
    ("source", "listing", "model"),
    [
        ("models_dev", "accounts/fireworks/models/glm-5p2", "glm-5.2"),
        ("models_dev", "glm-5", "glm-5"),
        ("models_dev", "openai.gpt-oss-120b-1:0", "gpt-oss-120b"),
        ("models_dev", "deepseek-v4-flash-0731", "deepseek-v4-flash-0731"),
        ("litellm", "groq/openai/gpt-oss-20b", "gpt-oss-20b"),
        ("genai_prices", "claude-opus-4-8", "claude-opus-4.8"),
        ("openrouter_activity", "qwen/qwen3-coder", "qwen3-coder-480b-a35b"),
        ("openrouter_endpoints", "z-ai/glm-5", "glm-5"),
    ],
)
def test_exact_ids_map_to_their_model(source: str, listing: str, model: str) -> None:
    assert listed(source)[listing] == model


def test_only_models_the_register_holds_have_kindred_names() -> None:
    """No listing contains a word that marks another service level or price class."""
    words = ("turbo", "-fast", "highspeed", ":free", "batch", "nvfp4", "us-gov", "stealth")
    found = register.token_listing_map()["listing_id"].str.to_lowercase().to_list()
    assert [name for name in found if any(word in name for word in words)] == []


@pytest.mark.parametrize(
    ("spellings", "group"),
    [
        pytest.param(["moonshotai", "moonshotai-cn"], "moonshot", id="moonshot_twins"),
        pytest.param(["zai", "zhipuai", "zai-coding-plan"], "zhipu", id="zai_is_zhipu"),
        pytest.param(["minimax", "minimax-cn"], "minimax", id="minimax_twins"),
        pytest.param(["siliconflow", "siliconflow-cn"], "siliconflow", id="siliconflow_twins"),
        pytest.param(["azure", "azure-cognitive-services"], "microsoft", id="azure_is_one"),
        pytest.param(["google", "google-vertex"], "google", id="vertex_is_google"),
        pytest.param(["novita-ai", "jiekou"], "ppio", id="jiekou_is_novitas_group"),
    ],
)
def test_twins_share_one_vote(spellings: list[str], group: str) -> None:
    rows = register.provider_map(register.load_providers())
    rows = rows.filter((pl.col("source") == "models_dev") & pl.col("spelling").is_in(spellings))
    assert rows.height == len(spellings)
    assert rows["group"].unique().to_list() == [group]


@pytest.mark.parametrize(
    ("spelling", "counted"),
    [
        ("deepinfra", True),
        ("zai", True),
        ("openrouter", False),
        ("kilo", False),
        ("zai-coding-plan", False),
        ("github-copilot", False),
        ("nvidia", False),
        ("lmstudio", False),
        ("moonshotai-cn", False),
        ("scaleway", False),
    ],
)
def test_only_hosts_and_first_parties_count(spelling: str, counted: bool) -> None:
    rows = register.provider_map(register.load_providers())
    rows = rows.filter((pl.col("source") == "models_dev") & (pl.col("spelling") == spelling))
    assert (rows["provider_class"].item() in COUNTED_CLASSES) is counted


def test_every_provider_of_the_real_catalogues_has_a_line() -> None:
    body = json.loads(
        gzip.decompress(payload("tokens/models_dev/2026-08-12.api.json.gz").read_bytes())
    )
    assert len(body) == 183
    past = pl.read_parquet(payload("tokens/models_dev_changes.parquet"))["provider"].unique()
    litellm = pl.read_parquet(payload("tokens/litellm_changes.parquet"))["litellm_provider"]
    rows = register.provider_map(register.load_providers())
    known = {
        source: set(rows.filter(pl.col("source") == source)["spelling"])
        for source in ("models_dev", "litellm")
    }
    assert (set(body) | set(past)) - known["models_dev"] == set()
    assert set(litellm.drop_nulls().unique()) - known["litellm"] == set()


def test_every_seller_of_genai_prices_has_a_line() -> None:
    from genai_prices.data import providers

    rows = register.provider_map(register.load_providers())
    known = set(rows.filter(pl.col("source") == "genai_prices")["spelling"])
    assert {p.id for p in providers} - known == set()


def test_panels_on_the_real_body_are_as_counted_by_hand() -> None:
    """gpt-oss-120b on 2026-08-12: sellers read off the body one by one."""
    body = json.loads(
        gzip.decompress(payload("tokens/models_dev/2026-08-12.api.json.gz").read_bytes())
    )
    rows = register.provider_map(register.load_providers()).filter(pl.col("source") == "models_dev")
    sellers = {r["spelling"]: r for r in rows.iter_rows(named=True)}
    ids = {k for k, v in listed("models_dev").items() if v == "gpt-oss-120b"}
    groups = {
        sellers[seller]["group"]
        for seller, entry in body.items()
        for name, model in entry["models"].items()
        if name in ids
        and sellers[seller]["provider_class"] in COUNTED_CLASSES
        and model.get("cost", {}).get("input", 0) > 0
    }
    assert groups == {
        *("amazon", "baseten", "cerebras", "cloudflare", "coreweave", "deepinfra", "digitalocean"),
        *("fireworks", "google", "groq", "io-net", "near", "nebius", "ppio", "scx"),
        *("siliconflow", "tinfoil", "together"),
    }


def test_first_party_prices_stand_with_their_own_developer() -> None:
    [opus] = [one for one in register.load_models() if one.id == "claude-opus-4.8"]
    assert opus.developer == "anthropic"
    assert sorted(opus.first_party) == [
        ("genai_prices", "anthropic", "claude-opus-4-8"),
        ("litellm", "anthropic", "claude-opus-4-8"),
        ("models_dev", "anthropic", "claude-opus-4-8"),
    ]


def test_frames_have_the_columns_others_join_on() -> None:
    assert register.token_listing_map().columns == ["source", "listing_id", "instrument_id"]
    providers = register.provider_map(register.load_providers())
    assert providers.columns == [
        *("source", "spelling", "provider", "group", "provider_class", "domicile")
    ]
    assert providers.select("source", "spelling").is_duplicated().sum() == 0
