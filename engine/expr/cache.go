package expr

import "sync"

// Bounds of the compile cache (spec 03 §20.8). An entry is a shape, shared by all
// expressions that differ only in literals.
const (
	maxPrograms = 50_000
	maxPlans    = 10_000
	maxKeyBytes = 64 << 20
)

var (
	programs = cacheOf[*program]{max: maxPrograms}
	plans    = cacheOf[*plan]{max: maxPlans}
)

// cacheOf keeps the entries used last, in two generations: when the young one is
// half the bound, it becomes the old one, and what was not used since is dropped
// with the old one before. A hit in the young generation takes a read lock only.
type cacheOf[V any] struct {
	max        int
	mu         sync.RWMutex
	young, old map[string]V
	bytes      int // of keys in young
}

func (c *cacheOf[V]) get(key []byte) (V, bool) {
	c.mu.RLock()
	v, ok := c.young[string(key)]
	aged := false
	if !ok {
		v, ok = c.old[string(key)]
		aged = ok
	}
	c.mu.RUnlock()
	if aged {
		c.put(key, v)
	}
	return v, ok
}

func (c *cacheOf[V]) put(key []byte, v V) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if len(c.young) >= c.max/2 || c.bytes+len(key) > maxKeyBytes/2 {
		c.old, c.young, c.bytes = c.young, nil, 0
	}
	if c.young == nil {
		c.young = make(map[string]V)
	}
	c.young[string(key)] = v
	c.bytes += len(key)
}
