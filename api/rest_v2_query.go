package api

import (
	"fmt"
	"strconv"
	"time"

	"github.com/valyala/fasthttp"
)

// v2Query reads query parameters, whose names are lowerCamelCase or snake_case; unknown
// ones are ignored (spec 02 §8.1).
type v2Query struct{ args *fasthttp.Args }

// all returns the values of a parameter by its snake_case name.
func (q v2Query) all(name string) (out []string) {
	for _, n := range []string{name, lowerCamel(name)} {
		for _, v := range q.args.PeekMulti(n) {
			out = append(out, string(v))
		}
		if n == lowerCamel(n) {
			break // both names are the same
		}
	}
	return out
}

// text returns a parameter's last value; "" if it is not there.
func (q v2Query) text(name string) string {
	all := q.all(name)
	if len(all) == 0 {
		return ""
	}
	return all[len(all)-1]
}

func v2ParseError(name string, err error) error {
	return v2Fault(fasthttp.StatusBadRequest, v2APIError, fmt.Sprintf("parsing field %q: %v", name, err))
}

func (q v2Query) boolean(name string) (value, given bool, err error) {
	text := q.text(name)
	if text == "" {
		return false, false, nil
	}
	value, err = strconv.ParseBool(text)
	if err != nil {
		return false, false, v2ParseError(name, err)
	}
	return value, true, nil
}

// time returns a bound in unix ms and its text as answers repeat it; 0 if it is not there.
func (q v2Query) time(name string) (ms int64, text string, err error) {
	if text = q.text(name); text == "" {
		return 0, "", nil
	}
	t, err := time.Parse(time.RFC3339Nano, text)
	if err != nil {
		return 0, "", v2ParseError(name, err)
	}
	return unixMS(t), v2TimeText(t), nil
}

// limit reads the page size: def if it is not there, an error above most or below least.
// Where least is 0 an explicit 0 is the default too.
func (q v2Query) limit(def, least, most int) (int, error) {
	text := q.text("limit")
	if text == "" {
		return def, nil
	}
	n, err := strconv.ParseInt(text, 10, 32)
	switch {
	case err != nil:
		return 0, v2ParseError("limit", err)
	case n == 0 && least == 0:
		return def, nil
	case n < 1:
		return 0, v2Invalid("Limit must be at least 1")
	case int(n) > most:
		return 0, v2Invalid(fmt.Sprintf("Limit cannot exceed %d", most))
	}
	return int(n), nil
}
