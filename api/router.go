package api

import (
	"fmt"
	"net/url"
	"strings"
	"unsafe"

	"github.com/valyala/fasthttp"
)

// handler answers one request. ctx and p are valid only during the call.
type handler func(ctx *fasthttp.RequestCtx, p params)

// maxParams bounds the parameters of one route.
const maxParams = 3

// params are the values of a route's `{name}` segments.
type params struct {
	names []string
	// vals alias the request's path as it came, still percent-encoded.
	vals [maxParams]string
}

// get returns the decoded value of parameter name; it panics for a name that the
// route does not have. The value is valid only during the request.
func (p *params) get(name string) string {
	raw := p.raw(name)
	if strings.IndexByte(raw, '%') < 0 {
		return raw
	}
	if v, err := url.PathUnescape(raw); err == nil {
		return v
	}
	return raw
}

// raw returns the value of parameter name as it came, percent-encoded.
func (p *params) raw(name string) string {
	for i, n := range p.names {
		if n == name {
			return p.vals[i]
		}
	}
	panic("api: the route has no parameter " + name)
}

// router finds the handler of a path. Routes are added at start and never
// change, so that lookups take no lock, and they do not allocate.
//
// A path is a list of segments. A segment of a route is literal, `{name}`, which
// takes one non-empty segment, or at the end `{name...}`, which takes all that
// remains. Literal segments win over parameters.
type router struct{ root *node }

// node is one segment of the route tree.
type node struct {
	literal map[string]*node
	param   *node
	rest    *node
	names   []string
	methods []methodHandler
	// allow is the Allow header of a 405: the methods in order of registration.
	allow string
	// signed asks for the signing key before anything else, also before a 405.
	signed bool
}

type methodHandler struct {
	method string
	h      handler
}

func newRouter() *router { return &router{root: &node{}} }

// handle adds a route that anyone may call. It panics on a bad or double route:
// routes are written in the code, so that is a bug.
func (r *router) handle(method, path string, h handler) { r.add(method, path, h) }

// signed adds a route that needs the signing key, if the server has one. All
// methods of its path then need it.
func (r *router) signed(method, path string, h handler) { r.add(method, path, h).signed = true }

func (r *router) add(method, path string, h handler) *node {
	if !strings.HasPrefix(path, "/") {
		panic("api: route " + path + " does not begin with /")
	}
	n := r.root
	var names []string
	for _, seg := range strings.Split(path[1:], "/") {
		switch {
		case strings.HasPrefix(seg, "{") && strings.HasSuffix(seg, "...}"):
			names = append(names, seg[1:len(seg)-4])
			n = child(&n.rest)
		case strings.HasPrefix(seg, "{"):
			names = append(names, seg[1:len(seg)-1])
			n = child(&n.param)
		default:
			if n.literal == nil {
				n.literal = map[string]*node{}
			}
			next := n.literal[seg]
			n.literal[seg] = child(&next)
			n = next
		}
	}
	if len(names) > maxParams {
		panic(fmt.Sprintf("api: route %s has more than %d parameters", path, maxParams))
	}
	for _, m := range n.methods {
		if m.method == method {
			panic("api: route " + method + " " + path + " is there twice")
		}
	}
	n.names = names
	n.methods = append(n.methods, methodHandler{method, h})
	if n.allow != "" {
		n.allow += ", "
	}
	n.allow += method
	return n
}

func child(n **node) *node {
	if *n == nil {
		*n = &node{}
	}
	return *n
}

// find returns the node that path leads to and its parameters, or nil.
func (r *router) find(path []byte) (*node, params) {
	var p params
	if len(path) == 0 || path[0] != '/' {
		return nil, p
	}
	s := unsafe.String(unsafe.SliceData(path), len(path))[1:]
	n := r.root.find(s, &p, 0)
	if n != nil {
		p.names = n.names
	}
	return n, p
}

func (n *node) find(path string, p *params, depth int) *node {
	seg, tail, more := strings.Cut(path, "/")
	if next := n.literal[seg]; next != nil {
		if found := next.descend(tail, more, p, depth); found != nil {
			return found
		}
	}
	if n.param != nil && seg != "" {
		p.vals[depth] = seg
		if found := n.param.descend(tail, more, p, depth+1); found != nil {
			return found
		}
	}
	if n.rest != nil {
		p.vals[depth] = path
		return n.rest
	}
	return nil
}

func (n *node) descend(tail string, more bool, p *params, depth int) *node {
	if more {
		return n.find(tail, p, depth)
	}
	if len(n.methods) == 0 {
		return nil
	}
	return n
}

// handler returns the handler of method, or nil.
func (n *node) handler(method []byte) handler {
	for i := range n.methods {
		if n.methods[i].method == string(method) {
			return n.methods[i].h
		}
	}
	return nil
}
