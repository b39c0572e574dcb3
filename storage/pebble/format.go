package pebble

import (
	"encoding/json"
	"errors"
	"fmt"
	"runtime"
	"time"

	"github.com/cockroachdb/pebble/v2"
	"github.com/cockroachdb/pebble/v2/vfs"
)

// formatVersion is the version of the directory: of the key space, and of what the
// engine writes into it. A store of a lower version is upgraded when it is opened; one
// of a higher version is refused, since a program that cannot read runs would forget
// them. Since version 2, records of runs hold small events and steps, and since version
// 3 what flow control needs, beside its own tables. Since version 4, entries of the ready
// index hold the locks of singletons. Older records are read as they are. Since version 5
// the event log is in files of its own (logsegment.go); an older one is moved there.
const formatVersion = formatSegments

const formatSegments = 5

// pebbleFormat is the version of Pebble's files, chosen below the newest because
// of SyncInterval: from FormatWALSyncChunks on, Pebble notes in its log how far
// the log is synced, and takes a hole before that point for corruption and refuses
// to open. With elided syncs that note would be wrong, and a power cut may well
// leave such a hole. Without it a hole is the end of the log, which is right.
const pebbleFormat = pebble.FormatColumnarBlocks

// ErrNewerFormat says that a newer version of Ingot has written the directory.
var ErrNewerFormat = errors.New("the data was written by a newer version of Ingot")

// format is the record that identifies a store.
type format struct {
	Version    int       `json:"version"`
	Partitions int       `json:"partitions"`
	Created    time.Time `json:"created"`
	// Platform is where it was created, for whoever looks at a moved directory.
	Platform string `json:"platform"`
}

// loadFormat reads the store's format record, or writes that of a new store.
func loadFormat(db *pebble.DB, dir string, partitions int) (format, error) {
	value, closer, err := db.Get(keyFormat)
	if errors.Is(err, pebble.ErrNotFound) {
		return createFormat(db, dir, partitions)
	}
	if err != nil {
		return format{}, fmt.Errorf("read the format of %s: %w", dir, err)
	}
	defer closer.Close()
	var f format
	if err := json.Unmarshal(value, &f); err != nil {
		return format{}, fmt.Errorf("read the format of %s: %w", dir, err)
	}
	if f.Version > formatVersion {
		return format{}, fmt.Errorf("open %s: %w (format %d, this version reads up to %d): run that version or a later one, or choose another data directory",
			dir, ErrNewerFormat, f.Version, formatVersion)
	}
	if f.Version < 1 || f.Partitions < 1 || f.Partitions > MaxPartitions {
		return format{}, fmt.Errorf("read the format of %s: version %d with %d partitions is not valid", dir, f.Version, f.Partitions)
	}
	return f, nil
}

// upgradeFormat makes an older store one of this version. Its event log has been moved.
func (s *DB) upgradeFormat() error {
	s.format.Version = formatVersion
	value, err := json.Marshal(s.format)
	if err != nil {
		return err
	}
	b := s.db.NewBatch()
	defer func() { _ = b.Close() }()
	_ = b.DeleteRange(logKey(0), []byte{spaceLog + 1}, nil)
	_ = b.Set(keyFormat, value, nil)
	if err := s.db.Apply(b, pebble.Sync); err != nil {
		return fmt.Errorf("write the format of %s: %w", s.dir, err)
	}
	s.fs.syncLog() // where Sync alone does not do it
	return s.fs.failure()
}

func writeFormat(db *pebble.DB, dir string, f format) error {
	value, err := json.Marshal(f)
	if err != nil {
		return err
	}
	if err := db.Set(keyFormat, value, pebble.Sync); err != nil {
		return fmt.Errorf("write the format of %s: %w", dir, err)
	}
	return nil
}

// createFormat makes an empty database a store. A database without format record
// is one whose creation was cut short, unless it holds something.
func createFormat(db *pebble.DB, dir string, partitions int) (format, error) {
	it, err := db.NewIter(nil)
	if err != nil {
		return format{}, fmt.Errorf("create the store in %s: %w", dir, err)
	}
	holds := it.First()
	if err := errors.Join(it.Error(), it.Close()); err != nil {
		return format{}, fmt.Errorf("create the store in %s: %w", dir, err)
	}
	if holds {
		return format{}, fmt.Errorf("open %s: it holds a database of something else: choose another data directory", dir)
	}
	f := format{
		Version:    formatVersion,
		Partitions: partitions,
		Created:    time.Now().UTC().Truncate(time.Second),
		Platform:   runtime.GOOS + "/" + runtime.GOARCH,
	}
	return f, writeFormat(db, dir, f)
}

// createDir creates dir and the directories above it that are missing, durably.
func createDir(fs vfs.FS, dir string) error {
	var changed []string // directories that get a new entry
	for at := dir; ; {
		if _, err := fs.Stat(at); err == nil {
			break
		}
		up := fs.PathDir(at)
		if up == at {
			break
		}
		changed = append(changed, up)
		at = up
	}
	if err := fs.MkdirAll(dir, 0o700); err != nil {
		return fmt.Errorf("create the data directory: %w", err)
	}
	for _, d := range changed {
		f, err := fs.OpenDir(d)
		if err != nil {
			return fmt.Errorf("create the data directory: %w", err)
		}
		if err := errors.Join(f.Sync(), f.Close()); err != nil {
			return fmt.Errorf("create the data directory: %w", err)
		}
	}
	return nil
}
