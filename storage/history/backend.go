package history

import (
	"context"
	"strconv"

	"ingot/internal/ids"

	"github.com/oklog/ulid/v2"
)

// backend is a database: SQLite or PostgreSQL. Statements for query are written in what
// both understand, with parameters $1, $2, …; dialect has what they write differently.
type backend interface {
	dialect
	// query reads rows.
	query(ctx context.Context, sql string, a args, row func(scan func(dst ...any) error) error) error
	// begin starts the transaction of the writer; there is one at a time.
	begin(ctx context.Context) (tx, error)
	// reclaim gives back the space of deleted rows.
	reclaim(ctx context.Context) error
	// size is the bytes that the database takes.
	size(ctx context.Context) (int64, error)
	close() error
}

// dialect is what the two write differently. Lists become tables of one column, v; their
// values are added to the parameters.
type dialect interface {
	numbers(a *args, list []int64) string
	texts(a *args, list []string) string
	blobs(a *args, list []ulid.ULID) string
	// keys is blobs with a second column, w: the first number of each id.
	keys(a *args, list []ulid.ULID) string
	// join continues FROM t with the rows r of a table whose numbers a query gives,
	// which depends on t.
	join(table, query string) string
}

// args are the parameters of a statement.
type args []any

// add returns the text that stands for a parameter.
func (a *args) add(v any) string {
	*a = append(*a, v)
	return "$" + strconv.Itoa(len(*a))
}

// table names a table of rows that are found by their ids.
type table string

const (
	tableRuns   table = "ingot_runs"
	tableEvents table = "ingot_events"
	tablePacks  table = "ingot_packs" // only its numbers
)

// tx is a transaction of the writer. Lists are in the order of their numbers, where that
// is faster. After an error only rollback may be called.
type tx interface {
	setCursors(ctx context.Context, cursors map[string]int64) error

	// function finds or adds a row.
	function(ctx context.Context, id ids.UUID) (functionRow, error)
	setStates(ctx context.Context, fn, states int64) error
	// names finds or adds names; positive numbers are given to those of users, negative
	// ones to the server's own.
	names(ctx context.Context, names []string) (map[string]int64, error)

	// insert… return the indexes of rows whose numbers were taken; they are not added.
	insertEvents(ctx context.Context, rows []*eventRow) (clashes []int, err error)
	insertRuns(ctx context.Context, rows []*runRow) (clashes []int, err error)
	// findRuns returns the rows that exist, by position in keys.
	findRuns(ctx context.Context, keys []key) (map[int]*runRow, error)
	// has reports whether there is a row of the id.
	has(ctx context.Context, t table, k key) (bool, error)
	// taken visits the numbers of rows from no on, in order, until visit returns false.
	taken(ctx context.Context, t table, no int64, visit func(no int64) bool) error
	updateRuns(ctx context.Context, rows []*runRow) error

	insertChunks(ctx context.Context, rows []chunkRow) error
	// takeChunks reads and deletes all chunks of runs, and returns each run's together.
	takeChunks(ctx context.Context, runs []int64) (map[int64][]byte, error)
	insertBatchEvents(ctx context.Context, rows []batchEventRow) error
	putSkips(ctx context.Context, rows []skipRow) error
	// deletePending deletes the skips of a function's events that are pending.
	deletePending(ctx context.Context, fn int64, events []ulid.ULID) error
	addCounts(ctx context.Context, deltas map[countKey]int64) error

	// lastBundle is the greatest number of a bundle; 0 if there is none.
	lastBundle(ctx context.Context) (int64, error)
	// insertBundles adds those that runs refer to.
	insertBundles(ctx context.Context, rows []bundleRow) error

	// deleteRuns deletes runs with their chunks, links, and bundles that only they refer to.
	deleteRuns(ctx context.Context, rows []runRow, links []batchEventRow) error
	// needed returns which events are needed by runs, or wait for one.
	needed(ctx context.Context, keys []key) (map[ulid.ULID]bool, error)
	// findEvents returns number, id and name of those events that have rows.
	findEvents(ctx context.Context, keys []key) ([]eventRow, error)
	// deleteEvents deletes rows of events.
	deleteEvents(ctx context.Context, numbers []int64) error
	deleteSkips(ctx context.Context, events []ulid.ULID) error

	// insertPacks is without their names. insertPackNames adds these.
	insertPacks(ctx context.Context, rows []*packRow) (clashes []int, err error)
	insertPackNames(ctx context.Context, rows []*packRow) error
	// replacePacks sets the data of packs, and how many events of names are left. What has
	// none left is deleted.
	replacePacks(ctx context.Context, rows []*packRow) error
	// overlaps returns the spans of packs that overlap any of the spans.
	overlaps(ctx context.Context, spans []span) ([]span, error)
	// readPacks returns packs without their names.
	readPacks(ctx context.Context, numbers []int64) ([]packRow, error)
	// occupied returns the indexes of spans in which there are rows of events.
	occupied(ctx context.Context, spans []span) ([]int, error)

	// park adds a lot, setGone sets what has left it, unpark deletes both.
	park(ctx context.Context, no, at int64, data, gone []byte) error
	setGone(ctx context.Context, no int64, gone []byte) error
	unpark(ctx context.Context, no int64) error

	commit(ctx context.Context) error
	rollback()
}

// functionRow is a row of ingot_functions. Bit s of states is set if there has ever been
// a run in state s, and bit 0 if there has been a pending event.
type functionRow struct {
	no     int64
	id     ids.UUID
	states int64
}

const statePending = 1 << 0
