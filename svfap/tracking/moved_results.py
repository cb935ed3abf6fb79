"""Let MLflow find its files again after the folder of results has been moved or copied.

MLflow stores whole paths of files in its database, and makes relative ones absolute. The files lie
beside the database, in `mlflow-artifacts`, so the paths can be corrected.
"""

import contextlib
import sqlite3
import sys
from pathlib import Path

FILES = "mlflow-artifacts"
_PLACES = (
    ("experiments", "artifact_location"),
    ("runs", "artifact_uri"),
    ("logged_models", "artifact_location"),
)


def files_beside(database: Path) -> str:
    """Return the address of the folder with the files of a database."""
    return (database.absolute().parent / FILES).as_uri()


def mend(database: Path) -> int:
    """Correct the paths in a database whose folder has been moved.

    Nothing happens where there is no database, or its files are elsewhere.

    Returns:
        The number of corrected paths.
    """
    here = files_beside(database)
    if not (database.is_file() and database.with_name(FILES).is_dir()):
        return 0
    mended = 0
    with contextlib.closing(sqlite3.connect(database, timeout=60)) as connection, connection:
        tables = {name for (name,) in connection.execute("SELECT name FROM sqlite_master")}
        for table, column in _PLACES:
            if table in tables:
                # All that precedes the name of the folder is replaced.
                found = connection.execute(
                    f"UPDATE {table} SET {column} ="
                    f" :here || substr({column}, instr({column}, :files) + length(:files))"
                    f" WHERE {column} LIKE 'file:%' AND instr({column}, :files)"
                    f" AND substr({column}, 1, length(:here)) != :here",
                    {"here": here, "files": f"/{FILES}"},
                )
                mended += found.rowcount
    return mended


if __name__ == "__main__":
    mend(Path(sys.argv[1]))
