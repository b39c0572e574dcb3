package logging

import (
	"context"
	"io"
	"log/slog"
	"sync"
)

// console writes `[15:04:05.000] INF message key=value`.
type console struct {
	w     io.Writer
	mu    *sync.Mutex
	level slog.Level
	color bool
	// prefix is the rendered attributes of WithAttrs, group the open groups' path.
	prefix []byte
	group  string
}

func newConsole(w io.Writer, level slog.Level, color bool) *console {
	return &console{w: w, mu: new(sync.Mutex), level: level, color: color}
}

// Enabled implements slog.Handler.
func (c *console) Enabled(_ context.Context, l slog.Level) bool { return l >= c.level }

// Handle implements slog.Handler.
func (c *console) Handle(_ context.Context, r slog.Record) error {
	b := make([]byte, 0, 256)
	b = c.paint(b, "\x1b[90m", func(b []byte) []byte {
		return r.Time.UTC().AppendFormat(b, "[15:04:05.000]")
	})
	label, color := shortLevel(r.Level)
	b = append(b, ' ')
	b = c.paint(b, color, func(b []byte) []byte { return append(b, label...) })
	b = append(b, ' ')
	b = append(b, r.Message...)
	b = append(b, c.prefix...)
	r.Attrs(func(a slog.Attr) bool {
		b = c.appendAttr(b, c.group, a)
		return true
	})
	b = append(b, '\n')
	c.mu.Lock()
	defer c.mu.Unlock()
	_, err := c.w.Write(b)
	return err
}

// WithAttrs implements slog.Handler.
func (c *console) WithAttrs(attrs []slog.Attr) slog.Handler {
	n := *c
	n.prefix = append([]byte(nil), c.prefix...)
	for _, a := range attrs {
		n.prefix = c.appendAttr(n.prefix, c.group, a)
	}
	return &n
}

// WithGroup implements slog.Handler.
func (c *console) WithGroup(name string) slog.Handler {
	if name == "" {
		return c
	}
	n := *c
	n.group = c.group + name + "."
	return &n
}

func (c *console) appendAttr(b []byte, group string, a slog.Attr) []byte {
	v := a.Value.Resolve()
	if a.Equal(slog.Attr{}) {
		return b
	}
	if v.Kind() == slog.KindGroup {
		if a.Key != "" {
			group += a.Key + "."
		}
		for _, g := range v.Group() {
			b = c.appendAttr(b, group, g)
		}
		return b
	}
	b = append(b, ' ')
	b = c.paint(b, "\x1b[90m", func(b []byte) []byte {
		b = append(b, group...)
		b = append(b, a.Key...)
		return append(b, '=')
	})
	return appendValue(b, v)
}

func (c *console) paint(b []byte, color string, text func([]byte) []byte) []byte {
	if !c.color {
		return text(b)
	}
	b = append(b, color...)
	b = text(b)
	return append(b, "\x1b[0m"...)
}
