package expr

import (
	"strings"
	"sync"
	"unsafe"
)

// Bounds of the compile caches (spec 03 §20.8): shapes, each shared by all
// expressions that differ only in literals; expressions whose literals cannot be
// lifted out; and interpolation plans.
const (
	maxShapes   = 50_000
	maxTexts    = 5_000
	maxPlans    = 5_000
	maxKeyBytes = 64 << 20 // of each cache
)

var (
	shapeCache = cacheOf[*program]{max: maxShapes}
	textCache  = cacheOf[*program]{max: maxTexts}
	planCache  = cacheOf[*plan]{max: maxPlans}
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

func (c *cacheOf[V]) getString(key string) (V, bool) {
	return c.get(unsafe.Slice(unsafe.StringData(key), len(key)))
}

// get does not change or keep key.
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
		c.put(string(key), v)
	}
	return v, ok
}

// put keeps an own copy of key.
func (c *cacheOf[V]) put(key string, v V) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if len(c.young) >= c.max/2 || c.bytes+len(key) > maxKeyBytes/2 {
		c.old, c.young, c.bytes = c.young, nil, 0
	}
	if c.young == nil {
		c.young = make(map[string]V)
	}
	c.young[strings.Clone(key)] = v
	c.bytes += len(key)
}
