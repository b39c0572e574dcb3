package golden

import (
	"encoding/json"
	"fmt"
	"regexp"
	"strings"
	"time"
)

// The reference takes the events of one request, and of requests that come close
// together, in any order (spec 03 §7.3); here they are taken as they came. A recording
// whose outcome rests on that order is played with its events in the order in which the
// reference took them, as its calls tell.

// arrays are the orders of the events of one request, by file and sequence number: the
// positions that they had, counted from 1.
var arrays = map[string]map[int][]int{
	"runs/batch-failed.json":              {1: {2, 1}},
	"runs/batch-key-if.json":              {1: {4, 2, 3, 1}},
	"runs/batch-overflow.json":            {1: {5, 4, 2, 1, 3}},
	"runs/batch-size.json":                {1: {3, 1, 2}},
	"runs/singleton-skip-nokey.json":      {1: {2, 1, 3}},
	"runs/throttle.json":                  {1: {2, 1, 3}},
	"runs/throttle-burst.json":            {1: {4, 3, 2, 5, 1}},
	"runs/throttle-key.json":              {1: {3, 4, 2, 1}},
	"sdk-traffic/v4-express-default.json": {107: {2, 1}},
}

// requests are sequence numbers of requests in the order in which the reference took
// them, by file; they change places.
var requests = map[string][]int{
	"runs/ratelimit-window.json":          {4, 1, 2, 3},
	"runs/ratelimit-key-types.json":       {1, 2, 3, 4, 5, 6, 7, 9, 8, 10},
	"runs/batch-size-separate-nokey.json": {7, 6},
}

// reorder brings the events of a recording into the order in which they were taken.
func (s *Scenario) reorder() error {
	at := map[int]*Exchange{}
	for i := range s.Exchanges {
		at[s.Exchanges[i].Seq] = &s.Exchanges[i]
	}
	for seq, order := range arrays[s.File] {
		if err := at[seq].permute(order); err != nil {
			return fmt.Errorf("%s, exchange %d: %w", s.File, seq, err)
		}
	}
	order := requests[s.File]
	moved := make([]Exchange, len(order))
	for i, seq := range order {
		moved[i] = *at[seq]
	}
	first := len(s.Exchanges)
	for _, seq := range order {
		for i := range s.Exchanges {
			if s.Exchanges[i].Seq == seq {
				first = min(first, i)
			}
		}
	}
	n := 0
	for i := first; n < len(moved); i++ {
		x := &s.Exchanges[i]
		if x.Dir != "client->server" {
			continue
		}
		x.Request, x.Response = moved[n].Request, moved[n].Response
		n++
	}
	return nil
}

var idsOf = regexp.MustCompile(`"ids":\[([^\]]*)\]`)

// permute changes the order of a request's events, and of the ids in its answer.
func (e *Exchange) permute(order []int) error {
	var events []json.RawMessage
	if err := json.Unmarshal([]byte(e.Request.Body.Raw), &events); err != nil {
		return err
	}
	answer := e.Response.Body.Raw
	list := idsOf.FindStringSubmatch(answer)
	if len(events) != len(order) || list == nil || strings.Count(list[1], ",") != len(order)-1 {
		return fmt.Errorf("%d events and the ids %s cannot be put in the order %v", len(events), list, order)
	}
	ids := strings.Split(list[1], ",")
	var body, answered []string
	for _, n := range order {
		body = append(body, string(events[n-1]))
		answered = append(answered, ids[n-1])
	}
	e.Request.Body.Raw = "[" + strings.Join(body, ",") + "]"
	e.Response.Body.Raw = strings.Replace(answer, list[1], strings.Join(answered, ","), 1)
	return nil
}

// tooEarly is how much earlier than recorded a call may come. The reference's queue
// takes up to half a second to get round to a call, here it is made at once; but
// nothing that waits for a time may come before it. A debounce ends with its period; the
// reference adds 1.05 s (spec 03 §21.3).
func tooEarly(file string) time.Duration {
	if strings.Contains(file, "debounce") {
		return 1200*time.Millisecond + 1050*time.Millisecond
	}
	return 1200 * time.Millisecond
}
