package e2e

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"ingot/internal/e2e/rawapp"
)

// TestSDK runs every case of sdkCases and flowCases with each version and mode of
// the TypeScript SDK, against a server of its own.
func TestSDK(t *testing.T) {
	t.Parallel()
	needNode(t)
	for _, v := range []struct {
		name string
		args []string
	}{
		{"v4", []string{"--sdk", "4"}},
		{"v4 without checkpointing", []string{"--sdk", "4", "--no-checkpointing"}},
		{"v4 streaming", []string{"--sdk", "4", "--streaming"}},
		{"v3", []string{"--sdk", "3"}},
		{"v3 streaming", []string{"--sdk", "3", "--streaming"}},
	} {
		t.Run(v.name, func(t *testing.T) {
			t.Parallel()
			app := startNode(t, startServer(t, nil), v.args...)
			app.sync(t)
			for _, c := range slices.Concat(sdkCases, flowCases) {
				if c.only4 && v.args[1] != "4" {
					continue
				}
				t.Run(c.name, func(t *testing.T) {
					t.Parallel()
					c.run(t, app, c.name)
				})
			}
		})
	}
}

// sdkCase drives one feature. Its key is its name: each server has its own app.
type sdkCase struct {
	name  string
	only4 bool
	run   func(t *testing.T, a *nodeApp, key string)
}

