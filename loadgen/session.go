package loadgen

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"net/url"
	"strings"
	"time"

	"ingot/loadgen/app"
	"ingot/loadgen/ledger"
	"ingot/loadgen/proc"
	"ingot/loadgen/record"
	"ingot/loadgen/sender"
	"ingot/loadgen/target"
)

// session is one measurement under way.
type session struct {
	plan     Plan
	target   *target.Target
	id       int64 // in every event, so that those of other sessions are told apart
	load     load
	clock    record.Clock
	rec      *record.Recorder
	ledger   *ledger.Ledger // nil if nothing runs
	events   *events
	endpoint *sender.Endpoint
	sender   *sender.Sender
	app      *app.App // nil with a real app, or if nothing runs
	held     *app.App
	resumer  *resumer
	server   *proc.Meter // nil if the server's process cannot be seen
	redis    *proc.RedisMeter

	started  time.Time
	heldTook time.Duration
	heldRSS  int64
	warnings []string
	measured measured
}

func newSession(ctx context.Context, p Plan, t *target.Target) (*session, error) {
	if err := p.Validate(); err != nil {
		return nil, err
	}
	s := &session{plan: p, target: t, id: rand.Int64N(1 << 40), clock: record.NewClock(), rec: record.New(), started: time.Now()}
	var err error
	if s.load, err = buildLoad(p); err != nil {
		return nil, err
	}
	if s.load.runs() {
		s.ledger = ledger.New(p.MaxEvents, s.load.branches(), p.Late)
	}
	s.events = newEvents(p, s.load, s.id, s.ledger, s.rec)
	headers := map[string]string{}
	if p.Gzip {
		headers["Content-Encoding"] = "gzip"
	}
	path := s.base() + "/e/" + url.PathEscape(p.EventKey)
	events, err := sender.NewEndpoint(path, headers)
	if err != nil {
		return nil, err
	}
	if s.endpoint, err = sender.NewEndpoint(path, nil); err != nil {
		return nil, err
	}
	if err := s.attach(ctx); err != nil {
		return nil, errors.Join(err, s.close())
	}
	s.sender = sender.New(sender.Options{Endpoint: events, Clients: p.Clients, Timeout: p.Timeout, Clock: s.clock})
	return s, nil
}

func (s *session) base() string { return strings.TrimSuffix(s.target.URL, "/") }

// attach finds the meters of the server.
func (s *session) attach(ctx context.Context) error {
	var err error
	if s.target.PID > 0 {
		if s.server, err = proc.Attach(s.target.PID); err != nil {
			s.warn("the server's process cannot be measured: %v", err)
			s.server = nil
		}
	}
	if s.plan.Redis != "" {
		if s.redis, err = proc.AttachRedis(ctx, s.plan.Redis); err != nil {
			return fmt.Errorf("redis: %w", err)
		}
	}
	return nil
}

func (s *session) appOptions() app.Options {
	return app.Options{Name: appName, Session: s.id, Ledger: s.ledger, Recorder: s.rec, Clock: s.clock,
		Server: s.base(), SigningKey: s.plan.SigningKey}
}

// prepare registers functions and puts the background in place. It ends when ctx
// does; the resumer and apps live until close.
func (s *session) prepare(ctx, life context.Context) error {
	if s.plan.AppURL != "" {
		s.syncExternal(ctx)
	}
	if s.load.runs() {
		o := s.appOptions()
		if s.waits() {
			s.resumer = startResumer(life, &resumer{session: s.id, after: s.resumeAfter(), clock: s.clock, ledger: s.ledger},
				s.endpoint, s.plan.Timeout)
			o.Waiting = s.resumer.wait
		}
		var err error
		if s.app, err = app.Start(o, s.load.functions()); err != nil {
			return err
		}
		if err := s.app.Register(ctx); err != nil {
			return err
		}
	}
	return s.hold(ctx)
}

func (s *session) waits() bool { return s.resumeAfter() > 0 }

// resumeAfter is that of the first workload that waits; 0 if none does.
func (s *session) resumeAfter() time.Duration {
	for _, p := range s.load.parts {
		if p.kind == app.Waits && !p.noRuns {
			return p.shape.ResumeAfter
		}
	}
	return 0
}

// close ends what the session started. life, given to prepare, has ended.
func (s *session) close() error {
	var errs []error
	if s.resumer != nil {
		s.resumer.all.Wait()
	}
	if s.sender != nil {
		s.sender.Close()
	}
	for _, a := range []*app.App{s.app, s.held} {
		if a != nil {
			errs = append(errs, a.Close())
		}
	}
	if s.server != nil {
		s.server.Close()
	}
	if s.redis != nil {
		s.redis.Close()
	}
	return errors.Join(errs...)
}

func (s *session) warn(format string, args ...any) {
	s.warnings = append(s.warnings, fmt.Sprintf(format, args...))
}

// progress writes one line for a person who waits.
func (s *session) progress(format string, args ...any) {
	if s.plan.Progress != nil {
		fmt.Fprintf(s.plan.Progress, format+"\n", args...)
	}
}

// serverSample is what the server has used so far; unknown figures are negative.
func (s *session) serverSample() proc.Sample {
	if s.server != nil {
		if sample, err := s.server.Sample(); err == nil {
			return sample
		}
	}
	return proc.Sample{CPU: proc.Unknown, RSS: proc.Unknown, Written: proc.Unknown, Fsyncs: proc.Unknown}
}
