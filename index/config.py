"""Settings: flag > ``SPOTFIX_*`` environment > ``spotfix.toml`` > default.

Secrets are never settings values: a source names the environment variable that holds its key.
"""

from __future__ import annotations

import difflib
import os
import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator
from pydantic_settings import (
    BaseSettings,
    PydanticBaseSettingsSource,
    SettingsConfigDict,
    SettingsError,
    TomlConfigSettingsSource,
)

from methodology.errors import ConfigError

PREFIX: Final = "SPOTFIX_"
FILE: Final = "spotfix.toml"
NO_SETTINGS: Final = (
    "SPOTFIX_DEBUG", "SPOTFIX_FAILPOINT", "SPOTFIX_FAILPOINT_STOP", "SPOTFIX_FAILPOINTS_ALLOWED",
    "SPOTFIX_PAYLOADS", "SPOTFIX_VECTORS", "SPOTFIX_LIVES",
)  # fmt: skip
"""Variables with our prefix that are switches of the program and its tests."""

BUNDLE = Path("data", "bundled")
_PACKAGE = Path(__file__).resolve().parent
_SHIPPED = (_PACKAGE / "bundled", _PACKAGE.parent / BUNDLE)
"""Where an installed wheel and a repository have the bundled history."""


def bundle_folder() -> Path:
    """Return ``data/bundled`` of the working folder if it is there, else the one that was shipped.

    With neither it is ``data/bundled``, so that an error names what is looked for.
    """
    places = (BUNDLE, *_SHIPPED)
    return next((one for one in places if (one / "MANIFEST.json").is_file()), BUNDLE)


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
        env_prefix=PREFIX, env_nested_delimiter="__", extra="forbid", toml_file=FILE
    )

    out: Path = Field(Path("out"), description="all state lives below this directory")
    bundle: Path = Field(
        default_factory=bundle_folder,
        description="the bundled history; default data/bundled, else the one installed",
    )
    log_origin: str = Field("spotfix-dev/log", description="the log's name for ever")
    administrator_id: str = Field("spotfix-dev", description="who is responsible for the values")
    contact: str = Field("see README", description="stands in the User-Agent of every request")
    deadline_seconds: float = Field(
        120.0, gt=0, allow_inf_nan=False, description="for all sources together"
    )
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
        10.0,
        gt=0,
        allow_inf_nan=False,
        description="for all witnesses and the time stamp together",
    )
    timestamp_authority: str | None = Field(
        None, description="address of an RFC 3161 time-stamp authority"
    )
    timestamp_roots: Path | None = Field(None, description="its trusted certificates, a PEM file")

    @field_validator("out", "bundle", "keys", "timestamp_roots", mode="before")
    @classmethod
    def _place(cls, given: object) -> object:
        """Refuse an empty path, which would be the working folder, and know ``~``."""
        if given == "":
            raise ValueError("is empty; write a path, '.' for the working folder")
        if isinstance(given, str) and given.startswith("~"):
            return os.path.expanduser(given)
        return given

    @field_validator("log_origin")
    @classmethod
    def _name_of_a_log(cls, given: str) -> str:
        from index.ledger.tiles import check_origin

        check_origin(given)
        return given

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
        ConfigError: an unknown or malformed setting, or a ``spotfix.toml`` that cannot be read;
            the message names the flag, variable or file.
    """
    given = {k: v for k, v in flags.items() if v is not None}
    try:
        made = Settings(**given)
    except ValidationError as error:
        first = error.errors()[0]
        path = tuple(str(part) for part in first["loc"])
        raise ConfigError(_told(path, first, _place_of(path, given))) from error
    except SettingsError as error:
        raise ConfigError(_unread_variable(error)) from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError, OSError) as error:
        reason = error.strerror if isinstance(error, OSError) else error
        raise ConfigError(
            f"{FILE}: cannot be read as TOML: {reason}; correct it, or take it away to have the "
            "defaults (`spotfix config show` prints them)"
        ) from error
    if made.sources:
        from collectors import panel

        for name in sorted(set(made.sources) - set(panel.SOURCES)):
            raise ConfigError(
                f"setting 'sources.{name}': no such source{_near(name, panel.SOURCES)}; correct "
                f"{_place_of(('sources', name), given)} (`spotfix sources` lists them)"
            )
    return made


def unknown_variables(environment: Mapping[str, str]) -> list[str]:
    """Return what to say of each ``SPOTFIX_`` variable that is no setting, by name.

    They are told and not refused: a container platform invents variables after a service's name.
    """
    fields = [PREFIX + name.upper() for name in Settings.model_fields]
    found = []
    for name in sorted(environment):
        known = name.upper().partition("__")[0]
        if name.upper().startswith(PREFIX) and known not in fields and name not in NO_SETTINGS:
            found.append(f"{name} is no setting and changes nothing{_near(known, fields)}")
    return found


def _near(name: str, known: Any) -> str:
    """Return `` (did you mean ...?)``, or nothing."""
    near = difflib.get_close_matches(name, list(known), n=2)
    return f" (did you mean {' or '.join(near)}?)" if near else ""


def _told(path: tuple[str, ...], error: Any, place: str) -> str:
    name = ".".join(path)
    if error["type"] == "extra_forbidden":
        known = {1: Settings, 3: SourceSettings if path[0] == "sources" else WitnessSettings}
        kind = known.get(len(path), Settings)
        near = _near(path[-1], kind.model_fields)
        return f"setting {name!r}: no such setting{near}; correct {place}"
    said = error["msg"].removeprefix("Value error, ")
    return f"setting {name!r}: {said} (saw {error.get('input')!r}); correct {place}"


def _place_of(path: tuple[str, ...], flags: Mapping[str, object]) -> str:
    """Return where a setting was given: its flag, its variable, or the file."""
    if path[0] in flags:
        return "the flag --" + path[0].replace("_", "-")
    for depth in range(len(path), 0, -1):
        wanted = PREFIX + "__".join(path[:depth])
        for name in os.environ:
            if name.upper() == wanted.upper():
                return f"the variable {name}"
    return FILE


def _unread_variable(error: SettingsError) -> str:
    """Return what is wrong with a variable of many parts, which is read as JSON."""
    field = next((name for name in Settings.model_fields if f'"{name}"' in str(error)), "")
    name = PREFIX + field.upper()
    return (
        f"the variable {name} is not JSON (saw {os.environ.get(name, '')[:80]!r}); correct it, or "
        + (
            "set one part, such as SPOTFIX_SOURCES__ecb__ENABLED=false"
            if field == "sources"
            else f"write [[{field}]] in {FILE}"
        )
    )
