package golden

import (
	"context"
	"flag"
	"fmt"
	"os"
	"path"
	"path/filepath"
	"regexp"
	"sort"
	"strings"
	"sync"
	"testing"
	"time"

	"ingot/internal/e2e/rawapp"
)

var (
	only     = flag.String("only", "", "replay only the files whose name matches this regular expression")
	parallel = flag.Int("files", 40, "files replayed at once")
	details  = flag.Bool("details", false, "print every difference of every failing file, not only the first")
)

// ownServer lists the files of runs that need a server of their own: their functions
// listen to every internal event, or they were recorded with other flags.
var ownServer = map[string]bool{
	"runs/on-finished-trigger.json":   true,
	"runs/wait-internal-event.json":   true,
	"runs/retry-default-backoff.json": true,
}

// TestGoldenReplay plays every recording against a server process and compares.
func TestGoldenReplay(t *testing.T) {
	if testing.Short() {
		t.Skip("replays run for more than a minute, most of it asleep")
	}
	var files []*Scenario
	for _, folder := range []string{"runs", "sdk-traffic"} {
		files = append(files, load(t, folder)...)
	}
	filter := regexp.MustCompile(*only)
	ctx, cancel := context.WithTimeout(t.Context(), 5*time.Minute)
	defer cancel()
	h := &harness{t: t, ctx: ctx, results: map[string][]string{}, slots: make(chan struct{}, *parallel)}
	bin, err := rawapp.Build(ctx, t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	h.bin = bin
	began := time.Now()
	h.shared()
	var wg sync.WaitGroup
	var played []*Scenario
	// The long ones first.
	sort.SliceStable(files, func(i, j int) bool { return length(files[i]) > length(files[j]) })
	for _, s := range files {
		if !filter.MatchString(s.File) {
			continue
		}
		played = append(played, s)
		h.slots <- struct{}{}
		wg.Go(func() {
			defer func() { <-h.slots }()
			calls, views := split(h.play(s))
			h.mu.Lock()
			h.results[s.File], h.results[s.File+viewsOf] = calls, views
			h.mu.Unlock()
		})
	}
	wg.Wait()
	h.stop()
	t.Logf("%d files in %s", len(played), time.Since(began).Round(time.Second))
	h.report(played, *only == "")
}

func length(s *Scenario) int64 {
	last := s.Exchanges[len(s.Exchanges)-1]
	if s.randomTimes() {
		return 60000
	}
	return last.At
}

func load(t *testing.T, folder string) []*Scenario {
	t.Helper()
	f, err := os.Open(filepath.Join("testdata", folder+".jsonl.zst"))
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = f.Close() }()
	files, err := Load(f)
	if err != nil {
		t.Fatal(err)
	}
	return files
}

// harness owns the servers of one test.
type harness struct {
	t     *testing.T
	ctx   context.Context
	bin   string
	slots chan struct{}

	server   *Server
	recorder *Recorder
	stops    []func()

	mu      sync.Mutex
	results map[string][]string
}

// shared starts the server on which most files are played beside each other.
func (h *harness) shared() {
	rec, stop, err := NewRecorder()
	if err != nil {
		h.t.Fatal(err)
	}
	h.stops = append(h.stops, stop)
	s, err := h.startServer("dev", "--no-discovery", "--no-poll", "--retry-interval", "1")
	if err != nil {
		h.t.Fatal(err)
	}
	h.server, h.recorder = s, rec
	h.stops = append(h.stops, s.Stop)
	if err := rec.Register(s.Addr); err != nil {
		h.t.Fatal(err)
	}
}

func (h *harness) stop() {
	for _, f := range h.stops {
		f()
	}
}

// play replays one file, on its own server if it needs one.
func (h *harness) play(s *Scenario) []string {
	r, stop, err := NewReplay(s)
	if err != nil {
		return []string{err.Error()}
	}
	defer stop()
	server, recorder := h.server, h.recorder
	r.Begin()
	if ownServer[s.File] || path.Dir(s.File) == "sdk-traffic" {
		var end func()
		server, recorder, end, err = h.own(r)
		if err != nil {
			return []string{err.Error()}
		}
		defer end()
		if !strings.Contains(strings.Join(s.Server.Flags, " "), "-u ") {
			r.Begin()
		}
	}
	recorder.Route(r)
	return r.Play(server.Addr)
}