var sdkCases = []sdkCase{
	{"steps", false, func(t *testing.T, a *nodeApp, key string) {
		a.send(t, "e2e/steps", key, nil)
		e := a.finished(t, key, "steps")
		var r struct {
			A struct {
				N    int
				Text string
			}
			B, C    int
			Nothing any
			RunID   string
		}
		decode(t, e.Result, &r)
		if r.A.N != 1 || r.A.Text != "ünïcode ✓" || r.B != 2 || r.C != 3 || r.Nothing != nil || r.RunID != e.RunID {
			t.Errorf("result %s of run %s", e.Result, e.RunID)
		}
		a.once(t, key, "a", "b", "nothing", "c", "finished steps")
	}},
	{"no-steps", false, func(t *testing.T, a *nodeApp, key string) {
		a.send(t, "e2e/no-steps", key, nil)
		a.result(t, key, "no-steps", `{"key":"no-steps","attempt":0,"v":null}`)
	}},
	{"parallel", false, func(t *testing.T, a *nodeApp, key string) {
		a.send(t, "e2e/parallel", key, nil)
		a.result(t, key, "parallel", `6`)
		a.once(t, key, "p1", "p2", "p3", "sum")
	}},
	{"race", false, func(t *testing.T, a *nodeApp, key string) {
		a.send(t, "e2e/race", key, nil)
		a.result(t, key, "race", `"fast"`)
		a.once(t, key, "fast")
	}},
	{"sleep", false, func(t *testing.T, a *nodeApp, key string) {
		a.send(t, "e2e/sleep", key, nil)
		a.result(t, key, "sleep", `"awake"`)
		a.once(t, key, "before", "after")
		if took := a.wait(t, key, "after").At - a.wait(t, key, "before").At; took < 2000 {
			t.Errorf("slept %d ms, asked for more than 2000", took)
		}
	}},
	{"wait", false, func(t *testing.T, a *nodeApp, key string) {
		a.send(t, "e2e/wait", key, nil)
		a.wait(t, key, "called")
		a.repeat(t, key, "finished wait", 1, func() {
			a.send(t, "e2e/wait.answer", key, map[string]any{"n": 3}) // does not match
			a.send(t, "e2e/wait.answer", key, map[string]any{"n": 7})
		})
		a.result(t, key, "wait", `{"n":7,"name":"e2e/wait.answer"}`)
	}},
	{"wait-timeout", false, func(t *testing.T, a *nodeApp, key string) {
		a.send(t, "e2e/wait-timeout", key, nil)
		a.result(t, key, "wait-timeout", `{"got":null}`)
	}},
	{"invoke", false, func(t *testing.T, a *nodeApp, key string) {
		a.send(t, "e2e/invoke", key, nil)
		a.result(t, key, "invoke", `{"ok":{"doubled":42},"refused":"callee says no"}`)
	}},
	{"send", false, func(t *testing.T, a *nodeApp, key string) {
		a.send(t, "e2e/send", key, nil)
		a.result(t, key, "send", `{"ids":2}`)
		a.repeat(t, key, "finished sent", 2, func() {})
		if n := a.count(t, key, "sent"); n != 2 {
			t.Errorf("the two events started %d runs", n)
		}
	}},
	{"retry", false, func(t *testing.T, a *nodeApp, key string) {
		a.send(t, "e2e/retry", key, nil)
		a.result(t, key, "retry", `"step"`)
		if n := a.count(t, key, "flaky-step"); n != 3 {
			t.Errorf("the step ran %d times, want 3", n)
		}
		if n := a.count(t, key, "body"); n != 2 {
			t.Errorf("the body ran %d times after the step, want 2", n)
		}
	}},
	{"catch", false, func(t *testing.T, a *nodeApp, key string) {
		a.send(t, "e2e/catch", key, nil)
		e := a.finished(t, key, "catch")
		if !strings.Contains(string(e.Result), `"message":"hopeless indeed"`) || e.Error != nil {
			t.Errorf("result %s, error %+v", e.Result, e.Error)
		}
		if n := a.count(t, key, "hopeless"); n != 2 {
			t.Errorf("the step ran %d times, want 2", n)
		}
		a.once(t, key, "recover")
	}},
	{"non-retriable", false, func(t *testing.T, a *nodeApp, key string) {
		a.send(t, "e2e/non-retriable", key, nil)
		if e := a.finished(t, key, "non-retriable"); e.Error == nil || e.Error.Message != "never again" {
			t.Errorf("ended with %+v", e)
		}
		a.once(t, key, "called")
	}},
	{"retry-after", false, func(t *testing.T, a *nodeApp, key string) {
		a.send(t, "e2e/retry-after", key, nil)
		a.result(t, key, "retry-after", `1`)
		all, err := a.marks(key)
		if err != nil {
			t.Fatal(err)
		}
		var at []int64
		for _, m := range all {
			if m.What == "called" {
				at = append(at, m.At)
			}
		}
		// The server's own interval is 1 s; the header says 2 s, in whole seconds.
		if len(at) != 2 || at[1]-at[0] < 1000 {
			t.Errorf("called at %v", at)
		}
	}},
	{"on-failure", false, func(t *testing.T, a *nodeApp, key string) {
		a.send(t, "e2e/on-failure", key, nil)
		var v struct{ Message, Run string }
		decode(t, a.wait(t, key, "onFailure").Value, &v)
		e := a.finished(t, key, "on-failure")
		if v.Message != "broken for good" || v.Run != e.RunID || e.Error == nil {
			t.Errorf("onFailure saw %+v of run %s, which ended with %+v", v, e.RunID, e.Error)
		}
	}},
	{"cancel", false, func(t *testing.T, a *nodeApp, key string) {
		a.send(t, "e2e/cancel", key, nil)
		a.wait(t, key, "before")
		a.send(t, "e2e/cancel.now", "another key", nil)
		a.send(t, "e2e/cancel.now", key, nil)
		a.wait(t, key, "cancelled")
		if n := a.count(t, key, "survived"); n != 0 {
			t.Error("the run went on after its cancellation")
		}
	}},
	{"fetch", false, func(t *testing.T, a *nodeApp, key string) {
		a.send(t, "e2e/fetch", key, nil)
		a.result(t, key, "fetch", `{"status":200,"method":"POST","body":"hello","header":"yes"}`)
	}},
	{"infer", false, func(t *testing.T, a *nodeApp, key string) {
		a.send(t, "e2e/infer", key, nil)
		a.result(t, key, "infer", `{"model":"gpt-e2e","auth":"Bearer secret","text":"pong"}`)
	}},
	{"signal", false, func(t *testing.T, a *nodeApp, key string) {
		a.send(t, "e2e/signal", key, nil)
		a.wait(t, key, "called")
		a.repeat(t, key, "finished signal", 1, func() { a.send(t, "e2e/signal-send", key, nil) })
		a.result(t, key, "signal", `{"signal":"sig-signal","data":{"hello":"signal"}}`)
	}},
	{"wild", false, func(t *testing.T, a *nodeApp, key string) {
		a.send(t, "e2e/wild.card", key, nil)
		a.result(t, key, "wild", `"e2e/wild.card"`)
	}},
	{"filter", false, func(t *testing.T, a *nodeApp, key string) {
		a.send(t, "e2e/filter", key, map[string]any{"n": 10})
		a.send(t, "e2e/filter", key, map[string]any{"n": 11})
		a.result(t, key, "filter", `11`)
	}},
	{"big", false, func(t *testing.T, a *nodeApp, key string) {
		a.send(t, "e2e/big", key, nil)
		a.result(t, key, "big", `6291456`)
	}},
	{"cron", false, func(t *testing.T, a *nodeApp, _ string) {
		if m := a.wait(t, "cron", "cron"); string(m.Value) != `"inngest/scheduled.timer"` {
			t.Errorf("started by %s", m.Value)
		}
	}},
	{"realtime", true, func(t *testing.T, a *nodeApp, key string) {
		a.send(t, "e2e/realtime", key, nil)
		if m := a.wait(t, key, "message"); string(m.Value) != `{"text":"hello"}` {
			t.Errorf("received %s", m.Value)
		}
		a.result(t, key, "realtime", `"published"`)
	}},
	{"endpoint", true, func(t *testing.T, a *nodeApp, key string) {
		// The handler sleeps, so the SDK redirects to where the server gives the answer.
		res, err := http.Get(a.url + "/endpoint?key=" + key)
		if err != nil {
			t.Fatal(err)
		}
		defer res.Body.Close()
		body, err := io.ReadAll(res.Body)
		if err != nil {
			t.Fatal(err)
		}
		// SDK 4 quotes the body of an endpoint that went on without its client.
		var quoted string
		if json.Unmarshal(body, &quoted) == nil {
			body = []byte(quoted)
		}
		if res.StatusCode != http.StatusOK || !sameJSON(t, body, `{"a":1,"b":2}`) {
			t.Errorf("status %d: %s", res.StatusCode, body)
		}
		a.once(t, key, "a", "b")
	}},
}

