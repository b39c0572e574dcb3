package loadgen

import (
	"bytes"
	"encoding/json"
	"fmt"
	"time"

	"ingot/loadgen/app"
)

// maxNames bounds the names of events in a recording: each gets a function.
const maxNames = 10_000

// recording is the events of a replay, in the order of the file.
type recording struct {
	events []*template
	at     []time.Duration // since the first; of the events' ts
	timed  bool            // every event has a ts, and no rate is given
}

// recordedEvent is one line of the file.
type recordedEvent struct {
	Name string          `json:"name"`
	Data json.RawMessage `json:"data"`
	User json.RawMessage `json:"user"`
	V    string          `json:"v"`
	TS   int64           `json:"ts"`
}

func readRecording(p Plan, w Workload) (load, error) {
	b, err := readFile(p.File)
	if err != nil {
		return load{}, fmt.Errorf("replay: %w", err)
	}
	rec := &recording{timed: p.closed()}
	pt := &part{Workload: w, shape: p.Shape.or(w.Shape), weight: 1}
	names := map[string]bool{}
	var first int64
	for n, line := range bytes.Split(b, []byte{'\n'}) {
		if line = bytes.TrimSpace(line); len(line) == 0 {
			continue
		}
		var e recordedEvent
		if err := json.Unmarshal(line, &e); err != nil {
			return load{}, fmt.Errorf("replay: file %s, line %d: %w", p.File, n+1, err)
		}
		if e.Name == "" {
			return load{}, fmt.Errorf("replay: file %s, line %d: the event has no name", p.File, n+1)
		}
		if len(rec.events) == 0 {
			first = e.TS
		}
		rec.events = append(rec.events, e.template(pt))
		rec.at = append(rec.at, time.Duration(max(0, e.TS-first))*time.Millisecond)
		rec.timed = rec.timed && e.TS > 0
		names[e.Name] = true
		if len(names) > maxNames {
			return load{}, fmt.Errorf("replay: file %s has events of more than %d names", p.File, maxNames)
		}
	}
	if len(rec.events) == 0 {
		return load{}, fmt.Errorf("replay: file %s has no events", p.File)
	}
	pt.templates = rec.events
	for name := range names {
		pt.addFunction(fmt.Sprintf("replay-%d", len(pt.functions)), name)
	}
	return load{parts: []*part{pt}, recorded: rec}, nil
}

// template makes a recorded event one that carries a number. Its id and ts are not
// kept: they are of another time.
func (e recordedEvent) template(p *part) *template {
	t := templateFor(p, e.Name)
	var data map[string]json.RawMessage
	if json.Unmarshal(e.Data, &data) == nil && len(data) > 0 {
		delete(data, "lg")
		if rest, err := json.Marshal(data); err == nil && len(data) > 0 {
			t.tail = append([]byte{','}, rest[1:]...)
		}
	}
	if len(e.User) > 0 {
		t.rest = append(append(t.rest, `,"user":`...), e.User...)
	}
	if e.V != "" {
		v, _ := json.Marshal(e.V) // a string: cannot fail
		t.rest = append(append(t.rest, `,"v":`...), v...)
	}
	t.key = p.kind == app.Waits
	return t
}

func (r *recording) schedule() *recordedSchedule { return &recordedSchedule{at: r.at} }

// rate is the mean in events per second.
func (r *recording) rate() float64 {
	if length := r.at[len(r.at)-1]; length > 0 {
		return float64(len(r.at)) / length.Seconds()
	}
	return 0
}

// recordedSchedule gives the times of a recording.
type recordedSchedule struct {
	at   []time.Duration
	next int
	last time.Duration
}

// Next implements sender.Schedule. Times that go back count as the latest one.
func (s *recordedSchedule) Next() (time.Duration, bool) {
	if s.next == len(s.at) {
		return 0, false
	}
	s.last = max(s.last, s.at[s.next])
	s.next++
	return s.last, true
}
