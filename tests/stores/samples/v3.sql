BEGIN TRANSACTION;
CREATE TABLE aiogen_budget(
          account TEXT NOT NULL, lane TEXT NOT NULL, spent_until REAL NOT NULL DEFAULT 0,
          held_until REAL NOT NULL DEFAULT 0, held_by TEXT, held_for REAL, PRIMARY KEY(account, lane)
        ) STRICT
        ;
CREATE TABLE aiogen_delivery(
          job TEXT NOT NULL REFERENCES aiogen_job(id) ON DELETE CASCADE, handler TEXT NOT NULL,
          attempts INTEGER NOT NULL DEFAULT 0, next_at REAL, done_at REAL,
          owner TEXT REFERENCES aiogen_worker(id) ON DELETE SET NULL, pause REAL, PRIMARY KEY(job, handler)
        ) STRICT
        ;
INSERT INTO "aiogen_delivery" VALUES('job-pending','gallery',0,NULL,NULL,NULL,NULL);
INSERT INTO "aiogen_delivery" VALUES('job-submitting','gallery',0,NULL,NULL,NULL,NULL);
INSERT INTO "aiogen_delivery" VALUES('job-unknown','gallery',0,NULL,NULL,NULL,NULL);
INSERT INTO "aiogen_delivery" VALUES('job-queued','gallery',0,NULL,NULL,NULL,NULL);
INSERT INTO "aiogen_delivery" VALUES('job-processing','gallery',0,NULL,NULL,NULL,NULL);
INSERT INTO "aiogen_delivery" VALUES('job-completed','gallery',1,1748779320.0,NULL,'another-machine/4026531836:4711:0badcafe',NULL);
INSERT INTO "aiogen_delivery" VALUES('job-failed','gallery',1,NULL,1748779320.0,NULL,NULL);
INSERT INTO "aiogen_delivery" VALUES('job-cancelled','gallery',0,1748779320.0,NULL,NULL,NULL);
INSERT INTO "aiogen_delivery" VALUES('job-attached','gallery',0,NULL,NULL,NULL,NULL);
CREATE TABLE aiogen_file(k TEXT PRIMARY KEY, v TEXT NOT NULL) STRICT;
INSERT INTO "aiogen_file" VALUES('beside','1');
INSERT INTO "aiogen_file" VALUES('ledger','82c2fc1ee59b0f91');
INSERT INTO "aiogen_file" VALUES('count','1');
CREATE TABLE aiogen_job(
          id TEXT PRIMARY KEY, connection TEXT NOT NULL, provider TEXT NOT NULL, account TEXT NOT NULL,
          provider_id TEXT, state TEXT NOT NULL,
          owner TEXT REFERENCES aiogen_worker(id) ON DELETE SET NULL,
          batch TEXT, request TEXT, fingerprint TEXT, result TEXT, timeout REAL,
          created_at REAL NOT NULL, submitted_at REAL, accepted_at REAL, finished_at REAL, expires_at REAL
        , weight INTEGER NOT NULL DEFAULT 1, submitter TEXT, copied INTEGER NOT NULL DEFAULT 0) STRICT
        ;
