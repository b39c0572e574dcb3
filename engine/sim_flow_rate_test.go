package engine_test

import "ingot/engine"

// flowRate is a key of a throttle or rate limit by the reference model. What the
// rules leave open makes it an interval: whether a run that was created under
// another configuration counts, and what a key keeps of a rule that was replaced.
type flowRate struct {
	least, most engine.RefGCRA
	version     int // of the function's configuration
}

// follow takes the key through the versions of its function's configuration up to
// one. of gives the rule of a version, if it has one.
func (r *flowRate) follow(f *flowFn, upTo *flowConfig, of func(*flowConfig) *rate) {
	for ; r.version < upTo.version; r.version++ {
		if t := of(f.configs[r.version]); t != nil {
			r.bound(f.configs[r.version].since, t)
		}
	}
}

// bound is what a key may keep at most, at a unix ms.
func (r *flowRate) bound(ms int64, t *rate) { r.least.Clamp(ms*1e6, t.limit, t.period, t.atOnce) }

// mayAdmit reports whether the rule allows one more at a unix ms.
func (r *flowRate) mayAdmit(ms int64, t *rate) bool {
	r.bound(ms, t)
	return r.least.Allows(ms*1e6, t.limit, t.period, t.atOnce)
}

// mustAdmit reports whether the rule cannot refuse one more.
func (r *flowRate) mustAdmit(ms int64, t *rate) bool {
	return r.most.Allows(ms*1e6, t.limit, t.period, t.atOnce)
}

// admit follows an admission; counts says that it surely takes its place.
func (r *flowRate) admit(ms int64, t *rate, counts bool) {
	if counts {
		r.least.Take(ms*1e6, t.limit, t.period, t.atOnce)
	}
	r.most.Take(ms*1e6, t.limit, t.period, t.atOnce)
	r.most.Clamp(ms*1e6, t.limit, t.period, t.atOnce)
}
