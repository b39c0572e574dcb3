package golden

import (
	"bufio"
	"bytes"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io"
	"slices"
	"sort"
	"strings"

	"github.com/klauspost/compress/zstd"
)

// Scenario is one recorded file.
type Scenario struct {
	// File is folder and name, e.g. "runs/on-failure.json".
	File string
	// Unstable says why two recordings of the reference differed; empty if they did not.
	Unstable  string
	Title     string                     `json:"title"`
	Server    ServerSpec                 `json:"server"`
	Exchanges []Exchange                 `json:"exchanges"`
	Views     map[string]json.RawMessage `json:"views"`
	RunsAtEnd []RunEnd                   `json:"runs_at_end"`
}

// RunEnd is a run's final state in the sdk-traffic folder.
type RunEnd struct {
	ID     string `json:"id"`
	Status string `json:"status"`
	Fn     string `json:"fn"`
}

// ServerSpec is how the reference was started.
type ServerSpec struct {
	Mode  string   `json:"mode"`
	Flags []string `json:"flags"`
}

// Exchange is one recorded request with its answer, or a marker.
type Exchange struct {
	Seq  int    `json:"seq"`
	Dir  string `json:"dir"`
	Note string `json:"note"`
	// At and Until are ms since the start of the scenario: the request's arrival
	// and its answer. Until is nil where the recorder did not note it.
	At       int64     `json:"t_ms"`
	Until    *int64    `json:"res_t_ms"`
	Request  *Request  `json:"request"`
	Response *Response `json:"response"`
}

// Request is a recorded request.
type Request struct {
	Method  string `json:"method"`
	Path    string `json:"path"`
	Headers Header `json:"headers"`
	Body    Body   `json:"body"`
}

// Response is a recorded answer, or how the connection failed.
type Response struct {
	Status     int     `json:"status"`
	Headers    Header  `json:"headers"`
	Body       Body    `json:"body"`
	Chunks     []Chunk `json:"chunks"`
	Connection string  `json:"connection"`
	Error      string  `json:"error"`
}

// Chunk is a part of a streamed answer; the next one follows Delay ms later.
type Chunk struct {
	Data  string `json:"data"`
	Delay int64  `json:"delay"`
}

// Body is a recorded body in one of its forms: text, bytes, or the beginning and
// hash of a large one.
type Body struct {
	Bytes     int    `json:"bytes"`
	Raw       string `json:"raw"`
	Base64    string `json:"base64"`
	RawPrefix string `json:"rawPrefix"`
	SHA256    string `json:"sha256"`
}

// Large says that only the beginning of the body was recorded.
func (b *Body) Large() bool { return b.SHA256 != "" }

// Text returns the body as template text. A large body is completed: all of them
// are one long string of equal characters, and the hash proves the guess.
func (b *Body) Text() (string, error) {
	switch {
	case b.Base64 != "":
		raw, err := base64.StdEncoding.DecodeString(b.Base64)
		return string(raw), err
	case !b.Large():
		return b.Raw, nil
	}
	for _, end := range []string{`"}`, `"}]`, `"}}`} {
		n := b.Bytes - len(b.RawPrefix) - len(end)
		full := b.RawPrefix + strings.Repeat(b.RawPrefix[len(b.RawPrefix)-1:], n) + end
		if sum := sha256.Sum256([]byte(full)); hex.EncodeToString(sum[:]) == b.SHA256 {
			return full, nil
		}
	}
	return "", fmt.Errorf("a body of %d bytes cannot be completed from its beginning", b.Bytes)
}

// Header is a recorded header: names as they were on the wire, each with its values.
type Header map[string][]string

// UnmarshalJSON reads {"name": "value" or ["value", …]}.
func (h *Header) UnmarshalJSON(data []byte) error {
	var raw map[string]json.RawMessage
	if err := json.Unmarshal(data, &raw); err != nil {
		return err
	}
	*h = make(Header, len(raw))
	for name, v := range raw {
		var one string
		var many []string
		if json.Unmarshal(v, &one) == nil {
			many = []string{one}
		} else if err := json.Unmarshal(v, &many); err != nil {
			return fmt.Errorf("header %s: %w", name, err)
		}
		(*h)[name] = many
	}
	return nil
}