INSERT INTO "aiogen_job" VALUES('job-pending','luma','luma','b6bf79039d9a97f0fc569e4a',NULL,'pending','another-machine/4026531836:4711:0badcafe','monday','{"model":"uni-1","kind":"image","endpoint":"generations","body":{"prompt":"a pending boat, \u00e9","type":"image","model":"uni-1","aspect_ratio":"16:9"},"timeout":120.0,"typical":{"median":30.0,"spread":0.45},"prompt":"a pending boat, \u00e9","weight_class":"uni-1/image"}','e909f5e59d789f2c664bb86fd7aabbfca94d35e36d4aeb3c35ef35ee9de5b76c',NULL,90.0,1748779200.0,NULL,NULL,NULL,NULL,1,NULL,0);
INSERT INTO "aiogen_job" VALUES('job-submitting','luma','luma','b6bf79039d9a97f0fc569e4a',NULL,'submitting','another-machine/4026531836:4711:0badcafe',NULL,'{"model":"uni-1","kind":"image","endpoint":"generations","body":{"prompt":"a submitting boat, \u00e9","type":"image","model":"uni-1","aspect_ratio":"16:9"},"timeout":120.0,"typical":{"median":30.0,"spread":0.45},"prompt":"a submitting boat, \u00e9","weight_class":"uni-1/image"}','bf02b15d6e16261c29feaba3a8329fe5a0917c4174dbe4037a9545c73c70e0a3',NULL,90.0,1748779201.0,1748779320.0,NULL,NULL,NULL,1,'another-machine/4026531836:4711:0badcafe',0);
INSERT INTO "aiogen_job" VALUES('job-unknown','luma','luma','b6bf79039d9a97f0fc569e4a',NULL,'unknown',NULL,NULL,'{"model":"uni-1","kind":"image","endpoint":"generations","body":{"prompt":"a unknown boat, \u00e9","type":"image","model":"uni-1","aspect_ratio":"16:9"},"timeout":120.0,"typical":{"median":30.0,"spread":0.45},"prompt":"a unknown boat, \u00e9","weight_class":"uni-1/image"}','5b0353774ad0f9bcd4e3c4b4afff789bbfd6e6d6bd57bb64583e99320ad9b4fe',NULL,90.0,1748779202.0,1748779320.0,NULL,NULL,NULL,1,'another-machine/4026531836:4711:0badcafe',0);
INSERT INTO "aiogen_job" VALUES('job-queued','luma','luma','b6bf79039d9a97f0fc569e4a','v-queued','queued','another-machine/4026531836:4711:0badcafe',NULL,'{"model":"uni-1","kind":"image","endpoint":"generations","body":{"prompt":"a queued boat, \u00e9","type":"image","model":"uni-1","aspect_ratio":"16:9"},"timeout":120.0,"typical":{"median":30.0,"spread":0.45},"prompt":"a queued boat, \u00e9","weight_class":"uni-1/image"}','966ae754ce379b8c82d98b7cb6e059044269782f505a9021c31b8bf5e1115e7c',NULL,90.0,1748779203.0,1748779320.0,1748779230.0,NULL,NULL,1,'another-machine/4026531836:4711:0badcafe',0);
INSERT INTO "aiogen_job" VALUES('job-processing','luma','luma','b6bf79039d9a97f0fc569e4a','v-processing','processing','another-machine/4026531836:4711:0badcafe',NULL,'{"model":"uni-1","kind":"image","endpoint":"generations","body":{"prompt":"a processing boat, \u00e9","type":"image","model":"uni-1","aspect_ratio":"16:9"},"timeout":120.0,"typical":{"median":30.0,"spread":0.45},"prompt":"a processing boat, \u00e9","weight_class":"uni-1/image"}','a049111ca2c4cbbbb340986422207098d1d93291f0ced1dfcaf9789f349e0aa7',NULL,90.0,1748779204.0,1748779320.0,1748779230.0,NULL,NULL,1,'another-machine/4026531836:4711:0badcafe',0);
INSERT INTO "aiogen_job" VALUES('job-completed','luma','luma','b6bf79039d9a97f0fc569e4a','v-completed','completed',NULL,'monday',NULL,'9a7a63a0083133f75d7cb0dd9d0bab993d3ea1d8b0de5e03b62e201eec91f408','{"id":"job-completed","provider_id":"v-completed","provider":"luma","connection":"luma","model":"uni-1","state":"completed","prompt":"a completed boat, \u00e9","outputs":[{"kind":"image","url":"https://cdn.example/a.png?sig=1","expires_at":"2025-06-01T13:00:00+00:00"}],"finished_at":"2025-06-01T12:01:00+00:00"}',90.0,1748779205.0,1748779320.0,1748779230.0,1748779260.0,1749384120.0,1,'another-machine/4026531836:4711:0badcafe',0);
INSERT INTO "aiogen_job" VALUES('job-failed','luma','luma','b6bf79039d9a97f0fc569e4a','v-failed','failed',NULL,NULL,NULL,'a8bc6cfe200de9e9344cd634754c65a40caa30612df585ab60342925d4fb8d05','{"id":"job-failed","provider_id":"v-failed","provider":"luma","connection":"luma","model":"uni-1","state":"failed","prompt":"a failed boat, \u00e9","failure_code":"content_moderated","failure_reason":"no \u00e9","finished_at":"2025-06-01T12:01:00+00:00"}',90.0,1748779206.0,1748779320.0,1748779230.0,1748779260.0,1749384120.0,1,'another-machine/4026531836:4711:0badcafe',0);
INSERT INTO "aiogen_job" VALUES('job-cancelled','luma','luma','b6bf79039d9a97f0fc569e4a',NULL,'cancelled',NULL,NULL,NULL,'d9a5937696a0a3933056ee07767a3541bd8646604436e869ec26baf5fb64adf8','{"id":"job-cancelled","provider_id":null,"provider":"luma","connection":"luma","model":"uni-1","state":"cancelled","prompt":"a cancelled boat, \u00e9","finished_at":"2025-06-01T12:01:00+00:00"}',90.0,1748779207.0,NULL,NULL,1748779260.0,1749384120.0,1,NULL,0);
INSERT INTO "aiogen_job" VALUES('job-attached','luma','luma','b6bf79039d9a97f0fc569e4a','v-attached','queued','another-machine/4026531836:4711:0badcafe',NULL,NULL,NULL,NULL,90.0,1748779208.0,NULL,1748779200.0,NULL,NULL,1,NULL,0);
CREATE TABLE aiogen_learned(name TEXT PRIMARY KEY, value TEXT NOT NULL, updated_at REAL NOT NULL) STRICT;
INSERT INTO "aiogen_learned" VALUES('durations','{"seen": 7, "words": ["\u00e9", null]}',1748779320.0);
CREATE TABLE aiogen_meta(k TEXT PRIMARY KEY, v TEXT NOT NULL) STRICT;
INSERT INTO "aiogen_meta" VALUES('schema','3');
CREATE TABLE aiogen_worker(id TEXT PRIMARY KEY, lease_until REAL NOT NULL, lease REAL) STRICT;
INSERT INTO "aiogen_worker" VALUES('another-machine/4026531836:4711:0badcafe',1748779335.0,15.0);
CREATE INDEX aiogen_job_owner ON aiogen_job(owner) WHERE owner IS NOT NULL;
CREATE INDEX aiogen_job_orphan ON aiogen_job(created_at) WHERE finished_at IS NULL AND owner IS NULL;
CREATE INDEX aiogen_job_active ON aiogen_job(account, state) WHERE finished_at IS NULL;
CREATE INDEX aiogen_job_expires ON aiogen_job(expires_at) WHERE expires_at IS NOT NULL;
CREATE INDEX aiogen_job_created ON aiogen_job(created_at);
CREATE INDEX aiogen_delivery_due ON aiogen_delivery(next_at) WHERE next_at IS NOT NULL;
CREATE INDEX aiogen_job_submitted ON aiogen_job(account, submitted_at) WHERE submitted_at IS NOT NULL;
CREATE INDEX aiogen_job_provider_id ON aiogen_job(account, provider_id) WHERE provider_id IS NOT NULL;
COMMIT;
