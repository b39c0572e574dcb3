package admin

import (
	"fmt"
	"net/http"
	"net/http/pprof"
	"runtime"
	"strconv"
	"sync"
)

const (
	// mutexFraction samples one of so many contended unlocks.
	mutexFraction = 10
	// blockRate samples blocking of so many nanoseconds, and shorter in proportion.
	blockRate = 10_000
	// maxRate bounds ?rate=.
	maxRate = 1_000_000_000
)

// contention serves the mutex or block profile. Their sampling costs something on
// each lock, so it is on only while a profile of some seconds is taken.
type contention struct {
	profile http.Handler
	name    string
	set     func(rate int)
	rate    int
	busy    sync.Mutex
}

func newContention(name string, set func(int), rate int) *contention {
	return &contention{profile: pprof.Handler(name), name: name, set: set, rate: rate}
}

func setMutexFraction(n int) { runtime.SetMutexProfileFraction(n) }
func setBlockRate(ns int)    { runtime.SetBlockProfileRate(ns) }

// ServeHTTP implements http.Handler. Without ?seconds it answers what earlier
// profiles have counted; ?rate sets the sampling of this one.
func (c *contention) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	rate, err := c.wantedRate(r)
	if err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
		return
	}
	if r.FormValue("seconds") != "" {
		// The rate is the whole process's: a second profile would end the first's.
		if !c.busy.TryLock() {
			http.Error(w, "a "+c.name+" profile is being taken", http.StatusConflict)
			return
		}
		defer c.busy.Unlock()
		c.set(rate)
		defer c.set(0)
	}
	c.profile.ServeHTTP(w, r)
}

func (c *contention) wantedRate(r *http.Request) (int, error) {
	text := r.FormValue("rate")
	if text == "" {
		return c.rate, nil
	}
	n, err := strconv.Atoi(text)
	if err != nil || n < 1 || n > maxRate {
		return 0, fmt.Errorf("rate must be a whole number from 1 to %d, not %q", maxRate, text)
	}
	return n, nil
}
