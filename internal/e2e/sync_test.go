package e2e

import (
	"strconv"
	"testing"
	"time"

	"ingot/internal/config"
	"ingot/internal/e2e/rawapp"
)

// TestServerFindsApps starts the server before the app, in the two ways in which
// the server comes to know an app by itself.
func TestServerFindsApps(t *testing.T) {
	needNode(t)
	for name, change := range map[string]func(dev *config.Config, port int){
		"by URL": func(dev *config.Config, port int) {
			dev.SDKURLs = []string{"127.0.0.1:" + strconv.Itoa(port) + "/api/inngest"}
			dev.Poll = true
		},
		"by discovery": func(dev *config.Config, port int) {
			t.Setenv("PORT", strconv.Itoa(port)) // one more port that is looked at
			dev.Discovery = true
		},
	} {
		t.Run(name, func(t *testing.T) {
			port, err := rawapp.FreePort()
			if err != nil {
				t.Fatal(err)
			}
			url := startServer(t, func(dev *config.Config) {
				dev.PollInterval = 200 * time.Millisecond
				change(dev, port)
			})
			app := startNode(t, url, "--port", strconv.Itoa(port))
			app.repeat(t, name, "finished no-steps", 1, func() { app.send(t, "e2e/no-steps", name, nil) })
		})
	}
}