// own starts a server with the flags of a file, and a recorder for the events that
// the file has: on such a server a recorder must not emit others.
func (h *harness) own(r *Replay) (*Server, *Recorder, func(), error) {
	var flags []string
	if r.s.Server.Mode == "dev" {
		flags = append(flags, "--no-discovery")
		if r.s.File != "sdk-traffic/v4-dev-poll-on.json" {
			flags = append(flags, "--no-poll")
		}
	}
	for _, f := range r.s.Server.Flags {
		flags = append(flags, r.AppURL(f))
	}
	server, err := h.startServer(r.s.Server.Mode, flags...)
	if err != nil {
		return nil, nil, nil, err
	}
	rec, stop, err := NewRecorder()
	if err != nil {
		server.Stop()
		return nil, nil, nil, err
	}
	if r.s.Server.Mode == "start" {
		rec.key = r.AppURL(signingKey)
	}
	events := map[string]bool{"inngest/function.finished": true}
	recorded, _, _ := r.s.InternalEvents()
	for _, e := range recorded {
		events[e.Name] = true
	}
	var names []string
	for e := range events {
		names = append(names, e)
	}
	end := func() { server.Stop(); stop() }
	if err := rec.Register(server.Addr, names...); err != nil {
		end()
		return nil, nil, nil, err
	}
	return server, rec, end, nil
}

// viewsOf is what a file's name gets behind it where its views are meant: what APIs told of
// the scenario when it was over. They pass or fail apart from its calls and events.
const viewsOf = "#views"

// split tells the problems of views from the others.
func split(problems []string) (calls, views []string) {
	for _, p := range problems {
		if strings.HasPrefix(p, "view ") {
			views = append(views, p)
		} else {
			calls = append(calls, p)
		}
	}
	return calls, views
}

// report prints what passed and fails the test for what should have.
func (h *harness) report(played []*Scenario, whole bool) {
	f, err := os.Open("testdata/known.txt")
	if err != nil {
		h.t.Fatal(err)
	}
	defer func() { _ = f.Close() }()
	known, err := ReadKnown(f)
	if err != nil {
		h.t.Fatal(err)
	}
	passed, total := map[string]int{}, map[string]int{}
	sort.Slice(played, func(i, j int) bool { return played[i].File < played[j].File })
	var names []string
	for _, s := range played {
		names = append(names, s.File)
		if s.Views["final"] != nil {
			names = append(names, s.File+viewsOf)
		}
	}
	for _, name := range names {
		folder := path.Dir(name)
		if strings.HasSuffix(name, viewsOf) {
			folder += ", views"
		}
		total[folder]++
		problems, k := h.results[name], known[name]
		delete(known, name)
		switch {
		case len(problems) == 0:
			passed[folder]++
			if k != nil && !k.Unstable() {
				h.t.Errorf("%s passes, but is listed as %q", name, k.Reason)
			}
		case k != nil && k.Covers(problems):
			h.t.Logf("known  %s: %s: %s", name, k.Reason, h.text(problems))
		case k != nil:
			h.t.Errorf("FAILED %s: more than %s: %s", name, k.Reason, h.text(problems))
		default:
			h.t.Errorf("FAILED %s: %s", name, h.text(problems))
		}
	}
	if whole {
		for file := range known {
			h.t.Errorf("%s is listed, but there is no such file", file)
		}
	}
	for folder, n := range total {
		h.t.Logf("%s: %d of %d pass", folder, passed[folder], n)
	}
}

func (h *harness) text(problems []string) string {
	if *details {
		return "\n    " + strings.Join(problems, "\n    ")
	}
	if len(problems) == 1 {
		return problems[0]
	}
	return fmt.Sprintf("%s (and %d more)", problems[0], len(problems)-1)
}
