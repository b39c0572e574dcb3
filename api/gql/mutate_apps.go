package gql

import (
	"context"
	"errors"
	"fmt"
	"time"

	"ingot/engine"
	"ingot/internal/ids"
)

// maxURL bounds the URL of an app in bytes.
const maxURL = 2048

// appURL is the URL of an app in the form in which apps are stored.
func appURL(text string) (string, error) {
	if text == "" || len(text) > maxURL {
		return "", refuse(fmt.Sprintf("input.url must have from 1 to %d bytes", maxURL))
	}
	return engine.NormalizeUserURL(text), nil
}

// CreateApp keeps a URL and asks the app there to register. What went wrong is the error;
// the URL is kept all the same, and asked again (spec 02 §9.3).
func (*mutation) CreateApp(ctx context.Context, args struct{ Input struct{ URL string } }) (*appNode, error) {
	r := of(ctx)
	if r.s.opts.SyncApp == nil {
		return nil, errNoApps
	}
	url, err := appURL(args.Input.URL)
	if err != nil {
		return nil, err
	}
	if err := r.s.opts.Catalog.AddPlaceholder(url, engine.AppErrorUnreachable, false, time.Now().UTC()); err != nil {
		return nil, err //nolint:wrapcheck // logged with its path
	}
	if problem := r.s.opts.SyncApp(ctx, url); problem != "" {
		return nil, refuse(problem)
	}
	for _, a := range r.refresh().Apps {
		// An app that has registered took the place of the one that only had a URL.
		if a.Active() && a.URL == url && a.Name != "" {
			return &appNode{r, a}, nil
		}
	}
	return nil, refuse("There was an error creating your app")
}

// UpdateApp gives an app another URL, and asks it there to register. What went wrong is
// told as the app's error.
func (*mutation) UpdateApp(ctx context.Context, args struct{ Input struct{ ID, URL string } }) (*appNode, error) {
	id, err := parseUUID("input.id", text(args.Input.ID))
	if err != nil {
		return nil, err
	}
	url, err := appURL(args.Input.URL)
	if err != nil {
		return nil, err
	}
	r := of(ctx)
	err = r.s.opts.Catalog.Update(func(tx *engine.Tx) error {
		a := tx.App(id)
		if a == nil {
			return errNoRows
		}
		next := *a
		next.URL, next.UpdatedAt = url, time.Now().UTC()
		tx.PutApp(next)
		return nil
	})
	if err != nil {
		return nil, err //nolint:wrapcheck // logged with its path
	}
	if r.s.opts.SyncApp != nil {
		r.s.opts.SyncApp(ctx, url)
	}
	if a := r.refresh().Apps[id]; a != nil {
		return &appNode{r, a}, nil
	}
	return nil, errNoRows // it was a placeholder, and what is there has registered under its name
}

// DeleteApp takes an app and its functions out of service; its runs go on. It returns the
// id also if there is no such app.
func (*mutation) DeleteApp(ctx context.Context, args struct{ ID string }) (string, error) {
	id, err := parseUUID("id", text(args.ID))
	if err != nil {
		return "", err
	}
	err = removeApp(ctx, func(tx *engine.Tx) *engine.App { return tx.App(id) })
	if errors.Is(err, errNoRows) {
		err = nil
	}
	return args.ID, err
}

// DeleteAppByName is DeleteApp, and tells whether there was one.
func (*mutation) DeleteAppByName(ctx context.Context, args struct{ Name string }) (bool, error) {
	err := removeApp(ctx, func(tx *engine.Tx) *engine.App { return tx.AppByName(args.Name) })
	if errors.Is(err, errNoRows) {
		return false, nil
	}
	return err == nil, err
}

// removeApp takes the app that find returns out of service. errNoRows if there is none.
func removeApp(ctx context.Context, find func(*engine.Tx) *engine.App) error {
	r := of(ctx)
	err := r.s.opts.Catalog.Update(func(tx *engine.Tx) error {
		switch a := find(tx); {
		case a == nil || !a.Active():
			return errNoRows
		case a.Name == "":
			tx.DeleteApp(a.ID) // it never registered, so no run is of it
		default:
			tx.ArchiveApp(a.ID, time.Now().UTC())
		}
		return nil
	})
	r.refresh()
	return err //nolint:wrapcheck // logged with its path
}

// PauseFunction lets a function call nothing.
func (*mutation) PauseFunction(ctx context.Context, args fnArgs) (*functionNode, error) {
	return setMode(ctx, args.FnID, engine.ModePaused)
}

// UnpauseFunction makes a function active.
func (*mutation) UnpauseFunction(ctx context.Context, args fnArgs) (*functionNode, error) {
	return setMode(ctx, args.FnID, engine.ModeActive)
}

// DrainFunction lets a function start no more runs.
func (*mutation) DrainFunction(ctx context.Context, args fnArgs) (*functionNode, error) {
	return setMode(ctx, args.FnID, engine.ModeDraining)
}

type fnArgs struct{ FnID text }

func setMode(ctx context.Context, fnID text, m engine.FunctionMode) (*functionNode, error) {
	var id ids.UUID
	id, err := parseUUID("fnID", fnID)
	if err != nil {
		return nil, err
	}
	r := of(ctx)
	if r.s.opts.Operator == nil {
		return nil, errNoOperator
	}
	f := r.catalog().ByID[id]
	if f == nil {
		return nil, errNoRows
	}
	if err := r.s.opts.Operator.SetMode(ctx, id, m); err != nil {
		return nil, err //nolint:wrapcheck // logged with its path
	}
	r.s.log.Info("an operator has set the mode of a function", "function", f.Slug, "mode", m.String())
	return &functionNode{r, f}, nil
}
