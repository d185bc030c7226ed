"""The tables of the ledger, and how an older file becomes a newer one.  Pure: text and numbers."""

from __future__ import annotations

STEPS: tuple[tuple[str, ...], ...] = (
    (
        "CREATE TABLE aiogen_worker(id TEXT PRIMARY KEY, lease_until REAL NOT NULL) STRICT",
        """
        CREATE TABLE aiogen_job(
          id TEXT PRIMARY KEY, connection TEXT NOT NULL, provider TEXT NOT NULL, account TEXT NOT NULL,
          provider_id TEXT, state TEXT NOT NULL,
          owner TEXT REFERENCES aiogen_worker(id) ON DELETE SET NULL,
          batch TEXT, request TEXT, fingerprint TEXT, result TEXT, timeout REAL,
          created_at REAL NOT NULL, submitted_at REAL, accepted_at REAL, finished_at REAL, expires_at REAL
        ) STRICT
        """,
        "CREATE INDEX aiogen_job_owner ON aiogen_job(owner) WHERE owner IS NOT NULL",
        "CREATE INDEX aiogen_job_orphan ON aiogen_job(created_at) WHERE finished_at IS NULL AND owner IS NULL",
        "CREATE INDEX aiogen_job_active ON aiogen_job(account, state) WHERE finished_at IS NULL",
        "CREATE INDEX aiogen_job_expires ON aiogen_job(expires_at) WHERE expires_at IS NOT NULL",
        "CREATE INDEX aiogen_job_created ON aiogen_job(created_at)",
        "CREATE TABLE aiogen_learned(name TEXT PRIMARY KEY, value TEXT NOT NULL, updated_at REAL NOT NULL) STRICT",
        """
        CREATE TABLE aiogen_delivery(
          job TEXT NOT NULL REFERENCES aiogen_job(id) ON DELETE CASCADE, handler TEXT NOT NULL,
          attempts INTEGER NOT NULL DEFAULT 0, next_at REAL, done_at REAL,
          owner TEXT REFERENCES aiogen_worker(id) ON DELETE SET NULL, PRIMARY KEY(job, handler)
        ) STRICT
        """,
        "CREATE INDEX aiogen_delivery_due ON aiogen_delivery(next_at) WHERE next_at IS NOT NULL",
    ),
    (  # one window and one budget for all processes; finding a job by the vendor's id
        "ALTER TABLE aiogen_job ADD COLUMN weight INTEGER NOT NULL DEFAULT 1",
        "ALTER TABLE aiogen_job ADD COLUMN submitter TEXT",
        "CREATE INDEX aiogen_job_submitted ON aiogen_job(account, submitted_at) WHERE submitted_at IS NOT NULL",
        "CREATE INDEX aiogen_job_provider_id ON aiogen_job(account, provider_id) WHERE provider_id IS NOT NULL",
        """
        CREATE TABLE aiogen_budget(
          account TEXT NOT NULL, lane TEXT NOT NULL, spent_until REAL NOT NULL DEFAULT 0,
          held_until REAL NOT NULL DEFAULT 0, held_by TEXT, PRIMARY KEY(account, lane)
        ) STRICT
        """,
    ),
    (  # moments that mean something though a clock was wrong; a copy is known to be one
        "CREATE TABLE aiogen_file(k TEXT PRIMARY KEY, v TEXT NOT NULL) STRICT",
        "ALTER TABLE aiogen_worker ADD COLUMN lease REAL",
        "ALTER TABLE aiogen_budget ADD COLUMN held_for REAL",
        "ALTER TABLE aiogen_delivery ADD COLUMN pause REAL",
        "ALTER TABLE aiogen_job ADD COLUMN copied INTEGER NOT NULL DEFAULT 0",
        "PRAGMA application_id = 0x61696F67",
    ),
    (  # what else a provider needs to ask about a job; names of the user's own
        "ALTER TABLE aiogen_job ADD COLUMN reference TEXT",
        "ALTER TABLE aiogen_job ADD COLUMN key TEXT",
        "ALTER TABLE aiogen_job ADD COLUMN scope TEXT NOT NULL DEFAULT ''",
        "ALTER TABLE aiogen_job ADD COLUMN attempt INTEGER NOT NULL DEFAULT 1",
        "ALTER TABLE aiogen_job ADD COLUMN asked TEXT",
        "ALTER TABLE aiogen_job ADD COLUMN priority INTEGER NOT NULL DEFAULT 5",
        "ALTER TABLE aiogen_job ADD COLUMN metadata TEXT",
        "ALTER TABLE aiogen_job ADD COLUMN prompt TEXT",
        "CREATE INDEX aiogen_job_unfinished ON aiogen_job(scope, account) WHERE finished_at IS NULL",
        "CREATE INDEX aiogen_job_waiting ON aiogen_job(account, priority, created_at) WHERE state = 'pending'",
        "CREATE INDEX aiogen_job_key ON aiogen_job(scope, key, attempt) WHERE key IS NOT NULL",
        # What has changed, and how often something was removed, for those who watch: they pay for what is new alone.
        "ALTER TABLE aiogen_job ADD COLUMN seq INTEGER NOT NULL DEFAULT 0",
        "CREATE INDEX aiogen_job_seq ON aiogen_job(seq)",
        "INSERT OR IGNORE INTO aiogen_file VALUES ('changes', '0'), ('removed', '0')",
        """
        CREATE TRIGGER aiogen_job_changed AFTER UPDATE OF state, provider_id, finished_at ON aiogen_job BEGIN
          UPDATE aiogen_file SET v = CAST(v AS INTEGER) + 1 WHERE k = 'changes';
          UPDATE aiogen_job SET seq = (SELECT CAST(v AS INTEGER) FROM aiogen_file WHERE k = 'changes')
          WHERE id = NEW.id;
        END
        """,
        """
        CREATE TRIGGER aiogen_job_removed AFTER DELETE ON aiogen_job BEGIN
          UPDATE aiogen_file SET v = CAST(v AS INTEGER) + 1 WHERE k = 'removed';
        END
        """,
        # Requests to the worker that follows a job.  Not in the job's row: with what is sent that may be megabytes.
        """
        CREATE TABLE aiogen_wish(
          job TEXT PRIMARY KEY REFERENCES aiogen_job(id) ON DELETE CASCADE,
          cancel INTEGER NOT NULL DEFAULT 0, wake INTEGER NOT NULL DEFAULT 0, answer TEXT
        ) STRICT
        """,
        "CREATE INDEX aiogen_wish_open ON aiogen_wish(job) WHERE cancel + wake > 0",
        # What is shown of a job without reading what was sent.
        "ALTER TABLE aiogen_job ADD COLUMN model TEXT",
        "ALTER TABLE aiogen_job ADD COLUMN kind TEXT NOT NULL DEFAULT 'image'",
        """
        UPDATE aiogen_job SET prompt = json_extract(request, '$.prompt'), model = json_extract(request, '$.model'),
          kind = coalesce(json_extract(request, '$.kind'), 'image')
        WHERE json_valid(request) AND json_type(request) = 'object'
        """,
        """
        UPDATE aiogen_job SET prompt = json_extract(result, '$.prompt'), model = json_extract(result, '$.model'),
          kind = coalesce(json_extract(result, '$.kind'), 'image')
        WHERE request IS NULL AND json_valid(result) AND json_type(result) = 'object'
        """,
        "CREATE INDEX aiogen_job_scope ON aiogen_job(scope, created_at)",
        "CREATE INDEX aiogen_job_batch ON aiogen_job(batch, created_at) WHERE batch IS NOT NULL",
        # A named batch stays until it is forgotten.
        "UPDATE aiogen_job SET expires_at = NULL WHERE batch IS NOT NULL",
        # What several processes learn is put together: nothing is written over what nobody has read.
        "ALTER TABLE aiogen_learned ADD COLUMN version INTEGER NOT NULL DEFAULT 1",
        # What a worker follows: all, its own, or nothing.
        "ALTER TABLE aiogen_worker ADD COLUMN follows TEXT NOT NULL DEFAULT 'all'",
        # What each job costs, in millionths; and what those did that are not here any more, by the minute.
        "ALTER TABLE aiogen_job ADD COLUMN charge INTEGER",
        "ALTER TABLE aiogen_job ADD COLUMN charge_unit TEXT",
        "ALTER TABLE aiogen_job ADD COLUMN charge_is_estimate INTEGER NOT NULL DEFAULT 0",
        """
        UPDATE aiogen_job SET charge = CAST(round(json_extract(result, '$.cost.amount') * 1000000) AS INTEGER),
          charge_unit = json_extract(result, '$.cost.unit')
        WHERE json_valid(result) AND json_type(result, '$.cost.unit') = 'text'
          AND json_extract(result, '$.cost.amount') * 1000000 BETWEEN 0 AND 10000000000000
        """,
        "UPDATE aiogen_job SET charge = 0 WHERE finished_at IS NOT NULL AND provider_id IS NULL",
        """
        CREATE INDEX aiogen_job_charged ON aiogen_job(submitted_at, charge_unit, charge, charge_is_estimate)
        WHERE submitted_at IS NOT NULL
        """,
        """
        CREATE TABLE aiogen_spent(
          minute INTEGER NOT NULL, connection TEXT NOT NULL, unit TEXT NOT NULL, charge INTEGER NOT NULL,
          jobs INTEGER NOT NULL, estimated INTEGER NOT NULL, PRIMARY KEY(minute, connection, unit)
        ) STRICT
        """,
        """
        CREATE TRIGGER aiogen_job_spent AFTER DELETE ON aiogen_job
        WHEN OLD.submitted_at IS NOT NULL AND coalesce(OLD.charge, 1) > 0 BEGIN
          INSERT INTO aiogen_spent VALUES (CAST(OLD.submitted_at / 60 AS INTEGER), OLD.connection,
            coalesce(OLD.charge_unit, ''), coalesce(OLD.charge, 0), 1, OLD.charge_is_estimate)
          ON CONFLICT (minute, connection, unit) DO UPDATE SET charge = charge + excluded.charge,
            jobs = jobs + 1, estimated = estimated + excluded.estimated;
        END
        """,
    ),
)
"""What each version adds to the one before; a step that was released never changes."""

VERSION = len(STEPS)
