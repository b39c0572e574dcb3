package golden

// Arrays whose order means nothing.

// maxTries bounds the search for a permutation.
const maxTries = 5000

// permutation compares arrays whose order means nothing. If no order makes them equal,
// each element that has no equal is compared with the one that differs least of the rest.
func (c *comparer) permutation(path string, want, got []any) {
	tries := 0
	if c.assign(path, want, got, &tries) {
		return
	}
	missing, left := c.unmatched(path, want, got)
	for _, w := range missing {
		i := c.closest(path, w, left)
		c.value(path+"[]", w, left[i])
		left = append(left[:i], left[i+1:]...)
	}
}

// unmatched returns the elements of both arrays that have no equal in the other.
func (c *comparer) unmatched(path string, want, got []any) (missing, left []any) {
	left = append([]any(nil), got...)
next:
	for _, w := range want {
		for i, g := range left {
			if c.b.try(func() bool { return c.probe(path, w, g) == nil }) {
				left = append(left[:i], left[i+1:]...)
				continue next
			}
		}
		missing = append(missing, w)
	}
	return missing, left
}

// closest returns the place of the element that differs least from one.
func (c *comparer) closest(path string, want any, got []any) int {
	place, fewest := 0, maxDiffs+1
	for i, g := range got {
		c.b.try(func() bool {
			if n := len(c.probe(path, want, g)); n < fewest {
				place, fewest = i, n
			}
			return false // takes back what it bound
		})
	}
	return place
}

// assign gives each wanted element one of those that came. What it binds stays bound if
// it succeeds; otherwise other orders are tried, since labels bind at their first sight.
func (c *comparer) assign(path string, want, got []any, tries *int) bool {
	if len(want) == 0 {
		return true
	}
	for i, g := range got {
		if *tries++; *tries > maxTries {
			return false
		}
		rest := append(append([]any(nil), got[:i]...), got[i+1:]...)
		if c.b.try(func() bool { return c.probe(path, want[0], g) == nil && c.assign(path, want[1:], rest, tries) }) {
			return true
		}
	}
	return false
}

// probe returns how two values differ.
func (c *comparer) probe(path string, want, got any) []string {
	p := comparer{b: c.b, unordered: c.unordered, special: c.special}
	p.value(path, want, got)
	return p.diffs
}
