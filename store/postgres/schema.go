package postgres

// migrations bring a database from one version to the next. A step that was shipped is never changed.
func migrations() []migration {
	return []migration{
		{statements: `CREATE TABLE meta (key TEXT PRIMARY KEY, value BYTEA NOT NULL);
	CREATE TABLE users (
		seq BIGINT GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
		id TEXT NOT NULL UNIQUE,
		name TEXT,
		is_owner BOOLEAN NOT NULL,
		is_active BOOLEAN NOT NULL,
		system_generated BOOLEAN NOT NULL,
		local_only BOOLEAN NOT NULL
	);
	CREATE INDEX users_owner ON users (seq) WHERE is_owner;
	CREATE INDEX users_people ON users (seq) WHERE NOT system_generated;
	CREATE TABLE groups (
		seq BIGINT GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
		id TEXT NOT NULL UNIQUE,
		name TEXT,
		policy TEXT NOT NULL
	);
	CREATE TABLE user_groups (
		user_id TEXT NOT NULL REFERENCES users (id) ON DELETE CASCADE,
		position BIGINT NOT NULL,
		group_id TEXT NOT NULL,
		PRIMARY KEY (user_id, position)
	);
	CREATE INDEX user_groups_group ON user_groups (group_id);
	CREATE TABLE credentials (
		seq BIGINT GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
		id TEXT NOT NULL UNIQUE,
		user_id TEXT NOT NULL REFERENCES users (id) ON DELETE CASCADE,
		provider_type TEXT NOT NULL,
		provider_id TEXT,
		subject TEXT NOT NULL,
		data TEXT NOT NULL
	);
	CREATE INDEX credentials_user ON credentials (user_id);
	CREATE INDEX credentials_subject ON credentials (subject, provider_type);
	CREATE TABLE refresh_tokens (
		seq BIGINT GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
		id TEXT NOT NULL UNIQUE,
		user_id TEXT NOT NULL REFERENCES users (id) ON DELETE CASCADE,
		client_id TEXT,
		client_name TEXT,
		client_icon TEXT,
		type TEXT NOT NULL,
		created_at BIGINT NOT NULL,
		access_token_expiration BIGINT NOT NULL,
		secret_hash BYTEA NOT NULL UNIQUE,
		jwt_key BYTEA NOT NULL,
		last_used_at BIGINT,
		last_used_ip TEXT,
		expire_at BIGINT,
		credential_id TEXT REFERENCES credentials (id) ON DELETE CASCADE,
		version TEXT
	);
	CREATE INDEX refresh_tokens_user ON refresh_tokens (user_id);
	CREATE INDEX refresh_tokens_credential ON refresh_tokens (credential_id);
	CREATE INDEX refresh_tokens_expiry ON refresh_tokens (expire_at) WHERE expire_at IS NOT NULL;
	CREATE UNIQUE INDEX refresh_tokens_long_lived ON refresh_tokens (user_id, client_name)
		WHERE type = 'long_lived_access_token' AND client_name IS NOT NULL;
	CREATE TABLE passwords (
		seq BIGINT GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
		username TEXT NOT NULL UNIQUE,
		normalized TEXT NOT NULL,
		hash TEXT NOT NULL
	);
	CREATE INDEX passwords_normalized ON passwords (normalized);
	CREATE INDEX passwords_odd ON passwords (username) WHERE username <> normalized;
	CREATE TABLE module_data (
		user_id TEXT NOT NULL REFERENCES users (id) ON DELETE CASCADE,
		module_id TEXT NOT NULL,
		data BYTEA NOT NULL,
		PRIMARY KEY (user_id, module_id)
	);
	CREATE TABLE onboarding (seq BIGINT GENERATED ALWAYS AS IDENTITY PRIMARY KEY, step TEXT NOT NULL UNIQUE);
	CREATE TABLE pending (
		key BYTEA PRIMARY KEY,
		value BYTEA NOT NULL,
		revision BIGINT NOT NULL,
		ends TIMESTAMPTZ NOT NULL
	);
	CREATE INDEX pending_ends ON pending (ends);
	CREATE TABLE bans (address TEXT PRIMARY KEY, banned_at BIGINT);`},
		{statements: `ALTER TABLE users ADD COLUMN normalized TEXT NOT NULL DEFAULT ''`, fill: normalizeNames},
		// Which three characters stand next to each other in names and logins. The extension pg_trgm does as much for letters
		// and digits, where it may be installed; this does it for all characters, by nothing but what PostgreSQL brings along.
		// Of a short text substr is the faster way to them, and of a long one it would take as long as the square of its length.
		{statements: `CREATE FUNCTION parts_of(whole TEXT) RETURNS TEXT[] LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE
		AS $$ SELECT CASE WHEN length(whole) <= 200
			THEN ARRAY(SELECT substr(whole, at, 3) FROM generate_series(1, length(whole) - 2) AS at)
			ELSE ARRAY(SELECT part[1] FROM (VALUES (1), (2), (3)) AS begins (at), regexp_matches(substr(whole, at), '...', 'g') AS part)
		END $$;
	CREATE INDEX users_parts ON users USING gin (parts_of(normalized));
	CREATE INDEX credentials_parts ON credentials USING gin (parts_of(subject));`},
	}
}