// result checks the result of the function's run.
func (a *nodeApp) result(t *testing.T, key, fn, want string) {
	t.Helper()
	e := a.finished(t, key, fn)
	if e.Error != nil || !sameJSON(t, e.Result, want) {
		t.Errorf("%s returned %s, error %+v; want %s", fn, e.Result, e.Error, want)
	}
}

// once checks that each of these happened exactly once.
func (a *nodeApp) once(t *testing.T, key string, what ...string) {
	t.Helper()
	for _, w := range what {
		if n := a.count(t, key, w); n != 1 {
			t.Errorf("%s happened %d times, want once", w, n)
		}
	}
}

// repeat does something again and again until `what` happened n times: the app
// cannot tell when the server has begun to wait.
func (a *nodeApp) repeat(t *testing.T, key, what string, n int, do func()) {
	t.Helper()
	const pause = 100 * time.Millisecond
	for range caseLimit / pause {
		if a.count(t, key, what) >= n {
			return
		}
		do()
		time.Sleep(pause)
	}
	t.Fatalf("%q did not happen %d times", what, n)
}

func decode(t *testing.T, raw json.RawMessage, into any) {
	t.Helper()
	if err := json.Unmarshal(raw, into); err != nil {
		t.Fatalf("%s: %v", raw, err)
	}
}

// sameJSON compares values, not their spelling.
func sameJSON(t *testing.T, got []byte, want string) bool {
	t.Helper()
	var g, w any
	if err := json.Unmarshal(got, &g); err != nil {
		return false
	}
	if err := json.Unmarshal([]byte(want), &w); err != nil {
		t.Fatal(err)
	}
	gb, _ := json.Marshal(g)
	wb, _ := json.Marshal(w)
	return string(gb) == string(wb)
}

// TestSDKKill kills the server while the TypeScript SDK works for it, with its
// checkpoints on their way: every acknowledged event runs to the right result.
func TestSDKKill(t *testing.T) {
	t.Parallel()
	needNode(t)
	bin := serverBinary(t)
	port, err := rawapp.FreePort()
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	start := func() *rawapp.Process {
		p, err := rawapp.StartProcess(bin, port, "--data-dir", dir, "--retry-interval", "1", "--log-level", "warn")
		if err != nil {
			t.Fatal(err)
		}
		return p
	}
	p := start()
	app := startNode(t, p.URL, "--sdk", "4")
	app.sync(t)

	cases := []struct{ fn, want string }{{"parallel", `6`}, {"sleep", `"awake"`}, {"catch", ""}, {"invoke", ""}}
	var acked []string
	for range 10 {
		for end := time.Now().Add(300 * time.Millisecond); time.Now().Before(end); {
			c := cases[len(acked)%len(cases)]
			key := fmt.Sprintf("%s-%d", c.fn, len(acked))
			if app.trySend("e2e/"+c.fn, key, nil) == nil {
				acked = append(acked, key)
			}
			time.Sleep(5 * time.Millisecond)
		}
		p.Kill()
		p = start()
	}
	for i, key := range acked {
		c := cases[i%len(cases)]
		if c.want != "" {
			app.result(t, key, c.fn, c.want)
		} else if e := app.finished(t, key, c.fn); e.Error != nil {
			t.Errorf("%s ended with %+v", key, e.Error)
		}
	}
	t.Logf("10 kills, %d events acknowledged", len(acked))
	if err := p.Stop(); err != nil {
		t.Errorf("SIGTERM: %v", err)
	}
}
