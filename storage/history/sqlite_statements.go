package history

// The writer's statements.
const (
	stBegin = iota
	stCommit
	stRollback
	stSetCursor
	stFunction
	stAddFunction
	stSetStates
	stName
	stAddName
	stAddEvent
	stAddRun
	stFindRun
	stHasRun
	stHasEvent
	stRunNumbers
	stEventNumbers
	stPackNumbers
	stUpdateRun
	stAddChunk
	stChunks
	stDeleteChunks
	stPark
	stSetGone
	stUnpark
	stDropGone
	stAddBatchEvent
	stPutSkip
	stDeletePending
	stAddCount
	stDropCounts
	stLastBundle
	stAddBundle
	stDeleteRun
	stDeleteBundle
	stSetBundle
	stDeleteLink
	stNeeded
	stFindEvent
	stDeleteEvent
	stDeleteSkips
	stAddPack
	stAddPackName
	stSetPack
	stSetPackName
	stDeletePack
	stDeletePackName
	stOverlaps
	stReadPack
	stOccupied
)

var statements = [...]string{
	stBegin:          "BEGIN IMMEDIATE",
	stCommit:         "COMMIT",
	stRollback:       "ROLLBACK",
	stSetCursor:      "INSERT OR REPLACE INTO ingot_cursors (name, value) VALUES (?, ?)",
	stFunction:       "SELECT no, states FROM ingot_functions WHERE id = ?",
	stAddFunction:    "INSERT INTO ingot_functions (no, id, states) SELECT coalesce(max(no), 0) + 1, ?, 0 FROM ingot_functions RETURNING no",
	stSetStates:      "UPDATE ingot_functions SET states = ? WHERE no = ?",
	stName:           "SELECT no FROM ingot_names WHERE name = ?",
	stAddName:        "INSERT INTO ingot_names (no, name) SELECT ?1 * (coalesce(max(abs(no)), 0) + 1), ?2 FROM ingot_names RETURNING no",
	stAddEvent:       `INSERT OR IGNORE INTO ingot_events (no, id, name, received, ts, external, v, data, "user", sessions) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)`,
	stAddRun:         "INSERT OR IGNORE INTO ingot_runs (no, id, class, started, ended, event, flags, chunks, extra, trace, bundle) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
	stFindRun:        "SELECT no, class, started, ended, event, flags, chunks, extra, trace FROM ingot_runs WHERE no >= ? AND no < ? AND id = ? LIMIT 1",
	stHasRun:         "SELECT 1 FROM ingot_runs WHERE no >= ? AND no < ? AND id = ? LIMIT 1",
	stHasEvent:       "SELECT 1 FROM ingot_events WHERE no >= ? AND no < ? AND id = ? LIMIT 1",
	stRunNumbers:     "SELECT no FROM ingot_runs WHERE no >= ? ORDER BY no",
	stEventNumbers:   "SELECT no FROM ingot_events WHERE no >= ? ORDER BY no",
	stPackNumbers:    "SELECT no FROM ingot_packs WHERE no >= ? ORDER BY no",
	stUpdateRun:      "UPDATE ingot_runs SET class = ?2, started = ?3, ended = ?4, event = ?5, flags = ?6, chunks = ?7, extra = ?8, trace = ?9 WHERE no = ?1",
	stAddChunk:       "INSERT OR REPLACE INTO ingot_chunks (run, seq, data) VALUES (?, ?, ?)",
	stChunks:         "SELECT data FROM ingot_chunks WHERE run = ? ORDER BY seq",
	stDeleteChunks:   "DELETE FROM ingot_chunks WHERE run = ?",
	stPark:           "INSERT INTO ingot_parked (no, at, data, gone) VALUES (?, ?, ?, ?)",
	stSetGone:        "INSERT OR REPLACE INTO ingot_parked_gone (no, gone) VALUES (?, ?)",
	stUnpark:         "DELETE FROM ingot_parked WHERE no = ?",
	stDropGone:       "DELETE FROM ingot_parked_gone WHERE no = ?",
	stAddBatchEvent:  "INSERT OR IGNORE INTO ingot_batch_events (event, run) VALUES (?, ?)",
	stPutSkip:        "INSERT OR REPLACE INTO ingot_skips (event, fn, reason, at, pending) VALUES (?, ?, ?, ?, ?)",
	stDeletePending:  "DELETE FROM ingot_skips WHERE event = ? AND fn = ? AND pending = 1",
	stDropCounts:     "DELETE FROM ingot_counts WHERE n = 0",
	stLastBundle:     "SELECT coalesce(max(no), 0) FROM ingot_bundles",
	stAddBundle:      "INSERT INTO ingot_bundles (no, runs, data) VALUES (?, ?, ?)",
	stDeleteRun:      "DELETE FROM ingot_runs WHERE no = ? RETURNING bundle",
	stDeleteBundle:   "DELETE FROM ingot_bundles WHERE no = ? AND runs <= ?",
	stSetBundle:      "UPDATE ingot_bundles SET runs = runs - ?2 WHERE no = ?1",
	stDeleteLink:     "DELETE FROM ingot_batch_events WHERE event = ? AND run = ?",
	stNeeded:         "SELECT 1 FROM (SELECT ? AS id) e WHERE NOT (" + notNeeded + ")",
	stFindEvent:      "SELECT no, name FROM ingot_events WHERE no >= ? AND no < ? AND id = ? LIMIT 1",
	stDeleteEvent:    "DELETE FROM ingot_events WHERE no = ?",
	stDeleteSkips:    "DELETE FROM ingot_skips WHERE event = ?",
	stAddPack:        "INSERT OR IGNORE INTO ingot_packs (no, first, data) VALUES (?, ?, ?)",
	stAddPackName:    "INSERT INTO ingot_pack_names (name, no, first, n) VALUES (?, ?, ?, ?)",
	stSetPack:        "UPDATE ingot_packs SET data = ?2 WHERE no = ?1",
	stSetPackName:    "UPDATE ingot_pack_names SET n = ?3 WHERE name = ?1 AND no = ?2",
	stDeletePack:     "DELETE FROM ingot_packs WHERE no = ?",
	stDeletePackName: "DELETE FROM ingot_pack_names WHERE name = ? AND no = ?",
	stOverlaps:       "SELECT no, first FROM ingot_pack_names WHERE name IN (" + anyNames + ") AND no >= ? AND no < ? AND first <= ?",
	stReadPack:       "SELECT first, data FROM ingot_packs WHERE no = ?",
	stOccupied:       "SELECT 1 FROM ingot_events WHERE no >= ? AND no < ? LIMIT 1",
	stAddCount: `INSERT INTO ingot_counts (kind, bucket, key, n) VALUES (?, ?, ?, ?)
		ON CONFLICT (kind, bucket, key) DO UPDATE SET n = n + excluded.n`,
}
