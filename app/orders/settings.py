"""The service's settings, all from the environment, read once at start."""

from pathlib import Path
from typing import Self

from pydantic import Field, ValidationError, model_validator
from pydantic_settings import BaseSettings, SettingsConfigDict
from sqlalchemy import URL

from orders.tokens import DatabaseTokens

VERSION_FILE = Path(__file__).parent.parent / "VERSION"


class Settings(BaseSettings):
    """One field per environment variable."""

    # An error would otherwise quote everything that was given, the password among it.
    model_config = SettingsConfigDict(hide_input_in_errors=True)

    database_host: str
    database_port: int = 5432
    database_name: str
    database_user: str
    database_password: str | None = Field(default=None, repr=False)
    """On a machine of one's own. RDS changes the password that it manages, and tells no pod."""
    database_region: str | None = None
    """AWS region of a database that is logged in to with tokens, instead of a password."""
    database_ca_file: Path | None = None
    """Certificates of the authorities that the server's own may be from. The server is verified with them, its name included."""
    database_connections: int = Field(default=5, ge=2)
    """Per pod, one of them for readiness. PostgreSQL's default limit of 100 must cover all pods of both colours."""
    app_colour: str = "none"
    app_release: str = "none"
    app_version: str = VERSION_FILE.read_text().strip()
    port: int = 8080
    metrics_port: int = 9090
    """For Prometheus alone: no Service and no load balancer has it."""
    drain_seconds: float = 3
    """Answering goes on for so long after SIGTERM, while /readyz says "not ready" and load balancers turn away."""

    @model_validator(mode="after")
    def _one_way_to_log_in(self) -> Self:
        if (self.database_password is None) is (self.database_region is None):
            raise ValueError("want either DATABASE_PASSWORD, or DATABASE_REGION to log in with tokens")
        if self.database_region is not None and self.database_ca_file is None:
            # Whoever pretends to be the server could pass a token on, for as long as it lasts.
            raise ValueError("want DATABASE_CA_FILE beside DATABASE_REGION: a token is for a verified server only")
        return self

    @property
    def database_tokens(self) -> DatabaseTokens | None:
        """What logs in; None: the password."""
        if self.database_region is None:
            return None
        return DatabaseTokens(
            host=self.database_host, port=self.database_port, user=self.database_user, region=self.database_region
        )

    @property
    def database_url(self) -> URL:
        """SQLAlchemy's address of the database. Never a text: a password that AWS makes may hold `#`, `?`, `:` and `%`."""
        verified = {"sslmode": "verify-full", "sslrootcert": str(self.database_ca_file)}
        return URL.create(
            "postgresql+psycopg",
            username=self.database_user,
            password=self.database_password,
            host=self.database_host,
            port=self.database_port,
            database=self.database_name,
            query=verified if self.database_ca_file else {},
        )


def load_settings() -> Settings:
    """The settings; ends the process with one line per variable that is missing or malformed."""
    try:
        return Settings()
    except ValidationError as error:
        faults = [f"  {_name(fault['loc'])}: {fault['msg']}" for fault in error.errors(include_input=False)]
        raise SystemExit("The environment cannot be used:\n" + "\n".join(faults)) from None


def _name(location: tuple[int | str, ...]) -> str:
    return str(location[0]).upper() if location else "together"
