package expr

// maxInlineSlots is how many attributes of the variables an expression may use
// before evaluating it needs an extra allocation.
const maxInlineSlots = 8

// trie is the set of attribute paths below one variable that an expression uses.
// One pass over the event's JSON finds them all; nothing else is decoded.
type trie struct {
	key  string
	slot int // index of the path that ends here, -1 for none
	kids []*trie
}

func newTrie() *trie { return &trie{slot: -1} }

// insert adds a path; used again it gives the slot it has already.
func (t *trie) insert(keys []string, slot int) int {
	for _, k := range keys {
		var next *trie
		for _, kid := range t.kids {
			if kid.key == k {
				next = kid
			}
		}
		if next == nil {
			next = &trie{key: k, slot: -1}
			t.kids = append(t.kids, next)
		}
		t = next
	}
	if t.slot < 0 {
		t.slot = slot
	}
	return t.slot
}

// clear forgets what was found below t: a repeated key hides its predecessor.
func (t *trie) clear(slots []string) {
	if t.slot >= 0 {
		slots[t.slot] = ""
	}
	for _, kid := range t.kids {
		kid.clear(slots)
	}
}

// project stores the text of each path's value in slots; absent ones stay empty.
// It returns the index after the object. If unique is set, no key is there twice: it then
// reads no further than it has to, and returns -1 if that was not to the end.
func (t *trie) project(s string, i int, slots []string, unique bool) int {
	it := objectIter{s, i + 1}
	left := len(t.kids)
members:
	for {
		key, escaped, at, ok := it.next()
		if !ok {
			// it.i is at the closing brace, or the text is malformed.
			if end := skipSpace(s, it.i); end < len(s) && s[end] == '}' {
				return end + 1
			}
			return len(s)
		}
		for _, kid := range t.kids {
			if len(key) == len(kid.key) || escaped {
				if keyEquals(key, escaped, kid.key) {
					if it.i = kid.take(s, at, slots, unique); unique {
						if left--; left == 0 {
							return -1
						}
						if it.i < 0 {
							break
						}
					}
					continue members
				}
			}
		}
		it.i = skipValue(s, at)
	}
}

// take records the value at s[i] for the path that ends here and those below. It returns
// the index after the value, or -1 as project does.
func (t *trie) take(s string, i int, slots []string, unique bool) int {
	if !unique {
		t.clear(slots)
	}
	end := -1
	if len(t.kids) > 0 && s[i] == '{' {
		end = t.project(s, i, slots, unique)
	}
	if end < 0 && (t.slot >= 0 || !unique) {
		end = skipValue(s, i)
	}
	if t.slot >= 0 {
		slots[t.slot] = s[i:end]
	}
	return end
}
