package gql

import (
	"encoding/json"
	"strings"

	"ingot/engine/function"
	"ingot/engine/function/sdk"
)

// The type FunctionConfiguration and its parts, of a function's configuration as it is
// stored: with periods as the app wrote them.
type (
	configNode struct {
		Cancellations []cancellationNode
		Retries       retriesNode
		Priority      *string
		EventsBatch   *batchNode
		Concurrency   []concurrencyNode
		RateLimit     *rateLimitNode
		Debounce      *debounceNode
		Throttle      *throttleNode
		Singleton     *singletonNode
	}
	cancellationNode struct {
		Event              string
		Timeout, Condition *string
	}
	retriesNode struct {
		Value     int32
		IsDefault *bool
	}
	batchNode struct {
		MaxSize int32
		Timeout string
		Key     *string
	}
	concurrencyNode struct {
		Scope string
		Limit limitNode
		Key   *string
	}
	limitNode struct {
		Value       int32
		IsPlanLimit *bool
	}
	rateLimitNode struct {
		Limit  int32
		Period string
		Key    *string
	}
	debounceNode struct {
		Period string
		Key    *string
	}
	throttleNode struct {
		Burst, Limit int32
		Key          *string
		Period       string
	}
	singletonNode struct {
		Mode string
		Key  *string
	}
)

// Configuration shows what limits and groups the function's runs.
func (f *functionNode) Configuration() (*configNode, error) {
	var d function.Definition
	if err := json.Unmarshal(f.fn.Config, &d); err != nil {
		return nil, err //nolint:wrapcheck // logged with its path
	}
	c := &configNode{Cancellations: []cancellationNode{}, Retries: retriesOf(&d), Concurrency: concurrencyOf(d.Concurrency)}
	for _, x := range d.Cancel {
		c.Cancellations = append(c.Cancellations, cancellationNode{x.Event, x.Timeout, x.If})
	}
	if d.Priority != nil {
		c.Priority = d.Priority.Run
	}
	if b := d.Batch; b != nil {
		c.EventsBatch = &batchNode{count(int64(b.MaxSize)), b.Timeout, b.Key}
	}
	if l := d.RateLimit; l != nil {
		c.RateLimit = &rateLimitNode{count(int64(l.Limit)), l.Period, l.Key}
	}
	if b := d.Debounce; b != nil {
		c.Debounce = &debounceNode{b.Period, b.Key}
	}
	if t := d.Throttle; t != nil {
		c.Throttle = &throttleNode{count(int64(t.Burst)), count(int64(t.Limit)), t.Key, t.PeriodDuration().String()}
	}
	if s := d.Singleton; s != nil {
		c.Singleton = &singletonNode{strings.ToUpper(string(s.Mode)), s.Key}
	}
	return c, nil
}

func retriesOf(d *function.Definition) retriesNode {
	n := function.DefaultRetries
	if len(d.Steps) > 0 && d.Steps[0].Retries != nil {
		n = *d.Steps[0].Retries
	}
	return retriesNode{int32(n), new(n == function.DefaultRetries)}
}

// scopes are GraphQL's names of the SDKs'.
var scopes = map[sdk.ConcurrencyScope]string{"Fn": "FUNCTION", "Env": "ENVIRONMENT", "Account": "ACCOUNT"}

// concurrencyOf shows no limit as the account's, of which there is none.
func concurrencyOf(c *sdk.Concurrency) []concurrencyNode {
	if c == nil || len(c.Step) == 0 {
		return []concurrencyNode{{Scope: "ACCOUNT", Limit: limitNode{-1, new(true)}}}
	}
	var out []concurrencyNode
	for _, l := range c.Step {
		out = append(out, concurrencyNode{scopes[l.Scope], limitNode{count(int64(l.Limit)), new(false)}, l.Key})
	}
	return out
}
