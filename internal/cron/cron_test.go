package cron

import (
	"math/rand/v2"
	"testing"
	"time"

	"github.com/robfig/cron/v3"
)

func TestParseRefuses(t *testing.T) {
	t.Parallel()
	for _, spec := range []string{
		"", " ", "x", "not a cron", "99 * * * *", "* * * *", "* * * * * *", "@hourly", "@every 1s",
		"TZ=Nowhere/City * * * * *", "TZ=", "TZ=UTC", "CRON_TZ=UTC", "TZ= ", "TZ=UTC TZ=0", "TZ=UTC CRON_TZ=UTC * * * * *",
		"TZ=../../etc/passwd * * * * *", "*/0 * * * *", "5-1 * * * *", "0 0 0 * *", "0 0 * 13 *", "0 0 * * 8",
	} {
		if s, err := Parse(spec); err == nil {
			t.Errorf("Parse(%q) = %+v, want an error", spec, s)
		}
	}
}

func TestNext(t *testing.T) {
	t.Parallel()
	tests := []struct{ spec, after, want string }{
		{"* * * * *", "2026-01-01T00:00:00Z", "2026-01-01T00:01:00Z"},
		{"* * * * *", "2026-01-01T00:00:59.999Z", "2026-01-01T00:01:00Z"},
		{"*/15 * * * *", "2026-01-01T00:46:00Z", "2026-01-01T01:00:00Z"},
		{"0 5 * * 1", "2026-11-22T00:00:00Z", "2026-11-23T05:00:00Z"},
		{"59 23 31 12 *", "2026-12-31T23:59:00Z", "2027-12-31T23:59:00Z"},
		{"0 0 1 jan *", "2026-02-01T00:00:00Z", "2027-01-01T00:00:00Z"},
		// Two restricted day fields are alternatives.
		{"0 0 13 * 5", "2026-11-01T00:00:00Z", "2026-11-06T00:00:00Z"},
		{"0 0 13 * 5", "2026-12-11T00:00:00Z", "2026-12-13T00:00:00Z"},
		{"0 12 * * *", "2026-01-01T12:00:00+02:00", "2026-01-01T12:00:00Z"},
		// Leap days, also across a century that has none.
		{"0 0 29 2 *", "2026-01-01T00:00:00Z", "2028-02-29T00:00:00Z"},
		{"0 0 29 2 *", "2028-02-29T00:00:00Z", "2032-02-29T00:00:00Z"},
		{"0 0 29 2 *", "2096-03-01T00:00:00Z", "2104-02-29T00:00:00Z"},
		// Never.
		{"0 0 30 2 *", "2026-01-01T00:00:00Z", ""},
		{"0 0 31 4,6,9,11 *", "2026-01-01T00:00:00Z", ""},
		// Zones.
		{"TZ=Europe/Paris 0 12 * * *", "2026-01-01T00:00:00Z", "2026-01-01T11:00:00Z"},
		{"CRON_TZ=Europe/Paris 0 12 * * *", "2026-07-01T00:00:00Z", "2026-07-01T10:00:00Z"},
		{"TZ=Asia/Kolkata 30 0 * * *", "2026-07-01T00:00:00Z", "2026-07-01T19:00:00Z"},
		// Spring forward in New York: 02:30 does not exist on 8 March 2026.
		{"TZ=America/New_York 30 2 * * *", "2026-03-07T08:00:00Z", "2026-03-09T06:30:00Z"},
		{"TZ=America/New_York 0 * * * *", "2026-03-08T06:00:00Z", "2026-03-08T07:00:00Z"},
		// Fall back: 01:30 occurs twice on 1 November 2026.
		{"TZ=America/New_York 30 1 * * *", "2026-11-01T00:00:00Z", "2026-11-01T05:30:00Z"},
		{"TZ=America/New_York 30 1 * * *", "2026-11-01T05:30:00Z", "2026-11-01T06:30:00Z"},
		{"TZ=America/New_York 30 1 * * *", "2026-11-01T06:30:00Z", "2026-11-02T06:30:00Z"},
		// Midnight does not exist in Sao Paulo on 4 November 2018, the day itself does.
		{"TZ=America/Sao_Paulo 0 0 * * *", "2018-11-03T12:00:00Z", "2018-11-05T02:00:00Z"},
		{"TZ=America/Sao_Paulo 0 12 4 11 *", "2018-10-01T00:00:00Z", "2018-11-04T14:00:00Z"},
		// Chatham's clock goes from 02:45 to 03:45.
		{"TZ=Pacific/Chatham 50 3 * * *", "2026-09-26T00:00:00Z", "2026-09-26T14:05:00Z"},
		// Lord Howe's goes from 02:00 to 02:30.
		{"TZ=Australia/Lord_Howe 15 2 * * *", "2026-10-03T00:00:00Z", "2026-10-04T15:15:00Z"},
	}
	for _, tt := range tests {
		s, err := Parse(tt.spec)
		if err != nil {
			t.Errorf("Parse(%q): %v", tt.spec, err)
			continue
		}
		after, err := time.Parse(time.RFC3339Nano, tt.after)
		if err != nil {
			t.Fatal(err)
		}
		got := ""
		if next := s.Next(after); !next.IsZero() {
			got = next.Format(time.RFC3339)
		}
		if got != tt.want {
			t.Errorf("%q after %s: got %q, want %q", tt.spec, tt.after, got, tt.want)
		}
	}
}

