"""PgBouncer before a test's server: a session belongs to whoever has a transaction on its way, and to nobody else."""

from __future__ import annotations

import os
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

_STARTS_WITHIN = 30.0
_SETTINGS = """
[databases]
* = host=127.0.0.1 port={server} user=postgres
[pgbouncer]
listen_addr = 127.0.0.1
listen_port = {port}
unix_socket_dir =
auth_type = any
pool_mode = transaction
default_pool_size = {sessions}
max_client_conn = 500
logfile = {folder}/log
"""


def program() -> str | None:
    """Where it is, if it is installed."""
    return shutil.which("pgbouncer", path=f"{os.environ.get('PATH', '')}:/usr/sbin:/usr/local/sbin")


@contextmanager
def pooling(server: int, *, sessions: int = 5) -> Iterator[int]:
    """Before the server on this port, with so many sessions for all of its clients; the port that it listens on."""
    found = program()
    if found is None:
        raise RuntimeError("There is no pgbouncer here: apt-get install pgbouncer")
    with tempfile.TemporaryDirectory(prefix="aiogen-pgbouncer") as name, socket.socket() as free:
        folder = Path(name)
        free.bind(("127.0.0.1", 0))
        port = int(free.getsockname()[1])
        free.close()
        folder.chmod(0o777)  # it refuses to be run by root
        settings = folder / "pgbouncer.ini"
        settings.write_text(_SETTINGS.format(server=server, port=port, sessions=sessions, folder=folder))
        user = "nobody" if os.geteuid() == 0 else None
        process = subprocess.Popen(
            [found, "-q", str(settings)], stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, user=user, cwd=folder
        )
        try:
            _wait(process, port, folder / "log")
            yield port
        finally:
            process.send_signal(signal.SIGTERM)  # at once, whoever is connected
            process.wait(30.0)


def _wait(process: subprocess.Popen[bytes], port: int, log: Path) -> None:
    until = time.monotonic() + _STARTS_WITHIN
    while True:
        try:
            socket.create_connection(("127.0.0.1", port), 1.0).close()
            return
        except OSError:
            if process.poll() is not None or time.monotonic() > until:
                said = log.read_text()[-2000:] if log.exists() else ""
                raise RuntimeError(f"PgBouncer does not start: {said}") from None
            time.sleep(0.05)
