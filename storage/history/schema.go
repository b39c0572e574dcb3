package history

// schema makes our tables. Their names begin with ingot_, because the database may have
// those of a reference server too. Each statement may run again. {blob}, {text} and so
// on are the types of the two databases; clustered is how SQLite keeps a table in the order of
// its primary key.
var schema = []string{
	`CREATE TABLE IF NOT EXISTS ingot_functions (
		no {int} PRIMARY KEY, id {blob} NOT NULL UNIQUE, states {int} NOT NULL)`,
	`CREATE TABLE IF NOT EXISTS ingot_names (
		no {int} PRIMARY KEY, name {text} NOT NULL UNIQUE)`,
	`CREATE TABLE IF NOT EXISTS ingot_runs (
		no {int} PRIMARY KEY, id {blob} NOT NULL, class {int} NOT NULL, started {int} NOT NULL, ended {int} NOT NULL,
		event {blob}, flags {int} NOT NULL, chunks {int} NOT NULL, extra {blob}, trace {blob} NOT NULL)`,
	`CREATE INDEX IF NOT EXISTS ingot_runs_class ON ingot_runs (class{no})`,
	`CREATE INDEX IF NOT EXISTS ingot_runs_ended ON ingot_runs (class, ended{no}) WHERE ended > 0`,
	`CREATE INDEX IF NOT EXISTS ingot_runs_event ON ingot_runs (event{no})`,
	`CREATE TABLE IF NOT EXISTS ingot_chunks (
		run {int} NOT NULL, seq {int} NOT NULL, data {blob} NOT NULL, PRIMARY KEY (run, seq)){clustered}`,
	`CREATE TABLE IF NOT EXISTS ingot_bundles (
		no {int} PRIMARY KEY, runs {int} NOT NULL, data {blob} NOT NULL)`,
	`CREATE TABLE IF NOT EXISTS ingot_events (
		no {int} PRIMARY KEY, id {blob} NOT NULL, name {int} NOT NULL, received {int} NOT NULL, ts {int} NOT NULL,
		external {text}, v {text}, data {blob}, "user" {blob})`,
	`CREATE INDEX IF NOT EXISTS ingot_events_name ON ingot_events (name{no})`,
	`CREATE TABLE IF NOT EXISTS ingot_packs (
		no {int} PRIMARY KEY, first {int} NOT NULL, data {blob} NOT NULL)`,
	`CREATE TABLE IF NOT EXISTS ingot_pack_names (
		name {int} NOT NULL, no {int} NOT NULL, first {int} NOT NULL, n {int} NOT NULL, PRIMARY KEY (name, no)){clustered}`,
	`CREATE TABLE IF NOT EXISTS ingot_parked (
		no {int} PRIMARY KEY, at {int} NOT NULL, data {blob} NOT NULL, gone {blob} NOT NULL)`,
	`CREATE TABLE IF NOT EXISTS ingot_parked_gone (
		no {int} PRIMARY KEY, gone {blob} NOT NULL)`,
	`CREATE TABLE IF NOT EXISTS ingot_batch_events (
		event {blob} NOT NULL, run {int} NOT NULL, PRIMARY KEY (event, run)){clustered}`,
	`CREATE TABLE IF NOT EXISTS ingot_skips (
		event {blob} NOT NULL, fn {int} NOT NULL, reason {text} NOT NULL, at {int} NOT NULL, pending {int} NOT NULL,
		PRIMARY KEY (event, fn)){clustered}`,
	`CREATE TABLE IF NOT EXISTS ingot_counts (
		kind {int} NOT NULL, bucket {int} NOT NULL, key {int} NOT NULL, n {int} NOT NULL,
		PRIMARY KEY (kind, bucket, key)){clustered}`,
	`CREATE TABLE IF NOT EXISTS ingot_cursors (name {text} PRIMARY KEY, value {int} NOT NULL){clustered}`,
}

// added are the columns that tables have got since their first form, which databases from
// before may lack. They may be null, and programs from before leave them so.
var added = []struct{ table, column, kind string }{
	{"ingot_events", "sessions", "{blob}"},
	{"ingot_runs", "bundle", "{int}"},
}
