"""The service's settings, all from the environment, read once at start."""

from pathlib import Path

from pydantic import Field, PostgresDsn
from pydantic_settings import BaseSettings

VERSION_FILE = Path(__file__).parent.parent / "VERSION"


class Settings(BaseSettings):
    """One field per environment variable; a missing or malformed one ends the start with a message that names it."""

    database_host: str
    database_port: int = 5432
    database_name: str
    database_user: str
    database_password: str = Field(repr=False)
    database_pool_size: int = 5
    """Connections per pod. PostgreSQL's default limit of 100 must cover all pods of both colours."""
    app_colour: str = "none"
    app_release: str = "none"
    app_version: str = VERSION_FILE.read_text().strip()
    port: int = 8080
    drain_seconds: float = 3
    """Answering goes on for so long after SIGTERM, while /readyz says "not ready" and load balancers turn away."""

    @property
    def database_url(self) -> str:
        """SQLAlchemy's address of the database."""
        return str(
            PostgresDsn.build(
                scheme="postgresql+psycopg",
                username=self.database_user,
                password=self.database_password,
                host=self.database_host,
                port=self.database_port,
                path=self.database_name,
            )
        )
