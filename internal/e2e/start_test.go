package e2e

import (
	"bufio"
	"bytes"
	"net/http"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"testing"
	"time"

	"ingot/internal/config"
	"ingot/internal/e2e/rawapp"
)

// startApp is an app in the SDKs' production mode: it takes only signed calls, and sends
// events with a key. It prints what its functions do, a line each.
const startApp = `
import http from "node:http";
const [version, port] = process.argv.slice(-2);
const sdk = await import("inngest" + version);
const { serve } = await import("inngest" + version + "/node");
const client = new sdk.Inngest({ id: "start-v" + version, isDev: false, baseUrl: process.env.SERVER });
const on = (id, handler) => version === "4"
  ? client.createFunction({ id, triggers: [{ event: "start/" + id }] }, handler)
  : client.createFunction({ id }, { event: "start/" + id }, handler);
const functions = [
  on("first", async ({ step }) => {
    const n = await step.run("a", () => 20);
    await step.sleep("nap", "100ms");
    await step.sendEvent("send", { name: "start/second", data: { n: n + 1 } });
  }),
  on("second", async ({ event, step }) => {
    console.log("result", await step.run("double", () => event.data.n * 2));
  }),
];
http.createServer(serve({ client, functions })).listen(Number(port), "127.0.0.1", () => console.log("listening"));
process.stdin.resume().on("end", () => process.exit(0));
`

const (
	oldKey = "signkey-prod-00112233445566778899aabbccddeeff"
	newKey = "signkey-prod-ffeeddccbbaa99887766554433221100"
)

// TestStartMode runs an app against a server in production mode, with each SDK and in
// each state of a change of the signing key in which both sides work.
func TestStartMode(t *testing.T) {
	t.Parallel()
	needNode(t)
	for _, c := range []struct {
		name, sdk                      string
		server, fallback, app, appBack string // keys
	}{
		{"one key", "4", oldKey, "", oldKey, ""},
		{"SDK 3", "3", oldKey, "", oldKey, ""},
		{"the app knows the new key", "4", oldKey, "", oldKey, newKey},
		{"the server uses it", "4", newKey, oldKey, oldKey, newKey},
		{"the app uses it", "4", newKey, oldKey, newKey, ""},
		{"SDK 3, the server uses it", "3", newKey, oldKey, oldKey, newKey},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			appPort, port := freePort(t), freePort(t)
			url := "http://127.0.0.1:" + strconv.Itoa(port)
			said := runApp(t, c.sdk, appPort, "SERVER="+url, "INNGEST_EVENT_KEY=two",
				"INNGEST_SIGNING_KEY="+c.app, "INNGEST_SIGNING_KEY_FALLBACK="+c.appBack)
			heard(t, said, "listening")
			startServer(t, func(cfg *config.Config) {
				cfg.Mode, cfg.Port, cfg.PollInterval = config.ModeStart, port, 200*time.Millisecond
				cfg.SigningKey, cfg.FallbackKey, cfg.EventKeys = c.server, c.fallback, []string{"one", "two"}
				cfg.SDKURLs = []string{"http://127.0.0.1:" + strconv.Itoa(appPort) + "/api/inngest"}
			})
			sendUntilSynced(t, url, said)
		})
	}
}

func freePort(t *testing.T) int {
	t.Helper()
	port, err := rawapp.FreePort()
	if err != nil {
		t.Fatal(err)
	}
	return port
}

// runApp runs startApp until the test ends; lines that it prints come through said.
func runApp(t *testing.T, sdk string, port int, env ...string) (said <-chan string) {
	t.Helper()
	cmd := exec.Command("node", "--input-type=module", "-e", startApp, sdk, strconv.Itoa(port))
	cmd.Dir = appDir
	cmd.Env = append(os.Environ(), append(env, "NO_COLOR=1")...)
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	stdin, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	stdout, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	lines, ended := make(chan string, 100), make(chan struct{})
	go func() {
		defer close(ended)
		for s := bufio.NewScanner(stdout); s.Scan(); {
			select {
			case lines <- s.Text():
			default: // nobody listens any more
			}
		}
	}()
	t.Cleanup(func() {
		_ = stdin.Close() // the app ends when its stdin does
		<-ended
		if err := cmd.Wait(); t.Failed() || err != nil {
			t.Logf("node: %v\n%s", err, stderr.String())
		}
	})
	return lines
}

// heard waits for a line.
func heard(t *testing.T, said <-chan string, want string) {
	t.Helper()
	deadline := time.After(caseLimit)
	for {
		select {
		case line := <-said:
			if line == want {
				return
			}
		case <-deadline:
			t.Fatalf("the app did not say %q", want)
		}
	}
}

// sendUntilSynced sends an event again and again, until a run of it has ended: the
// functions are there once the server has asked the app to sync.
func sendUntilSynced(t *testing.T, url string, said <-chan string) {
	t.Helper()
	for deadline := time.Now().Add(caseLimit); ; {
		res, err := http.Post(url+"/e/one", "application/json", strings.NewReader(`{"name":"start/first","data":{}}`))
		if err != nil {
			t.Fatal(err)
		}
		res.Body.Close()
		if res.StatusCode != http.StatusOK {
			t.Fatalf("sending an event: %d", res.StatusCode)
		}
		select {
		case line := <-said:
			if line == "result 42" {
				return
			}
		case <-time.After(time.Second):
		}
		if time.Now().After(deadline) {
			t.Fatal("no run has ended")
		}
	}
}
