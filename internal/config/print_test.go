package config

import (
	"strings"
	"testing"
)

func TestPrint(t *testing.T) {
	t.Parallel()
	l, err := Load(ModeStart, Sources{
		Getenv: env("INNGEST_SIGNING_KEY", "abcdef12", "INNGEST_SDK_URL", "http://me:hunter2@app/x,b:2"),
		Flags:  map[string][]string{"port": {"9000"}, "event-key": {"hunter2", "k"}},
		File:   inFile("postgres-uri", "postgres://u:hunter2@db/x?password=hunter2&sslmode=disable", "no-ui", "true", "retry-interval", "5"),
	})
	if err != nil {
		t.Fatal(err)
	}
	var b strings.Builder
	if err := Print(&b, l.Settings); err != nil {
		t.Fatal(err)
	}
	got := b.String()
	for _, want := range []string{
		"host: \"\" # default\n",
		"port: 9000 # flag --port\n",
		"sdk-url: ['http://me:xxxxx@app/x', 'b:2'] # env INNGEST_SDK_URL\n",
		"no-ui: true # file inngest.yaml\n",
		"signing-key: (redacted) # env INNGEST_SIGNING_KEY\n",
		"signing-key-fallback: \"\" # default\n",
		"event-key: [(redacted), (redacted)] # flag --event-key\n",
		"postgres-uri: postgres://u:xxxxx@db/x?password=xxxxx&sslmode=disable # file inngest.yaml\n",
		"retry-interval: 5s # file inngest.yaml\n",
		"queue-workers: 1000 # default\n",
	} {
		if !strings.Contains(got, want) {
			t.Errorf("no %q in\n%s", want, got)
		}
	}
	if strings.Contains(got, "hunter2") || strings.Contains(got, "abcdef12") {
		t.Errorf("a secret in\n%s", got)
	}
}

func TestNearest(t *testing.T) {
	t.Parallel()
	names := []string{"port", "postgres-uri", "redis-uri", "sdk-url"}
	for name, want := range map[string]string{
		"prot": "port", "Port": "port", "sdkurl": "sdk-url", "redis-url": "redis-uri", "pots": "", "postgresuri": "postgres-uri", "x": "", "": "",
	} {
		if got := nearest(name, names); got != want {
			t.Errorf("%s: %q, want %q", name, got, want)
		}
	}
}
