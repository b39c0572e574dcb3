package server

import (
	"fmt"
	"time"

	"ingot/internal/metrics"
)

// maxHistoryLag is how far the history may be behind before /ready tells so.
const maxHistoryLag = 5 * time.Minute

// watchHistory shows how far the history is behind: for how long there has been something
// that the database does not have, the error of the last try, and how many bytes wait. The
// server is ready as long as it accepts events: a load balancer that took it out would lose
// events for the sake of reads. It is called before operate.
func (s *Server) watchHistory(lag func() (time.Duration, error), waiting func() int64) {
	s.checks = append(s.checks, func() string {
		if n := waiting(); n >= maxOutboxBytes {
			return fmt.Sprintf("events are refused: %d bytes of history wait for the database", n)
		}
		return ""
	})
	s.hitch = func() string {
		behind, err := lag()
		switch {
		case err == nil && s.adopting.Load():
			return "apps and functions of a former server, if the history database has some, are not taken over yet"
		case err == nil && behind < maxHistoryLag:
			return ""
		case err == nil:
			return fmt.Sprintf("the history database is %s behind: what waits is on disk", behind.Round(time.Second))
		}
		return fmt.Sprintf("the history database has been away for %s: reads of history answer 503; events are accepted, runs go on, and their history waits on disk",
			behind.Round(time.Second))
	}
	s.metrics.Register(func(p *metrics.Page) {
		behind, err := lag()
		p.Gauge("ingot_history_lag_seconds", "For how long there has been history that the database does not have", behind.Seconds())
		away := 0.0
		if err != nil {
			away = 1
		}
		p.Gauge("ingot_history_away", "1 if the last try to write history failed", away)
	})
}
