"""The workers that share a ledger: their names, their leases, and which of them is dead."""

from __future__ import annotations

import os
import secrets
import socket
import sqlite3

from aiogen.stores.peers import Follows, Worker
from aiogen.stores.sqlite import moments

Connection = sqlite3.Connection


def begin(c: Connection, now: float, lease: float, follows: Follows = Follows.ALL) -> str:
    """Enter a new worker, whose name is returned; its lease lasts `lease` seconds."""
    moments.correct(c, now)
    # A name of its own each time: what an earlier life of this process left behind is not ours by itself.
    name = _new_name()
    end(c, dead(c))  # a program that is started again after a crash need not wait for its old lease to run out
    c.execute(
        "INSERT INTO aiogen_worker (id, lease_until, lease, follows) VALUES (?, ?, ?, ?)",
        (name, now + lease, lease, str(follows)),
    )
    return name


def renew(c: Connection, name: str, now: float, lease: float) -> bool:
    """A heartbeat: renew this lease and end those that have run out; False if this one had."""
    renewed = c.execute(
        "UPDATE aiogen_worker SET lease_until = ? WHERE id = ? AND lease_until > ?", (now + lease, name, now)
    ).rowcount
    c.execute("DELETE FROM aiogen_worker WHERE lease_until < ?", (now,))
    return bool(renewed)


def end(c: Connection, names: list[str]) -> None:
    """End these leases: other workers adopt what they owned."""
    c.executemany("DELETE FROM aiogen_worker WHERE id = ?", [(name,) for name in names])


def dead(c: Connection) -> list[str]:
    """The workers of this machine whose processes are gone, although their leases still run."""
    return [name for (name,) in c.execute("SELECT id FROM aiogen_worker").fetchall() if is_dead(name)]


def living(c: Connection, worker: Worker) -> str | None:
    """This worker's name, while it is one: a foreign key would refuse the dead."""
    found = c.execute("SELECT id FROM aiogen_worker WHERE id = ?", (worker.name,)).fetchone()
    return None if found is None else str(found[0])


# --- names


def _new_name() -> str:
    return f"{_home()}:{os.getpid()}:{_born(os.getpid())}-{secrets.token_hex(4)}"


def is_dead(name: str) -> bool:
    """True for a worker of this machine whose process is gone; nothing is known of others."""
    home, _, rest = name.partition(":")
    pid = rest.partition(":")[0]
    if home != _home() or not pid.isdecimal() or os.name != "posix":
        return False
    try:
        os.kill(int(pid), 0)
    except ProcessLookupError:
        return True
    except OSError:
        return False
    born = rest.partition(":")[2].rpartition("-")[0]  # names that older versions gave do not say it
    return bool(born) and _born(int(pid)) != born


def _born(pid: int) -> str:
    """When that process began, and in which run of this machine; "gone" for one that is dead but was not buried yet.

    Another process may have the number of one that died.
    """
    try:
        with open(f"/proc/{pid}/stat", "rb") as file:
            fields = file.read().rpartition(b")")[2].split()
        with open("/proc/sys/kernel/random/boot_id", encoding="ascii") as file:
            boot = file.read(8)
    except OSError:
        return ""
    return "gone" if fields[0] in (b"Z", b"X") else f"{boot}.{fields[19].decode()}"


def _home() -> str:
    """Where process ids mean what they mean here: this machine, and this container of it."""
    try:
        space = os.readlink("/proc/self/ns/pid")
    except OSError:
        space = ""
    return f"{socket.gethostname()}/{space.strip('pid:[]')}"
