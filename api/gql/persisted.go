package gql

import (
	"container/list"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"net/http"
	"sync"
)

// Automatic persisted queries: a client sends the hash of a text that it has sent before.
// Texts are kept in memory; on a hash that is not known clients send the text again.

// Bounds of the texts that are kept. The least recently used make room.
const (
	maxPersisted      = 1_000
	maxPersistedBytes = 4 << 20
)

// persistedQuery is the extension by which clients name a text.
type persistedQuery struct {
	Version int    `json:"version"`
	Hash    string `json:"sha256Hash"`
}

// persistedVersion is the only version of the protocol.
const persistedVersion = 1

// key is the hash as texts are kept under it; an error names the field that is wrong.
func (q *persistedQuery) key() (key [sha256.Size]byte, err error) {
	if q.Version != persistedVersion {
		return key, fmt.Errorf("unsupported APQ version: extensions.persistedQuery.version is %d, and must be %d", q.Version, persistedVersion)
	}
	if n, err := hex.Decode(key[:], []byte(q.Hash[:min(len(q.Hash), 2*len(key))])); err != nil || n != len(key) || len(q.Hash) != 2*len(key) {
		return key, errors.New("extensions.persistedQuery.sha256Hash must be the SHA-256 of the query in 64 hex digits")
	}
	return key, nil
}

// persisted puts the text into a request that has only its hash. If it returns false,
// the request has the answer that it then returns.
func (s *Server) persisted(p *params) (refused Answer, ok bool) {
	q := p.Extensions.PersistedQuery
	if q == nil {
		return Answer{}, true
	}
	key, err := q.key()
	if err != nil {
		return fail(http.StatusBadRequest, "", err.Error()), false
	}
	if p.Query == "" {
		if p.Query, ok = s.texts.get(key); !ok {
			return fail(http.StatusOK, codePersisted, "PersistedQueryNotFound"), false
		}
		return Answer{}, true
	}
	if sha256.Sum256([]byte(p.Query)) != key {
		return fail(http.StatusBadRequest, "", "provided APQ hash does not match query"), false
	}
	return Answer{}, true
}

// persist keeps the text of a request that named its hash, and was valid.
func (s *Server) persist(p *params) {
	if q := p.Extensions.PersistedQuery; q != nil {
		s.texts.put(sha256.Sum256([]byte(p.Query)), p.Query)
	}
}

// texts are persisted queries by their hash. It is safe for concurrent use.
type texts struct {
	mu    sync.Mutex
	byKey map[[sha256.Size]byte]*list.Element
	// used has the most recently used in front.
	used  list.List
	bytes int
}

// storedText is an element of used.
type storedText struct {
	key  [sha256.Size]byte
	text string
}

func (t *texts) get(key [sha256.Size]byte) (text string, ok bool) {
	t.mu.Lock()
	defer t.mu.Unlock()
	e := t.byKey[key]
	if e == nil {
		return "", false
	}
	t.used.MoveToFront(e)
	return e.Value.(*storedText).text, true
}

func (t *texts) put(key [sha256.Size]byte, text string) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if e := t.byKey[key]; e != nil {
		t.used.MoveToFront(e)
		return
	}
	if t.byKey == nil {
		t.byKey = map[[sha256.Size]byte]*list.Element{}
	}
	t.byKey[key] = t.used.PushFront(&storedText{key, text})
	t.bytes += len(text)
	for t.used.Len() > maxPersisted || t.bytes > maxPersistedBytes {
		last := t.used.Remove(t.used.Back()).(*storedText)
		delete(t.byKey, last.key)
		t.bytes -= len(last.text)
	}
}
