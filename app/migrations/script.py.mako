"""${message}"""

from alembic import op

revision = ${repr(up_revision)}
down_revision = ${repr(down_revision)}
branch_labels = None
depends_on = None
# Indexes and data of tables in use: create_index, concurrently and backfill of migrations.online.
phase = "expand"  # "expand": old and new code both work with it. "contract": waits until no old code runs.


def upgrade() -> None:
    ${upgrades if upgrades else "pass"}


def downgrade() -> None:
    ${downgrades if downgrades else "pass"}
