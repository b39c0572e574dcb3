package engine

import (
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"

	"ingot/engine/function"
	"ingot/engine/function/sdk"
	"ingot/internal/ids"
)

// Texts stored as an app's error (spec 01 §5.11).
const (
	AppErrorUnreachable = "unreachable"
	AppErrorBlockedSDK  = "sdk_version_denied"
	AppErrorNoFunctions = "No functions registered within your app"
)

// Errors of Register that callers tell apart. Invalid functions are function.Errors.
var (
	// ErrNoAppName says that the request names no app.
	ErrNoAppName = errors.New("App ID required") //nolint:staticcheck // the text is part of the protocol
	// ErrBlockedSDK says that the SDK has a known vulnerability (spec 01 §5.4 step 7).
	ErrBlockedSDK = errors.New("App sync was blocked because this application is using an Inngest JavaScript SDK " + //nolint:staticcheck // as above
		"with a known security vulnerability. Please upgrade to v3.54.0 or later. " +
		"See more information: https://www.inngest.com/blog/cve-2026-42047")
	// ErrDuplicateFunction says that two functions have one id; the first was registered.
	ErrDuplicateFunction = errors.New("two functions have the same id")
)

// Registration is the outcome of a registration.
type Registration struct {
	AppID ids.UUID
	// Modified is false if the request was the same as the last one.
	Modified bool
}

// Register makes an app and its functions what req says (spec 01 §5.4). Functions
// that keep their slug keep their id; functions that are no longer there are
// archived. If a function is invalid, or the SDK is blocked, the app only gets an
// error and its functions stay as they are.
func (c *Catalog) Register(req *sdk.RegisterRequest, now time.Time) (Registration, error) {
	if req.AppName == "" {
		return Registration{}, ErrNoAppName
	}
	normalizeURLs(req)
	sum, err := req.Checksum()
	if err != nil {
		return Registration{}, err //nolint:wrapcheck // tells its place
	}
	// The common case while an app is polled: nothing changed, no lock is needed.
	if a := appByName(c.Snapshot().Apps, req.AppName); unchanged(a, sum) && !blockedSDK(req.SDK) {
		return Registration{AppID: a.ID}, nil
	}
	defs, invalid := definitions(req)
	var out Registration
	var refused error
	err = c.Update(func(tx *Tx) error {
		out, refused = tx.register(req, sum, defs, invalid, now)
		return nil
	})
	if err != nil {
		return Registration{}, err
	}
	return out, refused
}

func unchanged(a *App, checksum string) bool {
	return a != nil && a.Active() && a.Error == "" && a.Checksum == checksum
}

// register is Register within a transaction. Its error does not undo the
// transaction, which then holds what is to be told about the app.
func (tx *Tx) register(req *sdk.RegisterRequest, sum string, defs []*function.Definition,
	invalid function.Errors, now time.Time,
) (Registration, error) {
	app := tx.upsertApp(req, now)
	out := Registration{AppID: app.ID}
	var refused error
	switch {
	case blockedSDK(req.SDK):
		app.Error, refused = AppErrorBlockedSDK, ErrBlockedSDK
	case unchanged(tx.App(app.ID), sum):
		return out, nil
	case len(invalid) > 0:
		app.Error, refused = invalid.Error(), invalid
	default:
		app.Error, app.Checksum = "", sum
		archived, err := tx.replaceFunctions(&app, defs, now)
		if err != nil {
			app.Checksum, refused = "", err
		} else if len(defs) == 0 && archived == 0 {
			app.Error = AppErrorNoFunctions
		}
	}
	if old := tx.App(app.ID); old != nil {
		same := *old
		same.UpdatedAt = app.UpdatedAt
		if same == app {
			return out, refused // a broken app that is polled writes nothing
		}
	}
	tx.PutApp(app)
	out.Modified = refused == nil
	return out, refused
}

// upsertApp returns the app's row as the request wants it, not yet stored. Its
// error and checksum are those of before. Placeholders of its URL are gone.
func (tx *Tx) upsertApp(req *sdk.RegisterRequest, now time.Time) App {
	app := App{ID: ids.UUIDv5([]byte(req.AppName)), Name: req.AppName, CreatedAt: now}
	if old := tx.AppByName(req.AppName); old != nil {
		app = *old
	}
	tx.Apps(func(a *App) bool {
		if a.Name == "" && a.URL == req.URL {
			app.Discovered = app.Discovered || a.Discovered
			tx.DeleteApp(a.ID)
		}
		return true
	})
	language, version, _ := strings.Cut(req.SDK, ":")
	app.URL, app.SDKLanguage, app.SDKVersion = req.URL, language, version
	app.Framework, app.AppVersion, app.Platform = req.Framework, req.AppVersion, req.Platform()
	app.Method = MethodServe
	if req.Connects() {
		app.Method = MethodConnect
	}
	app.UpdatedAt, app.ArchivedAt = now, time.Time{}
	return app
}

