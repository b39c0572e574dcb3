package history

import "context"

// count counts the rows of a kind that have one of the keys, by time in [from, until], unix
// ms, 0 is open: whole hours by their sums, what is left at the edges by rows.
func (db *DB) count(ctx context.Context, kind int64, keys []int64, from, until int64, rows func(from, until int64) (int, error)) (int, error) {
	if len(keys) == 0 || until > 0 && from > until {
		return 0, nil
	}
	const maxHour = numberMS/hourMS + 1
	from = max(from, 0)
	firstHour, endHour := (from+hourMS-1)/hourMS, int64(maxHour)
	if until > 0 {
		endHour = min(maxHour, (until+1)/hourMS)
	} else {
		until = numberMS
	}
	if firstHour >= endHour { // within an hour or two
		return rows(from, until)
	}
	n, err := db.sum(ctx, kind, keys, firstHour, endHour)
	if err != nil {
		return 0, err
	}
	edges := [][2]int64{{from, firstHour*hourMS - 1}, {endHour * hourMS, until}}
	for _, e := range edges {
		if e[0] > e[1] || e[0] > numberMS {
			continue
		}
		more, err := rows(e[0], e[1])
		if err != nil {
			return 0, err
		}
		n += more
	}
	return n, nil
}

// countRows counts rows one by one; both times are included.
func (db *DB) countRows(ctx context.Context, kind int64, keys []int64, from, until int64) (int, error) {
	var a args
	list := db.numbers(&a, keys)
	var of string
	switch kind {
	case countEnded:
		of = "FROM ingot_runs r WHERE r.class = l.v AND r.ended >= " + a.add(from) + " AND r.ended <= " + a.add(until) + " AND r.ended > 0"
	case countQueued:
		lo, hi := window(from, until)
		of = "FROM ingot_runs r WHERE r.class = l.v AND r.no >= " + a.add(lo) + " AND r.no < " + a.add(hi)
	default:
		lo, hi := window(from, until)
		of = "FROM ingot_events r WHERE r.name = l.v AND r.no >= " + a.add(lo) + " AND r.no < " + a.add(hi)
	}
	return db.number(ctx, "SELECT CAST(coalesce(sum((SELECT count(*) "+of+")), 0) AS BIGINT) FROM "+list+" l", a)
}

// sum adds up whole hours.
func (db *DB) sum(ctx context.Context, kind int64, keys []int64, firstHour, endHour int64) (n int, err error) {
	var a args
	k := a.add(kind)
	query := ""
	for _, r := range buckets(firstHour, endHour) {
		if query != "" {
			query += " UNION ALL "
		}
		query += "SELECT c.key, CAST(sum(c.n) AS BIGINT) FROM ingot_counts c WHERE c.kind = " + k +
			" AND c.bucket >= " + a.add(r[0]) + " AND c.bucket < " + a.add(r[1]) + " GROUP BY c.key"
	}
	// The keys are chosen here: there are no more rows than classes, and a database that
	// has to guess how long the list is may look each of them up.
	wanted := make(map[int64]bool, len(keys))
	for _, key := range keys {
		wanted[key] = true
	}
	err = db.query(ctx, query, a, func(scan func(...any) error) error {
		var key int64
		var some int
		err := scan(&key, &some)
		if wanted[key] {
			n += some
		}
		return err
	})
	return n, err
}

// number reads one number.
func (db *DB) number(ctx context.Context, query string, a args) (n int, err error) {
	err = db.query(ctx, query, a, func(scan func(...any) error) error { return scan(&n) })
	return n, err
}

// buckets are ranges [first, end) of buckets that make up the hours [first, end).
func buckets(first, end int64) [][2]int64 {
	var out [][2]int64
	add := func(level int, first, end int64) {
		if first < end {
			out = append(out, [2]int64{bucketOf(level, first), bucketOf(level, 0) + end/levelHours[level]})
		}
	}
	for level := 0; ; level++ {
		if level == len(levelHours)-1 {
			add(level, first, end)
			return out
		}
		unit := levelHours[level+1]
		up, down := (first+unit-1)/unit*unit, end/unit*unit
		if up >= down {
			add(level, first, end)
			return out
		}
		add(level, first, up)
		add(level, down, end)
		first, end = up, down
	}
}
