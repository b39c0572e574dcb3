package stacks

import "strings"

// module is the path of this program's packages, none of which has a dot.
const module = "ingot/"

// Package is the import path of a function's package.
func Package(function string) string {
	slash := strings.LastIndexByte(function, '/')
	// Type arguments may hold slashes and dots: they come after the package.
	if bracket := strings.IndexByte(function, '['); bracket >= 0 && bracket < slash {
		slash = strings.LastIndexByte(function[:bracket], '/')
	}
	dot := strings.IndexByte(function[slash+1:], '.')
	if dot < 0 {
		return function
	}
	return function[:slash+1+dot]
}

// standard says whether a function is of Go's standard library or runtime.
func standard(function string) bool {
	p := Package(function)
	first, _, _ := strings.Cut(p, "/")
	return !strings.HasPrefix(p, module) && p != "main" && !strings.Contains(first, ".")
}
