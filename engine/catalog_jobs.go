package engine

import (
	"fmt"

	"github.com/oklog/ulid/v2"
)

// Long operations that operators have asked for are kept beside the catalog, which is the
// only writer of the system partition. What a record says is the business of whoever
// saves it.

// SaveJob keeps a record under an id, in place of the one before; nil deletes it. It is
// durable when SaveJob returns.
func (c *Catalog) SaveJob(id ulid.ULID, record []byte) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.failed != nil {
		return c.failed
	}
	batch := c.store.NewBatch()
	if record == nil {
		batch.Delete(TableJob, id[:])
	} else {
		batch.Put(TableJob, id[:], record)
	}
	done := make(chan error, 1)
	c.store.Commit(batch, func(err error) { done <- err })
	if err := <-done; err != nil {
		c.failed = fmt.Errorf("save an operator's job: %w", err)
		return c.failed
	}
	return nil
}

// Jobs visits all records in the order of their ids. A record is valid only during the
// call.
func (c *Catalog) Jobs(visit func(id ulid.ULID, record []byte)) error {
	err := c.store.Scan(TableJob, nil, nil, func(k, v []byte) bool {
		if len(k) == len(ulid.ULID{}) {
			visit(ulid.ULID(k), v)
		}
		return true
	})
	if err != nil {
		return fmt.Errorf("read the operators' jobs: %w", err)
	}
	return nil
}
