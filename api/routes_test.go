package api

import (
	"slices"
	"strings"
)

// Routes lists all routes of a server for tests from outside, as "GET /path/{name}".
func Routes() []string {
	var out []string
	s := NewServer(Options{})
	s.routes.root.list("", &out)
	s.v2Router().root.list("/v2", &out)
	slices.Sort(out)
	return out
}

func (n *node) list(path string, out *[]string) {
	for _, m := range n.methods {
		named := path
		for _, name := range n.names {
			named = strings.Replace(named, "{}", "{"+name+"}", 1)
		}
		*out = append(*out, m.method+" "+named)
	}
	for segment, next := range n.literal {
		next.list(path+"/"+segment, out)
	}
	for _, next := range []*node{n.param, n.rest} {
		if next != nil {
			next.list(path+"/{}", out)
		}
	}
}
