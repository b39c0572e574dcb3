package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"time"

	"ingot/internal/config"
	"ingot/internal/logging"
	"ingot/internal/server"

	"github.com/urfave/cli/v3"
)

// stopTimeout bounds the way down after a signal. What is not finished by then
// is on disk and goes on at the next start.
const stopTimeout = 10 * time.Second

func devCommand(s streams) *cli.Command {
	return &cli.Command{
		Name:         "dev",
		Usage:        "Run the development server",
		UsageText:    "ingot dev -u http://localhost:3000/api/inngest",
		Flags:        devFlags(),
		OnUsageError: usageError(s),
		Action: func(ctx context.Context, cmd *cli.Command) error {
			return dev(ctx, cmd, s)
		},
	}
}

func dev(ctx context.Context, cmd *cli.Command, s streams) error {
	log := logging.New(s.err, config.LogOptions(givenLogFlags(cmd), os.Getenv, s.outTerminal, s.errTerminal))
	file, err := findConfig(cmd, log)
	if err != nil {
		return err
	}
	cfg, warnings, err := config.LoadDev(config.Sources{Flags: givenFlags(cmd), Getenv: os.Getenv, File: file})
	for _, w := range warnings {
		log.Warn(w)
	}
	if err != nil {
		return err
	}
	for _, name := range cfg.NoEffect {
		log.Warn("setting has no effect in this version", "setting", name)
	}

	srv, err := server.Start(ctx, server.Config{Dev: cfg, Version: versionText(), Logger: log})
	if err != nil {
		return err
	}
	if s.outTerminal {
		banner(s.out, srv, cfg)
	} else {
		log.Info("server ready", "addr", srv.Addr(), "data", srv.DataDir(), "version", versionText())
	}

	select {
	case <-ctx.Done():
		log.Info("shutting down server")
	case <-srv.Failed():
		log.Error("server failed", "err", srv.Err())
	}
	stopCtx, cancel := context.WithTimeout(context.WithoutCancel(ctx), stopTimeout)
	defer cancel()
	return errors.Join(srv.Err(), srv.Close(stopCtx))
}

// findConfig reads the configuration file that applies, if any.
func findConfig(cmd *cli.Command, log *slog.Logger) (map[string][]string, error) {
	explicit := cmd.String("config")
	if explicit == "" {
		explicit = os.Getenv("INNGEST_CONFIG")
	}
	dir, err := os.Getwd()
	if err != nil {
		return nil, fmt.Errorf("finding the working directory: %w", err)
	}
	home, _ := os.UserHomeDir() // no home is no place to search
	file, warnings, err := config.FindFile(explicit, dir, home)
	for _, w := range warnings {
		log.Warn(w)
	}
	if err != nil || file == nil {
		return nil, err
	}
	log.Info("using config", "file", file.Path)
	return file.Values, nil
}
