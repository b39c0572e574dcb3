package config

import (
	"fmt"
	"net"
	"net/url"
	"strconv"
	"strings"
	"time"
)

// Sources are where settings come from, the strongest first.
type Sources struct {
	// Flags are those given on the command line, by name.
	Flags map[string][]string
	// Getenv reads the environment.
	Getenv func(string) string
	// Environ has the environment's NAME=value pairs, to find misspelled names; may be nil.
	Environ []string
	// File is the configuration file; nil if there is none.
	File *File
}

// resolver finds the value of each setting and remembers where it came from.
type resolver struct {
	src      Sources
	errs     []error
	warnings []string
	found    []Setting
}

func (r *resolver) failf(format string, args ...any) {
	r.errs = append(r.errs, fmt.Errorf(format, args...))
}

func (r *resolver) warnf(format string, args ...any) {
	r.warnings = append(r.warnings, fmt.Sprintf(format, args...))
}

// sourceDefault says that no source has a value.
const sourceDefault = "default"

// lookup returns the values of the strongest source that has key, and its name; no
// values if none has.
func (r *resolver) lookup(key string) (values []string, source string) {
	if v, ok := r.src.Flags[key]; ok {
		return v, "flag --" + key
	}
	if v, name := r.variable(key); name != "" {
		return []string{v}, "env " + name
	}
	if r.src.File != nil {
		if v, ok := r.src.File.Values[key]; ok {
			return v, "file " + r.src.File.Path
		}
	}
	return nil, sourceDefault
}

// envAddr holds a host, or a host and a port.
const envAddr = "INNGEST_ADDR"

// variable returns the value of a key's first variable that is not empty, and its name.
func (r *resolver) variable(key string) (value, name string) {
	names := []string{EnvName(key)}
	if s := byKey[key]; s != nil {
		names = append(names, s.env...)
	}
	for _, n := range names {
		v := r.src.Getenv(n)
		if n == envAddr {
			v = addrPart(key, v)
		}
		switch {
		case v == "":
		case name == "":
			value, name = v, n
		case value != v:
			r.warnf("conflicting environment variables: %s is used, %s is ignored", name, n)
		}
	}
	return value, name
}

// addrPart picks the host or port of INNGEST_ADDR, which may be either form.
func addrPart(key, addr string) string {
	host, port, err := net.SplitHostPort(addr)
	switch {
	case key == "port" && err == nil:
		return port
	case key == "port":
		return ""
	case err == nil:
		return host
	}
	return addr
}

func (r *resolver) given(key string) bool {
	_, source := r.lookup(key)
	return source != sourceDefault
}

// show remembers the value of a key as it is in effect, for print-config.
func (r *resolver) show(key, source string, value any) {
	r.found = append(r.found, Setting{Key: key, Value: value, Source: source})
}

// last is the value of a key of which one is meant.
func last(values []string) string {
	if len(values) == 0 {
		return ""
	}
	return values[len(values)-1]
}

func (r *resolver) text(key, def string) string {
	values, source := r.lookup(key)
	v := last(values)
	if len(values) == 0 {
		v, source = def, sourceDefault
	}
	r.show(key, source, v)
	return v
}

func (r *resolver) number(key string, def int) int {
	values, source := r.lookup(key)
	n := def
	if s := strings.TrimSpace(last(values)); s != "" {
		var err error
		if n, err = strconv.Atoi(s); err != nil {
			r.failf("%s must be a whole number, not %q", key, s)
			n = def
		}
	}
	r.show(key, source, n)
	return n
}

func (r *resolver) boolean(key string) bool {
	values, source := r.lookup(key)
	b := false
	if s := strings.TrimSpace(last(values)); s != "" {
		var err error
		if b, err = strconv.ParseBool(s); err != nil {
			r.failf("%s must be true or false, not %q", key, s)
		}
	}
	r.show(key, source, b)
	return b
}

// duration reads a number of units, or a text with units such as "90s".
func (r *resolver) duration(key string, unit, def time.Duration) time.Duration {
	values, source := r.lookup(key)
	d := def
	if s := strings.TrimSpace(last(values)); s != "" {
		n, err := strconv.ParseInt(s, 10, 64)
		limit := int64(Unbounded / unit)
		switch {
		case err == nil && -limit <= n && n <= limit:
			d = time.Duration(n) * unit
		case err == nil:
			r.failf("%s (%s) must be at most %d", key, s, limit)
		default:
			if d, err = time.ParseDuration(s); err != nil {
				r.failf("%s must be a number of %s or a duration such as %q, not %q", key, unitName(unit), "90s", s)
				d = def
			}
		}
	}
	r.show(key, source, d.String())
	return d
}

func unitName(unit time.Duration) string {
	if unit == time.Minute {
		return "minutes"
	}
	return "seconds"
}

// list splits each value at commas, as the reference does for flags and variables.
func (r *resolver) list(key string) []string {
	values, source := r.lookup(key)
	var out []string
	for _, v := range values {
		for _, s := range strings.Split(v, ",") {
			if s = strings.TrimSpace(s); s != "" {
				out = append(out, s)
			}
		}
	}
	r.show(key, source, append([]string{}, out...))
	return out
}

// appURL adds the scheme that may be left out and refuses what no app can be at.
func (r *resolver) appURL(s string) string {
	full := s
	if !strings.Contains(full, "://") {
		full = "http://" + full
	}
	u, err := url.Parse(full)
	if err != nil || u.Host == "" || (u.Scheme != "http" && u.Scheme != "https") {
		r.failf("sdk-url must be an http or https URL, not %q", s)
	}
	return full
}
