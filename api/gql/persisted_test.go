package gql

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"strings"
	"testing"
)

func persistedExtension(query string) string {
	hash := sha256.Sum256([]byte(query))
	return `{"persistedQuery":{"version":1,"sha256Hash":"` + hex.EncodeToString(hash[:]) + `"}}`
}

// TestPersistedQueries: a text is sent once, and named by its hash from then on.
func TestPersistedQueries(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	r.populate(1)
	const query = `query Q($s:String!){functionBySlug(query:{functionSlug:$s}){slug}}`
	get := func(text string) Answer {
		return r.s.Get(t.Context(), Values{Query: text, Variables: `{"s":"shop-pay"}`, Extensions: persistedExtension(query)})
	}
	const ok = `{"data":{"functionBySlug":{"slug":"shop-pay"}}}`
	for i, c := range []struct{ text, body string }{{"", "PersistedQueryNotFound"}, {query, ok}, {"", ok}} {
		if a := get(c.text); a.Status != 200 || !strings.Contains(string(a.Body), c.body) {
			t.Fatalf("request %d: %d %s", i, a.Status, a.Body)
		}
	}
	post := r.s.Post(t.Context(), "application/json", []byte(`{"variables":{"s":"shop-pay"},"extensions":`+persistedExtension(query)+`}`), Values{})
	if string(post.Body) != ok {
		t.Errorf("POST: %s", post.Body)
	}

	// What is not valid is not kept.
	const bad = `{nope}`
	_ = r.s.Get(t.Context(), Values{Query: bad, Extensions: persistedExtension(bad)})
	if a := r.s.Get(t.Context(), Values{Extensions: persistedExtension(bad)}); !strings.Contains(string(a.Body), "PersistedQueryNotFound") {
		t.Errorf("%s", a.Body)
	}

	// A mutation may be kept, but not run by a GET.
	const change = `mutation{deleteAppByName(name:"shop")}`
	if a := r.s.Get(t.Context(), Values{Query: change, Extensions: persistedExtension(change)}); a.Status != 406 {
		t.Errorf("%d %s", a.Status, a.Body)
	}
	if a := r.s.Get(t.Context(), Values{Extensions: persistedExtension(change)}); a.Status != 406 {
		t.Errorf("%d %s", a.Status, a.Body)
	}
}

// TestPersistedBounds: the least recently used texts make room.
func TestPersistedBounds(t *testing.T) {
	t.Parallel()
	key := func(text string) [sha256.Size]byte { return sha256.Sum256([]byte(text)) }
	var all texts
	for i := range maxPersisted {
		text := fmt.Sprint(i)
		all.put(key(text), text)
	}
	all.get(key("0"))
	all.put(key("new"), "new")
	for text, want := range map[string]bool{"0": true, "1": false, "2": true, "new": true} {
		if got, ok := all.get(key(text)); ok != want || ok && got != text {
			t.Errorf("%s: %q %t", text, got, ok)
		}
	}
	for i := range maxPersistedBytes/maxQuery + 10 {
		text := fmt.Sprintf("%0*d", maxQuery, i)
		all.put(key(text), text)
		all.put(key(text), text) // once more
	}
	size := 0
	for e := all.used.Front(); e != nil; e = e.Next() {
		size += len(e.Value.(*storedText).text)
	}
	if size != all.bytes || size > maxPersistedBytes || size < maxPersistedBytes-maxQuery || len(all.byKey) != all.used.Len() {
		t.Errorf("%d bytes, counted as %d; %d keys of %d texts", size, all.bytes, len(all.byKey), all.used.Len())
	}
}
