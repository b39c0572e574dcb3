package golden

import (
	"encoding/json"
	"strings"
	"time"

	"ingot/internal/ids"
)

// Ids that a request names before any call has told them: the recorder had them from views.

// functionID makes the id of a function (spec 03 §2.2).
func (r *Replay) functionID(slug string) (string, bool) {
	for _, m := range r.t.moments {
		if m.role != roleClient || !strings.HasPrefix(m.Request.Path, "/fn/register") {
			continue
		}
		for _, f := range registered(m) {
			if f.ID == slug {
				uri := strings.Replace(r.b.Expand(f.Steps.Step.Runtime.URL, time.Now()), "127.0.0.1", "localhost", 1)
				return ids.UUIDv5([]byte(f.Name + uri)).String(), true
			}
		}
	}
	return "", false
}

// learn binds the ids of a path that are not known yet: of functions, and of runs that did
// not call the app.
func (r *Replay) learn(path string) {
	for _, p := range parse(path) {
		if _, known := r.b.Value(p.text); known {
			continue
		}
		id, ok := "", false
		if slug, isFn := strings.CutPrefix(p.label, "fn:"); isFn {
			id, ok = r.functionID(slug)
		} else if p.kind == "ULID" && strings.HasPrefix(p.label, "run") {
			id, ok = r.runID(p.text)
		}
		if ok {
			r.b.Set(p.text, id)
		}
	}
}

// runID asks the server for a run that a view has as the only one of an event.
func (r *Replay) runID(label string) (string, bool) {
	var v view
	if json.Unmarshal(r.s.Views["final"], &v) != nil {
		return "", false
	}
	for i := range v.REventRun {
		rest := &v.REventRun[i]
		if !strings.Contains(rest.Raw, `{"data":[{"run_id":"`+label+`"`) || strings.Count(rest.Raw, `"run_id"`) != 1 {
			continue
		}
		_, path, _ := strings.Cut(rest.Request, " ")
		res, err := client.Get("http://" + r.server + r.b.Expand(path, time.Now()))
		if err != nil {
			return "", false
		}
		var runs struct {
			Data []struct {
				ID string `json:"run_id"`
			} `json:"data"`
		}
		err = json.NewDecoder(res.Body).Decode(&runs)
		_ = res.Body.Close()
		if err != nil || len(runs.Data) != 1 {
			return "", false
		}
		return runs.Data[0].ID, true
	}
	return "", false
}
