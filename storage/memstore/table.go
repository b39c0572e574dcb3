package memstore

import (
	"slices"
	"strings"
)

// table is an ordered map: sorted runs of entries, each at most chunkMax long.
type table struct{ chunks [][]entry }

type entry struct {
	key   string
	value []byte // never changed in place: readers may hold it
}

const chunkMax = 512

// find returns the chunk and position of key, or where it belongs.
func (t *table) find(key string) (c, i int, found bool) {
	c, found = slices.BinarySearchFunc(t.chunks, key, func(ch []entry, k string) int {
		return strings.Compare(ch[0].key, k)
	})
	if found {
		return c, 0, true
	}
	if c > 0 {
		c-- // the chunk before begins below key
	}
	if len(t.chunks) == 0 {
		return 0, 0, false
	}
	i, found = slices.BinarySearchFunc(t.chunks[c], key, func(e entry, k string) int {
		return strings.Compare(e.key, k)
	})
	return c, i, found
}

func (t *table) get(key string) ([]byte, bool) {
	c, i, ok := t.find(key)
	if !ok {
		return nil, false
	}
	return t.chunks[c][i].value, true
}

func (t *table) put(key string, value []byte) {
	c, i, ok := t.find(key)
	switch {
	case ok:
		t.chunks[c][i].value = value
	case len(t.chunks) == 0:
		t.chunks = [][]entry{{{key, value}}}
	default:
		ch := slices.Insert(t.chunks[c], i, entry{key, value})
		t.chunks[c] = ch
		if len(ch) > chunkMax {
			half := len(ch) / 2
			t.chunks[c] = slices.Clone(ch[:half])
			t.chunks = slices.Insert(t.chunks, c+1, slices.Clone(ch[half:]))
		}
	}
}

func (t *table) delete(key string) {
	c, i, ok := t.find(key)
	if !ok {
		return
	}
	t.chunks[c] = slices.Delete(t.chunks[c], i, i+1)
	if len(t.chunks[c]) == 0 {
		t.chunks = slices.Delete(t.chunks, c, c+1)
	}
}

// scan calls fn for entries from key on until it returns false.
func (t *table) scan(key string, fn func(string, []byte) bool) {
	c, i, _ := t.find(key)
	for ; c < len(t.chunks); c, i = c+1, 0 {
		for _, e := range t.chunks[c][i:] {
			if !fn(e.key, e.value) {
				return
			}
		}
	}
}