// Names returns the header's names in order.
func (h Header) Names() []string {
	names := make([]string, 0, len(h))
	for n := range h {
		names = append(names, n)
	}
	sort.Strings(names)
	return names
}

// Get returns the first value of a header, whatever its spelling.
func (h Header) Get(name string) string {
	for n, v := range h {
		if strings.EqualFold(n, name) && len(v) > 0 {
			return v[0]
		}
	}
	return ""
}

// Load reads an archive: zstd over one JSON document per line.
func Load(r io.Reader) ([]*Scenario, error) {
	z, err := zstd.NewReader(r)
	if err != nil {
		return nil, err
	}
	defer z.Close()
	var out []*Scenario
	lines := bufio.NewReaderSize(z, 1<<20)
	for {
		line, err := lines.ReadBytes('\n')
		if err == io.EOF && len(bytes.TrimSpace(line)) == 0 {
			return out, nil
		}
		if err != nil {
			return nil, fmt.Errorf("reading recordings: %w", err)
		}
		// The one address that the recorder missed, because it was escaped.
		line = bytes.ReplaceAll(line, []byte("127.0.0.1%3A9620"), []byte("<APP:escaped>"))
		// And the one span id that it missed, because it has digits only.
		line = bytes.ReplaceAll(line, []byte("6517006446637065"), []byte("<HEX16:digits>"))
		var rec struct {
			File     string   `json:"file"`
			Unstable string   `json:"unstable"`
			Doc      Scenario `json:"doc"`
		}
		if err := json.Unmarshal(line, &rec); err != nil {
			return nil, fmt.Errorf("reading recordings: %w", err)
		}
		rec.Doc.File, rec.Doc.Unstable = rec.File, rec.Unstable
		rec.Doc.complete()
		if err := rec.Doc.reorder(); err != nil {
			return nil, err
		}
		out = append(out, &rec.Doc)
	}
}

// complete adds the one request that the recorder made without recording it: its
// title says that "the API" sends the signal, and the next call has its data.
func (s *Scenario) complete() {
	if s.File != "sdk-traffic/v3-express.json" {
		return
	}
	const call = 91 // the call whose answer waits for the signal
	done := int64(27960)
	e := Exchange{
		Seq: call, Dir: "client->server", Note: "signal (not recorded)", At: 27950, Until: &done,
		Request: &Request{
			Method: "POST", Path: "/v1/signals", Headers: Header{"Content-Type": {"application/json"}},
			Body: Body{Raw: `{"signal":"sdk-signal-3","data":{"from":"api"}}`},
		},
		Response: &Response{
			Status: 200, Headers: Header{"Content-Type": {"application/json"}, "Vary": {"Origin"}, "X-Inngest-Server-Kind": {"dev"}},
			Body: Body{Raw: `{"data":{"run_id":"<ULID:run22>"},"metadata":{"fetched_at":"<TIME:nsZ>"}}` + "\n"},
		},
	}
	s.Exchanges = slices.Insert(s.Exchanges, call+1, e)
}

// Event is an internal event that the reference emitted, as template text.
type Event struct {
	Name string `json:"name"`
	// Raw is the stored event: {"data","id","name","ts","v"}.
	Raw string `json:"raw"`
}

// InternalEvents returns the internal events that the recorded server had emitted
// when the last view was taken, but for cron ticks, which say nothing of their
// function. ok is false if the file has no such view.
func (s *Scenario) InternalEvents() (events []Event, ok bool, err error) {
	var final struct {
		Events *[]Event `json:"gql_eventsV2"`
	}
	if raw := s.Views["final"]; raw != nil {
		if err := json.Unmarshal(raw, &final); err != nil {
			return nil, false, fmt.Errorf("view final: %w", err)
		}
	}
	if final.Events == nil {
		return nil, false, nil
	}
	for _, e := range *final.Events {
		if strings.HasPrefix(e.Name, "inngest/") && e.Name != "inngest/scheduled.timer" {
			events = append(events, e)
		}
	}
	return events, true, nil
}
