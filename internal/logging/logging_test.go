package logging

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"io"
	"log/slog"
	"strings"
	"testing"
	"testing/slogtest"
	"time"
)

func TestJSONKeepsSlogsContract(t *testing.T) {
	t.Parallel()
	var buf bytes.Buffer
	err := slogtest.TestHandler(New(&buf, Options{Format: FormatJSON}).Handler(), func() []map[string]any {
		var out []map[string]any
		for _, line := range bytes.Split(bytes.TrimSpace(buf.Bytes()), []byte("\n")) {
			m := map[string]any{}
			if err := json.Unmarshal(line, &m); err != nil {
				t.Fatalf("line %q: %v", line, err)
			}
			out = append(out, m)
		}
		return out
	})
	if err != nil {
		t.Fatal(err)
	}
}

func TestConsoleLine(t *testing.T) {
	t.Parallel()
	at := time.Date(2026, 1, 2, 3, 4, 5, 6_000_000, time.FixedZone("", 3600))
	for _, tc := range []struct {
		name  string
		level slog.Level
		color bool
		with  func(slog.Handler) slog.Handler
		attrs []slog.Attr
		want  string
	}{
		{"plain", slog.LevelInfo, false, nil, []slog.Attr{slog.String("url", "http://a"), slog.Int("n", 3)},
			"[02:04:05.006] INF hello url=http://a n=3\n"},
		{"quoted", slog.LevelWarn, false, nil, []slog.Attr{slog.String("e", "a b"), slog.String("empty", ""), slog.Any("err", errors.New(`x="y"`))},
			`[02:04:05.006] WRN hello e="a b" empty="" err="x=\"y\""` + "\n"},
		{"groups", slog.LevelError, false, func(h slog.Handler) slog.Handler {
			return h.WithAttrs([]slog.Attr{slog.Int("a", 1)}).WithGroup("g").WithAttrs([]slog.Attr{slog.Int("b", 2)}).WithGroup("")
		}, []slog.Attr{slog.Int("c", 3), slog.Group("h", slog.Int("d", 4)), slog.Group("", slog.Int("e", 5)), {}},
			"[02:04:05.006] ERR hello a=1 g.b=2 g.c=3 g.h.d=4 g.e=5\n"},
		{"values", slog.LevelDebug, false, nil, []slog.Attr{slog.Duration("d", 1500*time.Millisecond), slog.Time("t", at), slog.Any("any", []int{1})},
			"[02:04:05.006] DBG hello d=1.5s t=2026-01-02T02:04:05.006Z any=[1]\n"},
		{"colour", slog.LevelInfo, true, nil, []slog.Attr{slog.Int("n", 3)},
			"\x1b[90m[02:04:05.006]\x1b[0m \x1b[32mINF\x1b[0m hello \x1b[90mn=\x1b[0m3\n"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			var buf bytes.Buffer
			h := New(&buf, Options{Level: LevelTrace, Color: tc.color}).Handler()
			if tc.with != nil {
				h = tc.with(h)
			}
			r := slog.NewRecord(at, tc.level, "hello", 0)
			r.AddAttrs(tc.attrs...)
			if err := h.Handle(context.Background(), r); err != nil {
				t.Fatal(err)
			}
			if buf.String() != tc.want {
				t.Fatalf("got  %q\nwant %q", buf.String(), tc.want)
			}
		})
	}
}

func TestLevelFilters(t *testing.T) {
	t.Parallel()
	for _, f := range []Format{FormatConsole, FormatJSON, FormatText} {
		var buf bytes.Buffer
		l := New(&buf, Options{Level: slog.LevelWarn, Format: f})
		l.Info("quiet")
		l.Warn("loud", "took", 2*time.Second)
		if s := buf.String(); strings.Contains(s, "quiet") || !strings.Contains(s, "loud") || !strings.Contains(s, "2s") {
			t.Errorf("format %d wrote %q", f, s)
		}
	}
}

func TestLevelNames(t *testing.T) {
	t.Parallel()
	for _, tc := range []struct {
		in          string
		level       slog.Level
		ok          bool
		name, short string
	}{
		{"trace", LevelTrace, true, "TRACE", "TRC"},
		{"DEBUG", slog.LevelDebug, true, "DEBUG", "DBG"},
		{" info ", slog.LevelInfo, true, "INFO", "INF"},
		{"warn", slog.LevelWarn, true, "WARN", "WRN"},
		{"warning", slog.LevelWarn, true, "WARN", "WRN"},
		{"error", slog.LevelError, true, "ERROR", "ERR"},
		{"emergency", LevelEmergency, true, "EMERGENCY", "EMR"},
		{"nonsense", slog.LevelInfo, false, "INFO", "INF"},
	} {
		l, ok := ParseLevel(tc.in)
		if l != tc.level || ok != tc.ok {
			t.Errorf("ParseLevel(%q) = %v, %v", tc.in, l, ok)
		}
		if short, _ := shortLevel(l); levelName(l) != tc.name || short != tc.short {
			t.Errorf("%q is named %s and %s", tc.in, levelName(l), short)
		}
	}
	if short, _ := shortLevel(LevelNotice); levelName(LevelNotice) != "NOTICE" || short != "NTC" {
		t.Errorf("notice is named %s and %s", levelName(LevelNotice), short)
	}
}

func TestFormatNames(t *testing.T) {
	t.Parallel()
	for in, want := range map[string]Format{"json": FormatJSON, "DEV": FormatConsole, "console": FormatConsole, "txt": FormatText, "text": FormatText} {
		if f, ok := ParseFormat(in); !ok || f != want {
			t.Errorf("ParseFormat(%q) = %v, %v", in, f, ok)
		}
	}
	if _, ok := ParseFormat("xml"); ok {
		t.Error("xml is not a format")
	}
}

type failing struct{ io.Writer }

func (failing) Write([]byte) (int, error) { return 0, io.ErrShortWrite }

func TestConsoleReportsWriteErrors(t *testing.T) {
	t.Parallel()
	h := New(failing{}, Options{}).Handler()
	err := h.Handle(context.Background(), slog.NewRecord(time.Now(), slog.LevelInfo, "x", 0))
	if !errors.Is(err, io.ErrShortWrite) {
		t.Fatalf("got %v", err)
	}
}