// replaceFunctions makes defs the app's functions and returns how many were archived.
func (tx *Tx) replaceFunctions(app *App, defs []*function.Definition, now time.Time) (archived int, err error) {
	bySlug := map[string]*function.Function{}
	for _, f := range tx.Functions(app.ID) {
		bySlug[f.Slug] = f
	}
	wanted := make(map[string]bool, len(defs))
	kept := make(map[ids.UUID]bool, len(defs))
	for _, d := range defs {
		wanted[d.Slug] = true
		if f := bySlug[d.Slug]; f != nil {
			kept[f.ID] = true
		}
	}
	for _, d := range defs {
		if !wanted[d.Slug] {
			// As in the reference: the first of its slug serves, and the sender is told.
			err = ErrDuplicateFunction
			continue
		}
		wanted[d.Slug] = false
		id := function.Identity{AppID: app.ID, AppName: app.Name, Version: 1}
		if f := bySlug[d.Slug]; f != nil {
			id.ID = f.ID
		} else {
			id.ID = tx.freeID(app, d, kept)
			kept[id.ID] = true
		}
		if f := tx.Function(id.ID); f != nil {
			id.Version = f.Version + 1
		}
		f, buildErr := d.Build(id)
		if buildErr != nil {
			return archived, fmt.Errorf("function %q: %w", d.Slug, buildErr)
		}
		tx.PutFunction(f)
	}
	for _, f := range bySlug {
		if !kept[f.ID] {
			tx.ArchiveFunction(f.ID, now)
			archived++
		}
	}
	return archived, err
}

// freeID is the id of a new function. The usual one depends on the name and the
// URL only; where another function in service has it, app and slug are added.
func (tx *Tx) freeID(app *App, d *function.Definition, kept map[ids.UUID]bool) ids.UUID {
	id := d.NewID()
	f := tx.Function(id)
	if !kept[id] && (f == nil || f.AppID == app.ID || !tx.Active(id)) {
		return id
	}
	return ids.UUIDv5([]byte(d.Name + d.Steps[0].URI + "\x00" + app.Name + "\x00" + d.Slug))
}

// normalizeURLs brings all URLs of a request into the stored form.
func normalizeURLs(req *sdk.RegisterRequest) {
	req.URL = NormalizeURL(req.URL)
	for _, f := range req.Functions {
		for name, s := range f.Steps {
			if u := s.URL(); u != "" {
				s.SetURL(NormalizeURL(u))
				f.Steps[name] = s
			}
		}
	}
}

// definitions normalises and checks all functions.
func definitions(req *sdk.RegisterRequest) ([]*function.Definition, function.Errors) {
	defs := make([]*function.Definition, 0, len(req.Functions))
	var invalid function.Errors
	for i := range req.Functions {
		d, err := function.Normalize(&req.Functions[i])
		var one function.Error
		switch {
		case errors.As(err, &one):
			invalid = append(invalid, one)
		default:
			defs = append(defs, d)
			invalid = append(invalid, d.Validate()...)
		}
	}
	return defs, invalid
}

// Versions of the JavaScript SDK that are refused, both ends included.
var (
	firstBlocked = [3]int{3, 22, 0}
	lastBlocked  = [3]int{3, 53, 1}
)

// blockedSDK reports whether name ("js:v3.40.1") is refused for its vulnerability.
func blockedSDK(name string) bool {
	language, version, _ := strings.Cut(name, ":")
	if language != "js" && language != "inngest-js" {
		return false
	}
	version, _, _ = strings.Cut(strings.TrimPrefix(version, "v"), "-")
	var v [3]int
	parts := strings.SplitN(version, ".", 3)
	for i, p := range parts {
		n, err := strconv.Atoi(p)
		if err != nil {
			return false
		}
		v[i] = n
	}
	return !less(v, firstBlocked) && !less(lastBlocked, v)
}

func less(a, b [3]int) bool {
	for i := range a {
		if a[i] != b[i] {
			return a[i] < b[i]
		}
	}
	return false
}
