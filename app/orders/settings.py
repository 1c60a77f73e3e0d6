"""The service's settings, all from the environment, read once at start."""

from pathlib import Path

from pydantic import Field, ValidationError
from pydantic_settings import BaseSettings, SettingsConfigDict
from sqlalchemy import URL

VERSION_FILE = Path(__file__).parent.parent / "VERSION"


class Settings(BaseSettings):
    """One field per environment variable."""

    # An error would otherwise quote everything that was given, the password among it.
    model_config = SettingsConfigDict(hide_input_in_errors=True)

    database_host: str
    database_port: int = 5432
    database_name: str
    database_user: str
    database_password: str = Field(repr=False)
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

    @property
    def database_url(self) -> URL:
        """SQLAlchemy's address of the database. Never a text: a password that AWS makes may hold `#`, `?`, `:` and `%`."""
        return URL.create(
            "postgresql+psycopg",
            username=self.database_user,
            password=self.database_password,
            host=self.database_host,
            port=self.database_port,
            database=self.database_name,
        )


def load_settings() -> Settings:
    """The settings; ends the process with one line per variable that is missing or malformed."""
    try:
        return Settings()
    except ValidationError as error:
        faults = [f"  {str(fault['loc'][0]).upper()}: {fault['msg']}" for fault in error.errors(include_input=False)]
        raise SystemExit("The environment cannot be used:\n" + "\n".join(faults)) from None
