package api_test

import (
	"bufio"
	"fmt"
	"io"
	"net"
	"net/http"
	"regexp"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"ingot/api"
)

// What is sent to every route: ids in its path, bodies, and query strings that nobody
// should send.
var (
	badParams = []string{
		"x", "%zz", "%00", "%ff", "a%2fb", "..", "'%20OR%201=1", strings.Repeat("x", 3000),
		"00000000000000000000000000", "7ZZZZZZZZZZZZZZZZZZZZZZZZZ", "8ZZZZZZZZZZZZZZZZZZZZZZZZZ", "00000000-0000-0000-0000-000000000000",
	}
	badBodies = []string{
		"", "{", "[]", "[7]", "[{}]", "null", "7", `"x"`, "\xff\xfe", "\x00", `{"a":"\xff"}`, strings.Repeat("[", 50_000), `{"a":` + strings.Repeat(`{"a":`, 20_000),
		`{"name":7,"data":7,"ts":"x","id":[],"query":7,"variables":7,"target":7,"metadata":7,"signal":7,"steps":7,"run_id":7,"event":7,"appName":7,"functions":7,"fromStep":7}`,
		`{"app_id":"x","function_id":"x","started_before":"x","from":"x","if":"((","limit":-1,"per_second":-1,"statuses":["x"]}`,
		strings.Repeat(" ", 3<<19),
	}
	badQueries = []string{
		"limit=-1&cursor=x&from=x&until=x&received_after=x&name=%ff&status=x&order=x&timeField=x&includeOutput=x&query=%ff&variables=x&url=%ff&token=x",
		"limit=99999999999999999999&cursor=e30%3D&from=0001-01-01T00:00:00Z&until=9999-12-31T23:59:59Z&appId=%00&functionId=%ff&query={", "%", "&&==;", "limit=%zz&cursor=%zz",
		"cursor=" + strings.Repeat("A", 8000), "received_before=0001-01-01T00:00:00Z&cursor=7ZZZZZZZZZZZZZZZZZZZZZZZZZ&channel=%ff&topic=%ff&metadata=%ff",
	}
)

var pathParam = regexp.MustCompile(`\{\w+\}`)

// sweep is what is sent to the routes; good are values of the parameters in their paths.
func sweep(good map[string]string) (out []string) {
	request := func(method, path, body string) {
		out = append(out, fmt.Sprintf("%s %s HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n%s", method, path, len(body), body))
	}
	for _, route := range api.Routes() {
		method, pattern, _ := strings.Cut(route, " ")
		path := pathParam.ReplaceAllStringFunc(pattern, func(name string) string { return good[name] })
		if path != pattern {
			for _, v := range badParams {
				request(method, pathParam.ReplaceAllLiteralString(pattern, v), "{}")
			}
		}
		for _, q := range badQueries {
			request(method, path+"?"+q, "")
		}
		if method != http.MethodGet {
			for _, b := range badBodies {
				request(method, path, b)
			}
		}
	}
	return out
}

// TestNoRouteBreaks: whatever is sent to whatever route, there is an answer, and the server
// does not say that it is at fault.
func TestNoRouteBreaks(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.register("golden-views", 0, [][2]string{{"slow", `{"event":"views/slow"}`}})
	event := w.send(`{"name":"views/slow","data":{}}`)
	run := w.await(event, "Running")
	all := sweep(map[string]string{
		"{key}": "k", "{slug}": "golden-views-slow", "{runID}": run, "{run_id}": run, "{eventID}": event, "{event_id}": event, "{id}": run,
		"{appName}": "golden-views", "{app_id}": "golden-views", "{function_id}": "slow", "{function}": "golden-views-slow",
	})
	if len(all) < 3000 {
		t.Fatalf("only %d requests", len(all))
	}
	const workers = 8
	var group sync.WaitGroup
	for part := range slices.Chunk(all, len(all)/workers+1) {
		group.Go(func() {
			c := &rawClient{addr: w.addr}
			defer c.close()
			for _, request := range part {
				status, body, err := c.send(request)
				if err != nil || status >= 500 && !mayFail(request, status, body) {
					t.Errorf("%d %.300s %v to %.200q", status, body, err, request)
				}
			}
		})
	}
	group.Wait()
	w.want(200, "GET", "/health", "")
}

// mayFail lists the answers of 5xx that the reference was recorded with.
func mayFail(request string, status int, body string) bool {
	v2 := strings.Contains(request, " /v2/") || strings.Contains(request, " /api/v2/")
	return status == http.StatusNotImplemented && v2 ||
		strings.HasPrefix(request, "POST /v1/signals ") && strings.Contains(body, "Failed to receive signal")
}

// rawClient sends what http.Client would not.
type rawClient struct {
	addr string
	conn net.Conn
	r    *bufio.Reader
}

func (c *rawClient) close() {
	if c.conn != nil {
		c.conn.Close()
		c.conn = nil
	}
}

func (c *rawClient) send(request string) (status int, body string, err error) {
	if c.conn == nil {
		if c.conn, err = net.Dial("tcp", c.addr); err != nil {
			return 0, "", err
		}
		c.r = bufio.NewReader(c.conn)
	}
	if err := c.conn.SetDeadline(time.Now().Add(patience)); err != nil {
		return 0, "", err
	}
	// A body that is refused need not be taken to its end.
	_, failed := io.WriteString(c.conn, request)
	method, _, _ := strings.Cut(request, " ")
	res, err := http.ReadResponse(c.r, &http.Request{Method: method})
	if err != nil {
		c.close()
		return 0, "", fmt.Errorf("%w; while sending: %v", err, failed)
	}
	text, err := io.ReadAll(res.Body)
	if err != nil || failed != nil || res.Close {
		c.close()
	}
	return res.StatusCode, string(text), err
}
