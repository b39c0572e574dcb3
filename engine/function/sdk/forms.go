package sdk

import (
	"bytes"
	"encoding/json"
	"fmt"
	"sort"
	"strconv"
	"strings"
	"time"

	"ingot/internal/ids"
	"ingot/internal/timefmt"
)

// Throttle delays run starts above the limit. A limit of 0 counts as 1. A period
// that cannot be read fails the whole request, as in the reference.
type Throttle struct {
	Burst  uint    `json:"burst"`
	Key    *string `json:"key,omitempty"`
	Limit  uint    `json:"limit"`
	Period string  `json:"period"`
}

// UnmarshalJSON reads and checks the setting.
func (t *Throttle) UnmarshalJSON(b []byte) error {
	type plain Throttle
	if err := json.Unmarshal(b, (*plain)(t)); err != nil {
		return err //nolint:wrapcheck // the text is part of the protocol
	}
	if _, err := timefmt.ParseDuration(t.Period); err != nil {
		return err //nolint:wrapcheck // the text is part of the protocol
	}
	t.Limit = max(t.Limit, 1)
	return nil
}

// PeriodDuration is the period; UnmarshalJSON has checked it.
func (t *Throttle) PeriodDuration() time.Duration {
	d, _ := timefmt.ParseDuration(t.Period)
	return d
}

// SingletonMode says what a second run does: "skip" (also the default) or "cancel".
type SingletonMode string

// UnmarshalJSON reads a mode in any case.
func (m *SingletonMode) UnmarshalJSON(b []byte) error {
	s, err := enum(b, "SingletonMode", "skip", "cancel")
	*m = SingletonMode(s)
	return err
}

// Singleton allows one active run per key.
type Singleton struct {
	Key  *string       `json:"key,omitempty"`
	Mode SingletonMode `json:"mode"`
}

// UnmarshalJSON reads the setting with its default mode.
func (s *Singleton) UnmarshalJSON(b []byte) error {
	type plain Singleton
	s.Mode = "skip"
	return json.Unmarshal(b, (*plain)(s)) //nolint:wrapcheck // the text is part of the protocol
}

// ConcurrencyScope is where a limit is counted: "Fn" (also the default), "Env" or "Account".
type ConcurrencyScope string

// UnmarshalJSON reads a scope in any case.
func (c *ConcurrencyScope) UnmarshalJSON(b []byte) error {
	s, err := enum(b, "ConcurrencyScope", "Fn", "Env", "Account")
	*c = ConcurrencyScope(s)
	return err
}

// enum reads one of names in any case; null is the first one.
func enum(b []byte, kind string, names ...string) (string, error) {
	if string(b) == "null" {
		return names[0], nil
	}
	var s string
	if err := json.Unmarshal(b, &s); err != nil {
		return "", fmt.Errorf("%s should be a string, got %s", kind, b)
	}
	for _, n := range names {
		if strings.EqualFold(n, s) {
			return n, nil
		}
	}
	return "", fmt.Errorf("%s does not belong to %s values", s, kind)
}

// ConcurrencyLimit bounds running steps.
type ConcurrencyLimit struct {
	Limit int              `json:"limit"`
	Key   *string          `json:"key,omitempty"`
	Scope ConcurrencyScope `json:"scope"`
	// Hash is the base-36 hash of the key's text; what SDKs send is recomputed.
	Hash string `json:"hash"`
}

// UnmarshalJSON reads a limit with its default scope.
func (c *ConcurrencyLimit) UnmarshalJSON(b []byte) error {
	type plain ConcurrencyLimit
	c.Scope = "Fn"
	if err := json.Unmarshal(b, (*plain)(c)); err != nil {
		return err //nolint:wrapcheck // the text is part of the protocol
	}
	c.Hash = ""
	if c.Key != nil && *c.Key != "" {
		c.Hash = ids.Hash36([]byte(*c.Key))
	}
	return nil
}

// RunConcurrency bounds whole runs. Its scope is checked by validation, not here.
type RunConcurrency struct {
	Limit int     `json:"limit"`
	Scope string  `json:"scope,omitempty"`
	Key   *string `json:"key,omitempty"`
}

// Concurrency is the setting in any of its forms: a number, one limit, several
// limits, or limits on steps and on runs apart (spec 01 §6.4).
type Concurrency struct {
	Step []ConcurrencyLimit
	Run  []RunConcurrency
}

// UnmarshalJSON reads any form. What is none of them is no limit. Step limits
// are put in ascending order.
func (c *Concurrency) UnmarshalJSON(b []byte) error {
	*c = Concurrency{}
	b = bytes.TrimSpace(b)
	if len(b) == 0 {
		return nil
	}
	var err error
	switch b[0] {
	case '[':
		err = json.Unmarshal(b, &c.Step)
	case '{':
		var group struct {
			Run  json.RawMessage `json:"fn"`
			Step json.RawMessage `json:"step"`
		}
		if err := json.Unmarshal(b, &group); err != nil {
			return err //nolint:wrapcheck // the text is part of the protocol
		}
		if !fullArray(group.Run) && !fullArray(group.Step) {
			c.Step = make([]ConcurrencyLimit, 1)
			err = json.Unmarshal(b, &c.Step[0])
			break
		}
		if group.Run != nil {
			err = json.Unmarshal(group.Run, &c.Run)
		}
		if err == nil && group.Step != nil {
			err = json.Unmarshal(group.Step, &c.Step)
		}
	default:
		if n, convErr := strconv.Atoi(string(b)); convErr == nil {
			c.Step = []ConcurrencyLimit{{Limit: n, Scope: "Fn"}}
		}
	}
	sort.SliceStable(c.Step, func(i, j int) bool { return c.Step[i].Limit < c.Step[j].Limit })
	return err //nolint:wrapcheck // the text is part of the protocol
}

// fullArray reports whether raw is an array with at least one element.
func fullArray(raw []byte) bool {
	if len(raw) == 0 || raw[0] != '[' {
		return false
	}
	return len(bytes.TrimSpace(raw[1:len(raw)-1])) > 0
}

// MarshalJSON writes the stored form.
func (c *Concurrency) MarshalJSON() ([]byte, error) {
	if len(c.Run) == 0 {
		return json.Marshal(c.Step) //nolint:wrapcheck // nothing to add
	}
	return json.Marshal(struct { //nolint:wrapcheck // nothing to add
		Run  []RunConcurrency   `json:"fn"`
		Step []ConcurrencyLimit `json:"step,omitempty"`
	}{c.Run, c.Step})
}
