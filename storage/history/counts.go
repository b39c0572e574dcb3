package history

// Roll-ups: how many rows there are, by time and class. They are kept for hours, and for
// longer units, so that a count over years adds few rows.

// Kinds of counts. Values are stored.
const (
	countQueued = 1 // runs by the time of their id; key is their class
	countEnded  = 2 // runs that have ended, by that time; key is their class
	countEvents = 3 // events by the time of their id; key is their name
)

const hourMS = 3_600_000

// countKey is a row of ingot_counts.
type countKey struct {
	kind   int64
	bucket int64
	key    int64
}

// levelHours is how many hours a bucket of each level has.
var levelHours = [...]int64{1, 24, 24 * 32}

// bucketOf is the bucket of a level that an hour lies in.
func bucketOf(level int, hour int64) int64 { return int64(level)<<40 | hour/levelHours[level] }

// counter collects changes of counts. Buckets are hours until levels is called.
type counter map[countKey]int64

// add counts n more rows at ms.
func (c counter) add(kind, ms, key, n int64) {
	c[countKey{kind, min(max(ms, 0), numberMS) / hourMS, key}] += n
}

// levels returns the changes of all levels.
func (c counter) levels() map[countKey]int64 {
	out := make(map[countKey]int64, len(levelHours)*len(c))
	for k, n := range c {
		if n == 0 {
			continue
		}
		for level := range levelHours {
			out[countKey{k.kind, bucketOf(level, k.bucket), k.key}] += n
		}
	}
	return out
}
