package config

import (
	"strings"
	"testing"
	"time"
)

// keys are the flags that start cannot do without.
func keys(more ...string) map[string][]string {
	m := map[string][]string{"signing-key": {"signkey-prod-abcdef12"}, "event-key": {"one,two", "three"}}
	for i := 0; i < len(more); i += 2 {
		m[more[i]] = []string{more[i+1]}
	}
	return m
}

func TestLoadStart(t *testing.T) {
	t.Parallel()
	l, err := Load(ModeStart, Sources{Getenv: env("INNGEST_SIGNING_KEY_FALLBACK", "ab12\n", "INNGEST_NO_UI", "true"), Flags: keys()})
	if err != nil {
		t.Fatal(err)
	}
	if l.SigningKey != "signkey-prod-abcdef12" || l.FallbackKey != "ab12" || strings.Join(l.EventKeys, " ") != "one two three" {
		t.Errorf("keys %q %q %q", l.SigningKey, l.FallbackKey, l.EventKeys)
	}
	if l.Discovery || l.Poll || !l.NoUI || l.ShutdownGrace != Unbounded || l.PollInterval != 5*time.Second {
		t.Errorf("got %+v", l.Config)
	}

	if l, err = Load(ModeStart, Sources{Getenv: env("INNGEST_POLL_INTERVAL", "0"), Flags: keys()}); err != nil || l.Poll {
		t.Errorf("an interval of 0 polls: %v, %+v", err, l.Config)
	}
	l, err = Load(ModeStart, Sources{Getenv: env("INNGEST_POLL_INTERVAL", "60"), Flags: keys("shutdown-grace-period", "30")})
	if err != nil || !l.Poll || l.PollInterval != time.Minute || l.ShutdownGrace != 30*time.Second {
		t.Errorf("%v, %+v", err, l.Config)
	}
}

// TestDriverKey: the key of the reference's driver stands in for the signing key.
func TestDriverKey(t *testing.T) {
	t.Parallel()
	f := inFile("driver-signing-key", "abcd", "event-key", "k")
	l, err := Load(ModeStart, Sources{Getenv: env(), File: f})
	if err != nil || l.SigningKey != "abcd" || len(l.Warnings) > 0 {
		t.Errorf("%v, key %q, warnings %q", err, l.SigningKey, l.Warnings)
	}
	l, err = Load(ModeStart, Sources{Getenv: env("INNGEST_SIGNING_KEY", "ef01"), File: f})
	if err != nil || l.SigningKey != "ef01" || !strings.Contains(strings.Join(l.Warnings, ""), "differs") {
		t.Errorf("%v, key %q, warnings %q", err, l.SigningKey, l.Warnings)
	}
}

func TestStartErrors(t *testing.T) {
	t.Parallel()
	for _, tc := range []struct {
		name string
		src  Sources
		want string
	}{
		{"no keys", Sources{Getenv: env()}, "Error: signing-key is required\nError: at least one event-key is required"},
		{"odd", Sources{Getenv: env(), Flags: keys("signing-key", "abc")}, "Error: signing-key must be hex string with even number of chars"},
		{"odd behind a prefix", Sources{Getenv: env(), Flags: keys("signing-key", "signkey-test-abc")}, "Error: signing-key must be hex string with even number of chars"},
		{"not hex", Sources{Getenv: env(), Flags: keys("signing-key", "zzzz")}, "Error: signing-key must be valid hex string: encoding/hex: invalid byte: U+007A 'z'"},
		{"nothing behind the prefix", Sources{Getenv: env(), Flags: keys("signing-key", "signkey-test-")}, "Error: signing-key has a prefix and nothing behind it"},
		{"fallback", Sources{Getenv: env(), Flags: keys("signing-key-fallback", "xy")}, "Error: signing-key-fallback must be valid hex string: encoding/hex: invalid byte: U+0078 'x'"},
		{"port", Sources{Getenv: env(), Flags: keys("port", "99999")}, "service api errored: listen tcp: address 99999: invalid port"},
		{"one connection", Sources{Getenv: env(), Flags: keys("postgres-max-open-conns", "1", "postgres-max-idle-conns", "1")}, "Error: postgres-max-open-conns (1) must be greater than 1"},
		{"more idle than open", Sources{Getenv: env(), Flags: keys("postgres-max-open-conns", "5")}, "Error: postgres-max-idle-conns (10) cannot be greater than postgres-max-open-conns (5)"},
		{"gateway IP", Sources{Getenv: env(), Flags: keys("connect-gateway-grpc-ip", "foo")}, `invalid connect gateway gRPC IP "foo": must be an IP address`},
		{"database", Sources{Getenv: env(), Flags: keys("postgres-uri", "mysql://u:secret@x/db")}, "unsupported database URL: mysql://u:xxxxx@x/db"},
		{"backend", Sources{Getenv: env("INNGEST_QUEUE_BACKEND", "sqs"), Flags: keys()}, "unknown queue backend: sqs"},
		{"negative time", Sources{Getenv: env(), Flags: keys("shutdown-grace-period", "-1")}, "shutdown-grace-period must not be negative"},
		{"too long", Sources{Getenv: env(), Flags: keys("poll-interval", "9223372036854775807")}, "poll-interval (9223372036854775807) must be at most 31622400"},
	} {
		if _, err := Load(ModeStart, tc.src); err == nil || err.Error() != tc.want {
			t.Errorf("%s: got %v\nwant %s", tc.name, err, tc.want)
		}
	}
}

// TestRedisIsRefused says which setting asks for it and what to do, and shows no password.
func TestRedisIsRefused(t *testing.T) {
	t.Parallel()
	for source, src := range map[string]Sources{
		"redis-uri (flag --redis-uri)":      {Getenv: env(), Flags: keys("redis-uri", "redis://:hunter2@x")},
		"redis-uri (env INNGEST_REDIS_URL)": {Getenv: env("INNGEST_REDIS_URL", "redis://:hunter2@x"), Flags: keys()},
		"queue-backend (file inngest.yaml)": {Getenv: env(), Flags: keys(), File: inFile("queue-backend", "redis")},
	} {
		_, err := Load(ModeStart, src)
		if err == nil || !strings.Contains(err.Error(), source) || !strings.Contains(err.Error(), "remove the setting") || strings.Contains(err.Error(), "hunter2") {
			t.Errorf("%s: %v", source, err)
		}
	}
}