// TestNextIsTheFirstMatchingMinute walks minute by minute over changes of the
// clock in zones with uncommon ones.
func TestNextIsTheFirstMatchingMinute(t *testing.T) {
	t.Parallel()
	specs := []string{"30 2 * * *", "*/20 1-3 * * *", "50 3 * * 0", "0 0 * * *", "15 */5 4 * 1"}
	starts := map[string]string{
		"America/New_York": "2026-03-07T00:00:00Z", "Europe/Paris": "2026-10-24T00:00:00Z",
		"Pacific/Chatham": "2026-09-25T00:00:00Z", "Australia/Lord_Howe": "2026-04-03T00:00:00Z",
		"America/Sao_Paulo": "2018-11-02T00:00:00Z", "Pacific/Apia": "2011-12-28T00:00:00Z",
	}
	for zone, start := range starts {
		from, err := time.Parse(time.RFC3339, start)
		if err != nil {
			t.Fatal(err)
		}
		for _, spec := range specs {
			s, err := Parse("TZ=" + zone + " " + spec)
			if err != nil {
				t.Fatal(err)
			}
			var want []time.Time
			end := from.Add(7 * 24 * time.Hour)
			for m := from.Add(time.Minute); !m.After(end); m = m.Add(time.Minute) {
				if s.distance(m.In(s.loc)) == 0 {
					want = append(want, m)
				}
			}
			at := from
			for _, w := range want {
				if at = s.Next(at); !at.Equal(w) {
					t.Fatalf("%s %q: got %s, want %s", zone, spec, at, w)
				}
			}
		}
	}
}

// TestNextAgreesWithLibrary compares with the library's own search where that
// one is right: without changes of the clock.
func TestNextAgreesWithLibrary(t *testing.T) {
	t.Parallel()
	lib := cron.NewParser(cron.Minute | cron.Hour | cron.Dom | cron.Month | cron.Dow)
	rng := rand.New(rand.NewPCG(1, 2))
	pick := func(options ...string) string { return options[rng.IntN(len(options))] }
	for range 2000 {
		spec := pick("*", "0", "*/7", "3-9", "1,58") + " " + pick("*", "0", "23", "8-17", "*/6") + " " +
			pick("*", "1", "31", "29", "*/10", "?") + " " + pick("*", "2", "dec", "*/5") + " " + pick("*", "0", "mon-fri", "6", "*/3")
		s, err := Parse(spec)
		if err != nil {
			t.Fatalf("%q: %v", spec, err)
		}
		ref, err := lib.Parse("TZ=UTC " + spec)
		if err != nil {
			t.Fatal(err)
		}
		at := time.Unix(1_700_000_000+rng.Int64N(400_000_000), 0).UTC()
		want := ref.Next(at)
		if want.IsZero() {
			continue // the library gives up after five years
		}
		if got := s.Next(at); !got.Equal(want) {
			t.Fatalf("%q after %s: got %s, want %s", spec, at, got, want)
		}
	}
}

func TestJitter(t *testing.T) {
	t.Parallel()
	if got := Jitter(0, []byte("a")); got != 0 {
		t.Errorf("no limit: %s", got)
	}
	if got := Jitter(time.Second, []byte("a")); got != time.Second {
		t.Errorf("limit of one second: %s", got)
	}
	seen := map[time.Duration]bool{}
	for i := range 1000 {
		j := Jitter(5*time.Minute, []byte("fn"), []byte{byte(i), byte(i >> 8)})
		if j < time.Second || j >= 5*time.Minute {
			t.Fatalf("jitter %s is out of range", j)
		}
		seen[j] = true
	}
	if len(seen) < 900 {
		t.Errorf("only %d different delays of 1000", len(seen))
	}
	first := Jitter(time.Minute, []byte("a"), []byte("b"))
	if again := Jitter(time.Minute, []byte("a"), []byte("b")); again != first {
		t.Errorf("the same parts gave %s and %s", first, again)
	}
	if Jitter(time.Hour, []byte("ab"), []byte("c")) == Jitter(time.Hour, []byte("a"), []byte("bc")) {
		t.Error("parts run into each other")
	}
}

func TestNextDoesNotAllocate(t *testing.T) {
	s, err := Parse("TZ=Europe/Paris 30 2 * * 1-5")
	if err != nil {
		t.Fatal(err)
	}
	at := time.Unix(1_800_000_000, 0)
	if n := testing.AllocsPerRun(100, func() { at = s.Next(at) }); n > 0 {
		t.Errorf("%v allocations per call", n)
	}
}

func FuzzParse(f *testing.F) {
	for _, spec := range []string{"* * * * *", "TZ=Europe/Paris 0 12 * * *", "TZ=", "@hourly", "*/5 1-3 L * ?", "TZ=UTC TZ=0"} {
		f.Add(spec)
	}
	f.Fuzz(func(t *testing.T, spec string) {
		s, err := Parse(spec)
		if err != nil {
			return
		}
		at := time.Unix(1_800_000_000, 0)
		if next := s.Next(at); !next.IsZero() && !next.After(at) {
			t.Fatalf("%q fires at %s, not after %s", spec, next, at)
		}
	})
}

func BenchmarkNext(b *testing.B) {
	for _, spec := range []string{"* * * * *", "TZ=Europe/Paris 0 9 * * 1", "0 0 29 2 *", "0 0 30 2 *"} {
		s, err := Parse(spec)
		if err != nil {
			b.Fatal(err)
		}
		b.Run(spec, func(b *testing.B) {
			b.ReportAllocs()
			at := time.Unix(1_800_000_000, 0)
			for b.Loop() {
				s.Next(at)
			}
		})
	}
}
