package api

import (
	"net"
	"testing"

	"github.com/valyala/fasthttp"
)

// callFrom makes a request from an address.
func callFrom(s *Server, addr, method, uri string, headers ...string) *fasthttp.Response {
	var req fasthttp.Request
	req.Header.SetMethod(method)
	req.SetRequestURI(uri)
	for i := 0; i < len(headers); i += 2 {
		req.Header.Set(headers[i], headers[i+1])
	}
	var ctx fasthttp.RequestCtx
	ctx.Init(&req, &net.TCPAddr{IP: net.ParseIP(addr), Port: 1}, nil)
	s.Handler(&ctx)
	res := &fasthttp.Response{}
	ctx.Response.CopyTo(res)
	return res
}

func operated(t *testing.T, key string, o Operations) *Server {
	t.Helper()
	s := NewServer(Options{Mode: ModeStart, SigningKey: key, Catalog: testCatalog(t), NoUI: o.NoUI})
	s.Operate(o)
	return s
}

func TestMetricsAreNotForEverybody(t *testing.T) {
	t.Parallel()
	o := Operations{Metrics: func(dst []byte) []byte { return append(dst, "inngest_queue_depth 1\n"...) }}
	closed, open := operated(t, "ee12", o), operated(t, "", o)
	for _, c := range []struct {
		name    string
		s       *Server
		from    string
		headers []string
		want    int
	}{
		{"from elsewhere", closed, "192.0.2.1", nil, 401},
		{"with the key", closed, "192.0.2.1", []string{"Authorization", "Bearer ee12"}, 200},
		{"from this host", closed, "127.0.0.1", nil, 200},
		{"from this host, IPv6", closed, "::1", nil, 200},
		{"through a proxy on this host", closed, "127.0.0.1", []string{"X-Forwarded-For", "192.0.2.1"}, 401},
		{"through a proxy, with the key", closed, "127.0.0.1", []string{"X-Forwarded-For", "192.0.2.1", "Authorization", "Bearer ee12"}, 200},
		{"in dev", open, "192.0.2.1", nil, 200},
	} {
		res := callFrom(c.s, c.from, "GET", "/metrics", c.headers...)
		if res.StatusCode() != c.want {
			t.Errorf("%s: %d, want %d", c.name, res.StatusCode(), c.want)
		}
		if c.want == 200 && (string(res.Body()) != "inngest_queue_depth 1\n" || string(res.Header.ContentType()) != contentTypeMetrics) {
			t.Errorf("%s: %s %q", c.name, res.Header.ContentType(), res.Body())
		}
	}
}

func TestReadiness(t *testing.T) {
	t.Parallel()
	why, trouble := "", ""
	s := operated(t, "", Operations{NotReady: func() string { return why }, Trouble: func() string { return trouble }})
	if res := call(s, "GET", "/ready", ""); res.StatusCode() != 200 || len(res.Body()) > 0 {
		t.Errorf("ready: %d %q", res.StatusCode(), res.Body())
	}
	trouble = "reads answer 503"
	res := call(s, "GET", "/ready", "")
	if want := `{"status":200,"message":"reads answer 503"}` + "\n"; res.StatusCode() != 200 || string(res.Body()) != want {
		t.Errorf("ready with trouble: %d %q", res.StatusCode(), res.Body())
	}
	why = "the history database is away"
	res = call(s, "GET", "/ready", "")
	if want := `{"status":503,"message":"the history database is away"}` + "\n"; res.StatusCode() != 503 || string(res.Body()) != want {
		t.Errorf("not ready: %d %q", res.StatusCode(), res.Body())
	}
	why, trouble = "", ""
	if err := s.Shutdown(t.Context()); err != nil {
		t.Fatal(err)
	}
	res = call(s, "GET", "/ready", "")
	if want := `{"status":503,"message":"draining"}` + "\n"; res.StatusCode() != 503 || string(res.Body()) != want {
		t.Errorf("draining: %d %q", res.StatusCode(), res.Body())
	}
	if res := call(s, "GET", "/health", ""); res.StatusCode() != 200 || string(res.Body()) != healthBody {
		t.Errorf("health while draining: %d %q", res.StatusCode(), res.Body())
	}
}

func TestNoUI(t *testing.T) {
	t.Parallel()
	s := operated(t, "ee12", Operations{NoUI: true})
	for _, path := range []string{"/", "/runs", "/nope", "/nope/", "/v0/gql", "/some.file", "/metrics"} {
		for _, method := range []string{"GET", "POST", "DELETE"} {
			if res := call(s, method, path, ""); res.StatusCode() != 404 || string(res.Body()) != notFoundText {
				t.Errorf("%s %s: %d %q", method, path, res.StatusCode(), res.Body())
			}
		}
	}
	for path, want := range map[string]int{"/health": 200, "/ready": 200, "/dev": 401} {
		if res := call(s, "GET", path, ""); res.StatusCode() != want {
			t.Errorf("%s: %d, want %d", path, res.StatusCode(), want)
		}
	}
}

func TestFallbackKey(t *testing.T) {
	t.Parallel()
	s := operated(t, "ee12", Operations{FallbackKey: "bb34"})
	for key, want := range map[string]int{"ee12": 404, "bb34": 404, "cc56": 401} {
		if res := call(s, "GET", "/dev", "", "Authorization", "Bearer "+key); res.StatusCode() != want {
			t.Errorf("%s: %d, want %d", key, res.StatusCode(), want)
		}
	}
}

func TestReplaceUnknownRoute(t *testing.T) {
	t.Parallel()
	defer func() {
		if recover() == nil {
			t.Error("no panic for a route that is not there")
		}
	}()
	newRouter().replace("GET", "/nothing", nil)
}
