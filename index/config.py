"""Settings: flag > ``SPOTFIX_*`` environment > ``spotfix.toml`` > default.

Secrets are never settings values: a source names the environment variable that holds its key.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from pydantic import BaseModel, ConfigDict, Field, ValidationError
from pydantic_settings import (
    BaseSettings,
    PydanticBaseSettingsSource,
    SettingsConfigDict,
    TomlConfigSettingsSource,
)

from methodology.errors import ConfigError


class SourceSettings(BaseModel):
    """What an operator may say of one source: another address, not to ask it, or that he may.

    ``accept_terms`` switches on a source whose terms stand against collecting: the operator says
    that he holds a licence.
    """

    model_config = ConfigDict(extra="forbid")

    url: str | None = None
    enabled: bool = True
    accept_terms: bool = False


class WitnessSettings(BaseModel):
    """One witness of the log (C2SP tlog-witness): where it listens and the key it signs with.

    ``url`` is what stands before ``/add-checkpoint``; ``key`` is its verifier key,
    ``name+hash+key`` (c2sp.org/signed-note).
    """

    model_config = ConfigDict(extra="forbid")

    url: str
    key: str


class Settings(BaseSettings):
    """Everything that may differ between two installations of the same software."""

    model_config = SettingsConfigDict(
        env_prefix="SPOTFIX_", env_nested_delimiter="__", extra="forbid", toml_file="spotfix.toml"
    )

    out: Path = Field(Path("out"), description="all state lives below this directory")
    bundle: Path = Field(Path("data/bundled"), description="the bundled history")
    log_origin: str = Field("spotfix-dev/log", description="the log's name for ever")
    administrator_id: str = Field("spotfix-dev", description="who is responsible for the values")
    contact: str = Field("see README", description="stands in the User-Agent of every request")
    deadline_seconds: float = Field(120.0, gt=0, description="for all sources together")
    allow_loopback: bool = Field(False, description="let sources point at this machine (tests)")
    sources: dict[str, SourceSettings] = Field(default_factory=dict)
    keys: Path = Field(
        default_factory=lambda given: given["out"] / "keys",
        description="where the keys are; default keys/ below out",
    )
    allow_demo_live: bool = Field(
        False, description="publish live with demonstration keys and names (tests)"
    )
    witnesses: list[WitnessSettings] = Field(
        default_factory=list, description="who is asked to countersign before a value is made"
    )
    witness_quorum: int = Field(
        0, ge=0, description="distinct witnesses without which a fixing is COMMIT_UNWITNESSED"
    )
    witness_seconds: float = Field(
        10.0, gt=0, description="for all witnesses and the time stamp together"
    )
    timestamp_authority: str | None = Field(
        None, description="address of an RFC 3161 time-stamp authority"
    )
    timestamp_roots: Path | None = Field(None, description="its trusted certificates, a PEM file")

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,
        file_secret_settings: PydanticBaseSettingsSource,
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        """Order the places a value may come from; the first that has it wins."""
        return init_settings, env_settings, TomlConfigSettingsSource(settings_cls)

    @property
    def ledger(self) -> Path:
        """The one truth."""
        return self.out / "ledger"

    @property
    def raw(self) -> Path:
        """The raw archive."""
        return self.out / "raw"

    @property
    def data(self) -> Path:
        """Projections: the analysts' file and Parquet."""
        return self.out / "data"

    @property
    def drop(self) -> Path:
        """What an exchange fetches: one folder for each session's day."""
        return self.out / "drop"

    @property
    def site(self) -> Path:
        """The public tree that any file server can serve."""
        return self.out / "site"

    @property
    def lock(self) -> Path:
        """The single writer's lock, outside the ledger."""
        return self.out / "publisher.lock"


def load(**flags: Any) -> Settings:
    """Return the settings in force; flags that are ``None`` were not given.

    Raises:
        ConfigError: an unknown or malformed setting; the message names it.
    """
    try:
        return Settings(**{k: v for k, v in flags.items() if v is not None})
    except ValidationError as error:
        first = error.errors()[0]
        name = ".".join(str(part) for part in first["loc"])
        raise ConfigError(
            f"setting {name!r}: {first['msg']} (saw {first.get('input')!r}); correct spotfix.toml, "
            f"the SPOTFIX_ environment or the flag"
        ) from error
