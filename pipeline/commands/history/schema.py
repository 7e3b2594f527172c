"""The tables of a history.

Strategy: two big tables, each row found by device and start, which is also how it is read, deleted
and recognised when it comes again. Names stand in the rows themselves, so that a query of anybody's
needs no join; only what 64 bytes of names would say in each row again and again, the order of a
model's activities, is in a table beside. Times are microseconds since 1970: exact, where a floating
point number would have to be compared.
"""

from typing import Final

from sqlalchemy import (
    BigInteger,
    Boolean,
    Column,
    Double,
    ForeignKey,
    Integer,
    LargeBinary,
    MetaData,
    Table,
    Text,
    UniqueConstraint,
)

METADATA: Final = MetaData()

PROPERTIES: Final = Table(
    "har_history",
    METADATA,
    Column("name", Text, primary_key=True),
    Column("value", Text, nullable=False),
)
"""Of the database itself: version of its tables, name of its session with the broker"""

MODELS: Final = Table(
    "models",
    METADATA,
    Column("id", Integer, primary_key=True),
    Column("model", Text, nullable=False),
    Column("activities", Text, nullable=False),
    UniqueConstraint("model", "activities"),
)
"""``activities`` is a JSON list of names, in the order of a prediction's probabilities"""

PREDICTIONS: Final = Table(
    "predictions",
    METADATA,
    Column("device", Text, primary_key=True),
    Column("start", BigInteger, primary_key=True),
    Column("end", BigInteger, nullable=False),
    Column("activity", Text, nullable=False),
    Column("probability", Double, nullable=False),
    Column("probabilities", LargeBinary, nullable=False),
    Column("settling", Boolean, nullable=False),
    Column("model_id", Integer, ForeignKey("models.id"), nullable=False),
    sqlite_with_rowid=False,
)
"""A row for each window; ``probabilities`` are float32, little-endian"""

EPISODES: Final = Table(
    "episodes",
    METADATA,
    Column("device", Text, primary_key=True),
    Column("start", BigInteger, primary_key=True),
    Column("end", BigInteger, nullable=False),
    Column("activity", Text, nullable=False),
    Column("probability", Double, nullable=False),
    sqlite_with_rowid=False,
)
"""A row for each finished period of one activity"""
