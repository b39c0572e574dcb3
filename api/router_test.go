package api

import (
	"testing"

	"github.com/valyala/fasthttp"
)

func TestRouter(t *testing.T) {
	t.Parallel()
	r := newRouter()
	hit := ""
	mark := func(name string) handler {
		return func(*fasthttp.RequestCtx, params) { hit = name }
	}
	r.handle("GET", "/", mark("root"))
	r.handle("GET", "/a", mark("a"))
	r.handle("GET", "/a/{x}", mark("a-x"))
	r.handle("GET", "/a/{x}/c", mark("a-x-c"))
	r.handle("GET", "/a/b/d", mark("a-b-d"))
	r.handle("POST", "/a/{x}", mark("post-a-x"))
	r.signed("GET", "/files/{path...}", mark("files"))
	for _, c := range []struct{ path, want, x string }{
		{"/", "root", ""}, {"/a", "a", ""}, {"/a/b", "a-x", "b"}, {"/a/b/c", "a-x-c", "b"}, {"/a/b/d", "a-b-d", ""},
		{"/a/%2F", "a-x", "/"}, {"/a/%zz", "a-x", "%zz"}, {"/files/1/2/", "files", ""},
		{"/a/", "", ""}, {"/b", "", ""}, {"/a/b/x", "", ""}, {"", "", ""}, {"a", "", ""}, {"/a/b/c/", "", ""},
	} {
		hit = ""
		n, p := r.find([]byte(c.path))
		if n != nil {
			n.handler([]byte("GET"))(nil, p)
		}
		if hit != c.want {
			t.Errorf("%q: %q, want %q", c.path, hit, c.want)
		}
		if c.x != "" && p.get("x") != c.x {
			t.Errorf("%q: x is %q, want %q", c.path, p.get("x"), c.x)
		}
	}
	n, p := r.find([]byte("/files/1/2"))
	if p.get("path") != "1/2" || !n.signed {
		t.Errorf("rest %q, signed %v", p.get("path"), n.signed)
	}
	if n, _ := r.find([]byte("/a/b")); n.allow != "GET, POST" || n.handler([]byte("PUT")) != nil {
		t.Errorf("allow %q", n.allow)
	}
}

func TestRouterRefusesBadRoutes(t *testing.T) {
	t.Parallel()
	for name, add := range map[string]func(*router){
		"no slash":     func(r *router) { r.handle("GET", "a", nil) },
		"twice":        func(r *router) { r.handle("GET", "/a", nil); r.handle("GET", "/a", nil) },
		"many params":  func(r *router) { r.handle("GET", "/{a}/{b}/{c}/{d}", nil) },
		"unknown name": func(*router) { (&params{}).get("x") },
	} {
		func() {
			defer func() {
				if recover() == nil {
					t.Errorf("%s: no panic", name)
				}
			}()
			add(newRouter())
		}()
	}
}
