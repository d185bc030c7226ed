"""The tables of the ledger, and how an older one becomes a newer one.  Pure: text and numbers.

Times are seconds since the epoch by the server's clock.  Ids sort as bytes do, whatever the database sorts by.
"""

from __future__ import annotations

from textwrap import dedent

from aiogen.stores.postgres import sql

STEPS: tuple[tuple[str, ...], ...] = (
    (
        """
        CREATE TABLE aiogen_worker(
          id text PRIMARY KEY, lease_until float8 NOT NULL, lease float8 NOT NULL, follows text NOT NULL
        )
        """,
        """
        CREATE TABLE aiogen_job(
          id text COLLATE "C" PRIMARY KEY, connection text NOT NULL, provider text NOT NULL, account text NOT NULL,
          provider_id text COLLATE "C", reference text, state text NOT NULL,
          owner text REFERENCES aiogen_worker(id) ON DELETE SET NULL, submitter text,
          batch text, key text, scope text NOT NULL DEFAULT '', attempt integer NOT NULL DEFAULT 1, asked text,
          priority integer NOT NULL DEFAULT 5, metadata text, prompt text, request text, fingerprint text,
          weight integer NOT NULL DEFAULT 1, result text, timeout float8,
          created_at float8 NOT NULL, submitted_at float8, accepted_at float8, finished_at float8, expires_at float8,
          model text, kind text NOT NULL DEFAULT 'image',
          charge bigint, charge_unit text, charge_is_estimate integer NOT NULL DEFAULT 0
        )
        """,
        "CREATE INDEX aiogen_job_owner ON aiogen_job(owner) WHERE owner IS NOT NULL",
        """
        CREATE INDEX aiogen_job_orphan ON aiogen_job(account, created_at) WHERE finished_at IS NULL AND owner IS NULL
        """,
        "CREATE INDEX aiogen_job_active ON aiogen_job(account, state) WHERE finished_at IS NULL",
        "CREATE INDEX aiogen_job_unfinished ON aiogen_job(scope, account) WHERE finished_at IS NULL",
        "CREATE INDEX aiogen_job_waiting ON aiogen_job(account, priority, created_at) WHERE state = 'pending'",
        "CREATE INDEX aiogen_job_submitted ON aiogen_job(account, submitted_at) WHERE submitted_at IS NOT NULL",
        "CREATE INDEX aiogen_job_provider_id ON aiogen_job(account, provider_id) WHERE provider_id IS NOT NULL",
        "CREATE INDEX aiogen_job_expires ON aiogen_job(expires_at) WHERE expires_at IS NOT NULL",
        "CREATE INDEX aiogen_job_created ON aiogen_job(created_at DESC, id)",
        "CREATE INDEX aiogen_job_scope ON aiogen_job(scope, created_at)",
        "CREATE INDEX aiogen_job_batch ON aiogen_job(batch, created_at) WHERE batch IS NOT NULL",
        "CREATE INDEX aiogen_job_key ON aiogen_job(scope, key, attempt) WHERE key IS NOT NULL",
        """
        CREATE INDEX aiogen_job_charged ON aiogen_job(submitted_at) INCLUDE (charge_unit, charge, charge_is_estimate)
        WHERE submitted_at IS NOT NULL
        """,
        """
        CREATE TABLE aiogen_delivery(
          job text COLLATE "C" NOT NULL REFERENCES aiogen_job(id) ON DELETE CASCADE, handler text NOT NULL,
          attempts integer NOT NULL DEFAULT 0, next_at float8, done_at float8,
          owner text REFERENCES aiogen_worker(id) ON DELETE SET NULL, pause float8, PRIMARY KEY(job, handler)
        )
        """,
        "CREATE INDEX aiogen_delivery_due ON aiogen_delivery(next_at) WHERE next_at IS NOT NULL",
        "CREATE INDEX aiogen_delivery_owner ON aiogen_delivery(owner) WHERE owner IS NOT NULL",
        # Who holds the row of an account decides what is sent there next; a bound and the budgets have rows of their
        # own.  Logged, as what holds an account back has to be: an unlogged table is emptied by a crash.
        'CREATE TABLE aiogen_lock(name text COLLATE "C" PRIMARY KEY)',
        """
        CREATE TABLE aiogen_budget(
          account text NOT NULL, lane text NOT NULL, spent_until float8 NOT NULL DEFAULT 0,
          held_until float8 NOT NULL DEFAULT 0, held_by text, held_for float8, PRIMARY KEY(account, lane)
        )
        """,
        """
        CREATE TABLE aiogen_learned(
          name text PRIMARY KEY, value text NOT NULL, updated_at float8 NOT NULL, version bigint NOT NULL
        )
        """,
        # Requests to the worker that follows a job.  Not in the job's row: with what is sent that may be megabytes.
        """
        CREATE TABLE aiogen_wish(
          job text COLLATE "C" PRIMARY KEY REFERENCES aiogen_job(id) ON DELETE CASCADE,
          cancel boolean NOT NULL DEFAULT false, wake smallint NOT NULL DEFAULT 0, answer text
        )
        """,
        "CREATE INDEX aiogen_wish_open ON aiogen_wish(job) WHERE cancel OR wake > 0",
        # What jobs have cost that are not here any more, by the minute.
        """
        CREATE TABLE aiogen_spent(
          minute bigint NOT NULL, connection text NOT NULL, unit text NOT NULL, charge bigint NOT NULL,
          jobs bigint NOT NULL, estimated bigint NOT NULL, PRIMARY KEY(minute, connection, unit)
        )
        """,
        """
        CREATE FUNCTION aiogen_job_removed() RETURNS trigger LANGUAGE plpgsql AS $$
        BEGIN
          INSERT INTO aiogen_spent AS s
          SELECT floor(submitted_at / 60)::bigint, connection, coalesce(charge_unit, ''), sum(coalesce(charge, 0)),
            count(*), sum(charge_is_estimate)
          FROM gone WHERE submitted_at IS NOT NULL AND coalesce(charge, 1) > 0 GROUP BY 1, 2, 3 ORDER BY 1, 2, 3
          ON CONFLICT (minute, connection, unit) DO UPDATE SET charge = s.charge + excluded.charge,
            jobs = s.jobs + excluded.jobs, estimated = s.estimated + excluded.estimated;
          RETURN NULL;
        END $$
        """,
        """
        CREATE TRIGGER aiogen_job_spent AFTER DELETE ON aiogen_job REFERENCING OLD TABLE AS gone
        FOR EACH STATEMENT EXECUTE FUNCTION aiogen_job_removed()
        """,
    ),
)
"""What each version adds to the one before; a step that was released never changes."""

VERSION = len(STEPS)

FIRST = "CREATE TABLE IF NOT EXISTS aiogen_meta(k text PRIMARY KEY, v text NOT NULL)"
"""Before all steps: where the number of those is kept that were taken."""
NAMESPACE = "INSERT INTO aiogen_meta VALUES ('namespace', gen_random_uuid()::text) ON CONFLICT (k) DO NOTHING"
"""From which the ids of keyed jobs are made."""


def reached(version: int) -> str:
    """The statement that notes how many steps of the schema were taken."""
    return f"INSERT INTO aiogen_meta VALUES ('version', '{version}') ON CONFLICT (k) DO UPDATE SET v = excluded.v"


def script(schema: str) -> str:
    """All of it, for those who bring a database up to date with a tool of their own."""
    statements = [f'CREATE SCHEMA IF NOT EXISTS "{schema}"', FIRST, NAMESPACE]
    for number, step in enumerate(STEPS, 1):
        statements += [*step, reached(number)]
    return "".join(f"{dedent(sql.in_schema(each, schema)).strip()};\n" for each in statements)
