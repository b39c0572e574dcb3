package engine

import (
	"fmt"
	"io"
	"log/slog"
	"testing"

	"ingot/engine/event"
	"ingot/engine/expr"
	"ingot/engine/function"
	"ingot/internal/ids"
)

// benchPartitions is the default of an installation.
const benchPartitions = 4

// routeRouter returns a router over n functions, each with an event name of its
// own and the condition, if that is not empty.
func routeRouter(b testing.TB, n int, condition string) *router {
	b.Helper()
	s := &Snapshot{}
	for i := range n {
		trig := function.Trigger{Event: routeName(i)}
		if condition != "" {
			e, err := expr.Compile(condition)
			if err != nil {
				b.Fatal(err)
			}
			trig.If = e
		}
		slug := fmt.Sprintf("fn-%d", i)
		s.Active = append(s.Active, &function.Function{ID: ids.UUIDv5([]byte(slug)), Slug: slug, Triggers: []function.Trigger{trig}})
	}
	r := newRouter(benchPartitions, newWaitNames(benchPartitions), slog.New(slog.NewTextHandler(io.Discard, nil)))
	r.table = newTriggerTable(s)
	return r
}

func routeName(i int) string { return fmt.Sprintf("shop/order.%d", i) }

func routeEvent(name string) *event.Event {
	return &event.Event{InternalID: ids.Derive(1, []byte(name)), Name: []byte(name), TS: 1, ReceivedAt: 1,
		Data: []byte(`{"amount":1299,"currency":"EUR","customer":{"id":"c-1842","plan":"pro"},"items":[{"qty":1,"sku":"SKU-1"}],"order":"order-77"}`)}
}

// BenchmarkRoute finds the functions and partitions that one event concerns; with
// waits also the one wait that matches, which is the receiving partition's work.
func BenchmarkRoute(b *testing.B) {
	for _, c := range []struct {
		name, event, condition string
		functions, waits       int
		targets                int // partitions that get the event
	}{
		{"functions=1", routeName(0), "", 1, 0, 1},
		{"functions=10000", routeName(7777), "", 10_000, 0, 1},
		{"unwanted/functions=10000", "nobody/wants.this", "", 10_000, 0, 0},
		{"condition-true", routeName(0), `event.data.customer.plan == "pro" && event.data.amount > 100`, 1, 0, 1},
		{"condition-false", routeName(0), `event.data.customer.plan == "free"`, 1, 0, 0},
		{"waits=100000", "shop/order.paid", "", 1, 100_000, 1},
	} {
		b.Run(c.name, func(b *testing.B) {
			r, x := routeRouter(b, c.functions, c.condition), newWaitIndex()
			for i := range c.waits {
				x.add(c.event, benchRef(i), fmt.Sprintf(`async.data.order == "order-%d"`, i))
				r.names.add(c.event, 0)
			}
			ev, delivered, found := routeEvent(c.event), 0, 0
			b.ReportAllocs()
			for b.Loop() {
				r.route(ev, func(_ int, re *routedEvent) {
					delivered++
					if c.waits > 0 {
						x.candidates(ev.Name, re.json, func(waitRef) { found++ })
					}
				})
			}
			if delivered != b.N*c.targets || (c.waits > 0 && found != b.N) {
				b.Fatalf("%d deliveries and %d waits found for %d events", delivered, found, b.N)
			}
		})
	}
}

// TestRouteOfUnwantedEventAllocatesNothing: what nobody listens to must not cost
// the collector anything, however many functions and waits there are.
func TestRouteOfUnwantedEventAllocatesNothing(t *testing.T) {
	r := routeRouter(t, 1000, "")
	r.names.add("shop/order.paid", 0)
	ev, delivered := routeEvent("nobody/wants.this"), 0
	deliver := func(int, *routedEvent) { delivered++ }
	if n := testing.AllocsPerRun(200, func() { r.route(ev, deliver) }); n != 0 {
		t.Errorf("%v allocations", n)
	}
	if delivered != 0 {
		t.Errorf("it was delivered %d times", delivered)
	}
}
