package gql

import (
	"bytes"
	"encoding/json"
	"fmt"
	"strconv"
	"strings"
)

// decodeExact decodes the first JSON value of a text. Numbers within variables are
// float64, which the library expects, but for integers that those do not hold: ids of
// events' data must not change.
func decodeExact(text []byte, v any) error {
	d := json.NewDecoder(bytes.NewReader(text))
	d.UseNumber()
	if err := d.Decode(v); err != nil {
		return err //nolint:wrapcheck // the text is the recorded one
	}
	switch v := v.(type) {
	case *params:
		_, err := exact(v.Variables)
		return err
	case *map[string]any:
		_, err := exact(*v)
		return err
	}
	return nil
}

// exact replaces the numbers within a value, in place where it can.
func exact(v any) (out any, err error) {
	switch v := v.(type) {
	case json.Number:
		return exactNumber(v)
	case map[string]any:
		for k, element := range v {
			if v[k], err = exact(element); err != nil {
				return nil, err
			}
		}
	case []any:
		for i, element := range v {
			if v[i], err = exact(element); err != nil {
				return nil, err
			}
		}
	}
	return v, nil
}

func exactNumber(n json.Number) (any, error) {
	f, err := n.Float64()
	if err != nil {
		return nil, fmt.Errorf("the number %.40s is out of range", n)
	}
	if !strings.ContainsAny(string(n), ".eE") && strconv.FormatFloat(f, 'f', -1, 64) != string(n) {
		return n, nil
	}
	return f, nil
}
