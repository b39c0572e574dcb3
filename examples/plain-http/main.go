// Command plain-http is an app without an SDK: it shows the whole protocol in
// one file of standard library. It registers a function with Ingot, answers the
// calls, and sends one event.
//
//	make run                          # one terminal
//	go run ./examples/plain-http      # another
//
// The function has two steps with a nap between them. Ingot calls the app again
// and again; each call brings the results of the steps done so far, and each
// answer says what happens next.
package main

import (
	"bytes"
	"crypto/sha1"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"os"
	"strings"
	"time"
)

func main() {
	log.SetFlags(log.Ltime)
	server := os.Getenv("INNGEST_DEV") // as for the SDKs
	if !strings.HasPrefix(server, "http") {
		server = "http://localhost:8288"
	}
	if err := run(server); err != nil {
		log.Fatal(err)
	}
}

func run(server string) error {
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return err
	}
	url := "http://" + ln.Addr().String() + "/greeter"
	finished := make(chan string, 1)
	failed := make(chan error, 1)
	go func() { failed <- http.Serve(ln, greeter(finished)) }()

	if err := register(server, url); err != nil {
		return fmt.Errorf("registering with %s (is `make run` running?): %w", server, err)
	}
	log.Printf("registered %s", url)
	ids, err := post(server+"/e/any-key", map[string]any{"name": "example/greet", "data": map[string]string{"who": "world"}})
	if err != nil {
		return fmt.Errorf("sending the event: %w", err)
	}
	log.Printf("event acknowledged, so it is on disk: %s", bytes.TrimSpace(ids))

	select {
	case result := <-finished:
		log.Printf("done: %s", result)
		return nil
	case err := <-failed:
		return err
	case <-time.After(time.Minute):
		return errors.New("the run did not finish within a minute")
	}
}

// register tells the server which functions there are, what starts them, and
// where to call them.
func register(server, url string) error {
	_, err := post(server+"/fn/register", map[string]any{
		"url":        url,
		"appName":    "plain-http",
		"deployType": "ping",
		"sdk":        "go:v0.0.1",
		"v":          "1",
		"functions": []any{map[string]any{
			"id":       "plain-http-greet",
			"name":     "Greet",
			"triggers": []any{map[string]string{"event": "example/greet"}},
			"steps": map[string]any{"step": map[string]any{
				"id": "step", "name": "step",
				"runtime": map[string]string{"type": "http", "url": url + "?fnId=plain-http-greet&stepId=step"},
				"retries": map[string]int{"attempts": 3},
			}},
		}},
	})
	return err
}

// call is the part of a call that this app needs.
type call struct {
	Event struct {
		Data struct {
			Who string `json:"who"`
		} `json:"data"`
	} `json:"event"`
	// Steps holds what is done: step id → {"data": result}, or null for a sleep.
	Steps map[string]*struct {
		Data json.RawMessage `json:"data"`
	} `json:"steps"`
}

// greeter answers the calls. `finished` gets the result of the run.
func greeter(finished chan<- string) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		var c call
		if err := json.NewDecoder(r.Body).Decode(&c); err != nil {
			http.Error(w, `{"name":"Error","message":"unreadable call"}`, http.StatusBadRequest)
			return
		}
		done := func(step string) bool { _, ok := c.Steps[id(step)]; return ok }

		switch {
		case !done("compose"): // run the step now and report its result
			log.Print("step compose runs")
			next(w, op{Op: "StepRun", ID: id("compose"), Name: "compose", Data: "Hello, " + c.Event.Data.Who + "!"})
		case !done("nap"): // ask to be called again in two seconds
			log.Print("sleeping 2 s; stop Ingot now if you like, and start it again")
			next(w, op{Op: "Sleep", ID: id("nap"), Name: "2s"})
		case !done("deliver"):
			var greeting string
			_ = json.Unmarshal(c.Steps[id("compose")].Data, &greeting)
			log.Printf("step deliver runs: %s", greeting)
			next(w, op{Op: "StepRun", ID: id("deliver"), Name: "deliver", Data: len(greeting)})
		default: // all steps are done: the function's own result
			result := string(c.Steps[id("deliver")].Data) + " characters delivered"
			answer(w, http.StatusOK, result)
			finished <- result
		}
	})
}

// op is one operation of a 206 answer.
type op struct {
	Op   string `json:"op"`
	ID   string `json:"id"`
	Name string `json:"name"`
	Data any    `json:"data,omitempty"`
}

// next answers a call with what to do next.
func next(w http.ResponseWriter, o op) { answer(w, http.StatusPartialContent, []op{o}) }

func answer(w http.ResponseWriter, status int, body any) {
	w.Header().Set("Content-Type", "application/json")
	w.Header().Set("X-Inngest-SDK", "go:v0.0.1") // marks the answer as an SDK's
	w.Header().Set("X-Inngest-Req-Version", "2")
	w.WriteHeader(status)
	if err := json.NewEncoder(w).Encode(body); err != nil {
		log.Printf("answering: %v", err)
	}
}

// id is a step's id on the wire.
func id(step string) string {
	sum := sha1.Sum([]byte(step))
	return hex.EncodeToString(sum[:])
}

func post(url string, body any) ([]byte, error) {
	text, err := json.Marshal(body)
	if err != nil {
		return nil, err
	}
	res, err := http.Post(url, "application/json", bytes.NewReader(text))
	if err != nil {
		return nil, err
	}
	defer res.Body.Close()
	answer, err := io.ReadAll(res.Body)
	if err == nil && res.StatusCode != http.StatusOK {
		err = fmt.Errorf("status %d: %s", res.StatusCode, answer)
	}
	return answer, err
}
