package engine

import "github.com/oklog/ulid/v2"

// Placeholder until match.go lands: every wait of a name is a candidate. Delete
// this file when match.go defines the same names.

type waitRef struct {
	run ulid.ULID
	job uint32
}

type waitIndex struct{ m map[string][]waitRef }

func newWaitIndex() *waitIndex { return &waitIndex{m: map[string][]waitRef{}} }

func (w *waitIndex) add(name string, ref waitRef, _ string) { w.m[name] = append(w.m[name], ref) }

func (w *waitIndex) remove(name string, ref waitRef, _ string) {
	l := w.m[name]
	for i := range l {
		if l[i] == ref {
			w.m[name] = append(l[:i:i], l[i+1:]...)
			break
		}
	}
	if len(w.m[name]) == 0 {
		delete(w.m, name)
	}
}

func (w *waitIndex) has(name []byte) bool { return len(w.m[string(name)]) > 0 }

func (w *waitIndex) candidates(name, _ []byte, visit func(waitRef)) {
	for _, r := range w.m[string(name)] {
		visit(r)
	}
}
