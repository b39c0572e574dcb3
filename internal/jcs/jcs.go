// Package jcs writes JSON in the canonical form of RFC 8785, the form over which
// SDKs verify signatures (spec 01 §3.3).
package jcs

import "errors"

// Append adds the canonical form of the JSON value src to dst. Input that is
// already canonical is copied without further work. Invalid JSON is an error,
// and dst is returned unchanged.
func Append(dst, src []byte) ([]byte, error) { return dst, errors.New("jcs: not built") }
