package sqlite

// migrations bring a database from one version to the next. A step that was shipped is never changed.
var migrations = []migration{
	{statements: `CREATE TABLE meta (key TEXT PRIMARY KEY, value BLOB NOT NULL) STRICT, WITHOUT ROWID;
	CREATE TABLE users (
		seq INTEGER PRIMARY KEY AUTOINCREMENT,
		id TEXT NOT NULL UNIQUE,
		name TEXT,
		is_owner INTEGER NOT NULL,
		is_active INTEGER NOT NULL,
		system_generated INTEGER NOT NULL,
		local_only INTEGER NOT NULL
	) STRICT;
	CREATE INDEX users_owner ON users (seq) WHERE is_owner;
	CREATE INDEX users_people ON users (seq) WHERE NOT system_generated;
	CREATE TABLE groups (
		seq INTEGER PRIMARY KEY AUTOINCREMENT,
		id TEXT NOT NULL UNIQUE,
		name TEXT,
		policy TEXT NOT NULL
	) STRICT;
	CREATE TABLE user_groups (
		user_id TEXT NOT NULL REFERENCES users (id) ON DELETE CASCADE,
		position INTEGER NOT NULL,
		group_id TEXT NOT NULL,
		PRIMARY KEY (user_id, position)
	) STRICT, WITHOUT ROWID;
	CREATE INDEX user_groups_group ON user_groups (group_id);
	CREATE TABLE credentials (
		seq INTEGER PRIMARY KEY AUTOINCREMENT,
		id TEXT NOT NULL UNIQUE,
		user_id TEXT NOT NULL REFERENCES users (id) ON DELETE CASCADE,
		provider_type TEXT NOT NULL,
		provider_id TEXT,
		subject TEXT NOT NULL,
		data TEXT NOT NULL
	) STRICT;
	CREATE INDEX credentials_user ON credentials (user_id);
	CREATE INDEX credentials_subject ON credentials (subject, provider_type);
	CREATE TABLE refresh_tokens (
		seq INTEGER PRIMARY KEY AUTOINCREMENT,
		id TEXT NOT NULL UNIQUE,
		user_id TEXT NOT NULL REFERENCES users (id) ON DELETE CASCADE,
		client_id TEXT,
		client_name TEXT,
		client_icon TEXT,
		type TEXT NOT NULL,
		created_at INTEGER NOT NULL,
		access_token_expiration INTEGER NOT NULL,
		secret_hash BLOB NOT NULL UNIQUE,
		jwt_key BLOB NOT NULL,
		last_used_at INTEGER,
		last_used_ip TEXT,
		expire_at INTEGER,
		credential_id TEXT REFERENCES credentials (id) ON DELETE CASCADE,
		version TEXT
	) STRICT;
	CREATE INDEX refresh_tokens_user ON refresh_tokens (user_id);
	CREATE INDEX refresh_tokens_credential ON refresh_tokens (credential_id);
	CREATE INDEX refresh_tokens_expiry ON refresh_tokens (expire_at) WHERE expire_at IS NOT NULL;
	CREATE UNIQUE INDEX refresh_tokens_long_lived ON refresh_tokens (user_id, client_name)
		WHERE type = 'long_lived_access_token' AND client_name IS NOT NULL;
	CREATE TABLE passwords (
		seq INTEGER PRIMARY KEY AUTOINCREMENT,
		username TEXT NOT NULL UNIQUE,
		normalized TEXT NOT NULL,
		hash TEXT NOT NULL
	) STRICT;
	CREATE INDEX passwords_normalized ON passwords (normalized);
	CREATE INDEX passwords_odd ON passwords (username) WHERE username <> normalized;
	CREATE TABLE module_data (
		user_id TEXT NOT NULL REFERENCES users (id) ON DELETE CASCADE,
		module_id TEXT NOT NULL,
		data BLOB NOT NULL,
		PRIMARY KEY (user_id, module_id)
	) STRICT, WITHOUT ROWID;
	CREATE TABLE onboarding (seq INTEGER PRIMARY KEY AUTOINCREMENT, step TEXT NOT NULL UNIQUE) STRICT;
	CREATE TABLE changes (
		seq INTEGER PRIMARY KEY AUTOINCREMENT,
		origin TEXT NOT NULL,
		kind TEXT NOT NULL,
		id TEXT NOT NULL,
		at INTEGER NOT NULL
	) STRICT;
	CREATE INDEX changes_at ON changes (at);`},
	{statements: `ALTER TABLE users ADD COLUMN normalized TEXT NOT NULL DEFAULT ''`, fill: normalizeNames},
	// Which three characters stand next to each other in names and logins. The triggers keep that up to date; SQLite runs
	// them also for credentials that go with their user.
	{statements: `CREATE VIRTUAL TABLE user_parts USING fts5 (normalized, content = 'users', content_rowid = 'seq',
		tokenize = 'trigram case_sensitive 1', detail = 'none', columnsize = 0);
	INSERT INTO user_parts (user_parts) VALUES ('rebuild');
	CREATE TRIGGER users_inserted AFTER INSERT ON users BEGIN
		INSERT INTO user_parts (rowid, normalized) VALUES (new.seq, new.normalized);
	END;
	CREATE TRIGGER users_renamed AFTER UPDATE OF normalized ON users WHEN old.normalized <> new.normalized BEGIN
		INSERT INTO user_parts (user_parts, rowid, normalized) VALUES ('delete', old.seq, old.normalized);
		INSERT INTO user_parts (rowid, normalized) VALUES (new.seq, new.normalized);
	END;
	CREATE TRIGGER users_deleted AFTER DELETE ON users BEGIN
		INSERT INTO user_parts (user_parts, rowid, normalized) VALUES ('delete', old.seq, old.normalized);
	END;
	CREATE VIRTUAL TABLE credential_parts USING fts5 (subject, content = 'credentials', content_rowid = 'seq',
		tokenize = 'trigram case_sensitive 1', detail = 'none', columnsize = 0);
	INSERT INTO credential_parts (credential_parts) VALUES ('rebuild');
	CREATE TRIGGER credentials_inserted AFTER INSERT ON credentials BEGIN
		INSERT INTO credential_parts (rowid, subject) VALUES (new.seq, new.subject);
	END;
	CREATE TRIGGER credentials_renamed AFTER UPDATE OF subject ON credentials WHEN old.subject <> new.subject BEGIN
		INSERT INTO credential_parts (credential_parts, rowid, subject) VALUES ('delete', old.seq, old.subject);
		INSERT INTO credential_parts (rowid, subject) VALUES (new.seq, new.subject);
	END;
	CREATE TRIGGER credentials_deleted AFTER DELETE ON credentials BEGIN
		INSERT INTO credential_parts (credential_parts, rowid, subject) VALUES ('delete', old.seq, old.subject);
	END;`},
}
