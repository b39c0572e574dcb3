package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"time"

	"ingot/internal/config"
	"ingot/internal/logging"
	"ingot/internal/server"

	"github.com/urfave/cli/v3"
)

// stopTimeout bounds the way down after a signal, beyond the time that calls to apps
// may take to end. What is not finished by then is on disk and goes on at the next start.
const stopTimeout = 10 * time.Second

func devCommand(s streams) *cli.Command {
	return &cli.Command{
		Name:         "dev",
		Usage:        "Run the development server",
		UsageText:    "ingot dev -u http://localhost:3000/api/inngest",
		Flags:        devFlags(),
		OnUsageError: usageError(s),
		Action:       func(ctx context.Context, cmd *cli.Command) error { return serve(ctx, cmd, s, config.ModeDev) },
	}
}

func startCommand(s streams) *cli.Command {
	return &cli.Command{
		Name:         "start",
		Usage:        "Run the server for production, on one node",
		UsageText:    startUsage,
		Description:  startDescription,
		Flags:        startFlags(),
		OnUsageError: usageError(s),
		Action:       func(ctx context.Context, cmd *cli.Command) error { return serve(ctx, cmd, s, config.ModeStart) },
	}
}

// serve runs a server until a signal or its failure.
func serve(ctx context.Context, cmd *cli.Command, s streams, mode config.Mode) error {
	file, warnings, err := findConfig(cmd)
	options, logSettings := config.LogOptions(config.LogSources{
		Flags: givenLogFlags(cmd), Getenv: os.Getenv, File: file, OutTerminal: s.outTerminal, ErrTerminal: s.errTerminal,
	})
	log := logging.New(s.err, options)
	for _, w := range warnings {
		log.Warn(w)
	}
	if err != nil {
		return err
	}
	if file != nil {
		log.Info("using config", "file", file.Path)
	}
	cfg, err := config.Load(mode, config.Sources{Flags: givenFlags(cmd), Getenv: os.Getenv, Environ: os.Environ(), File: file})
	for _, w := range cfg.Warnings {
		log.Warn(w)
	}
	if cmd.Bool("print-config") {
		return errors.Join(config.Print(s.out, append(logSettings, cfg.Settings...)), err)
	}
	if err != nil {
		return err
	}
	for _, name := range cfg.NoEffect {
		log.Warn("setting has no effect in this version", "setting", name)
	}

	srv, err := server.Start(ctx, server.Config{Config: cfg.Config, Version: versionText(), Logger: log})
	if err != nil {
		return err
	}
	if s.outTerminal {
		banner(s.out, srv, cfg.Config)
	} else {
		log.Info("server ready", "addr", srv.Addr(), "data", srv.DataDir(), "version", versionText())
	}

	select {
	case <-ctx.Done():
		log.Info("shutting down server")
	case <-srv.Failed():
		log.Error("server failed", "err", srv.Err())
	}
	stopCtx, cancel := context.WithTimeout(context.WithoutCancel(ctx), cfg.ShutdownGrace+stopTimeout)
	defer cancel()
	return errors.Join(srv.Err(), srv.Close(stopCtx))
}

// findConfig reads the configuration file that applies, if any.
func findConfig(cmd *cli.Command) (file *config.File, warnings []string, err error) {
	explicit := cmd.String("config")
	if explicit == "" {
		explicit = os.Getenv("INNGEST_CONFIG")
	}
	dir, err := os.Getwd()
	if err != nil {
		return nil, nil, fmt.Errorf("finding the working directory: %w", err)
	}
	home, _ := os.UserHomeDir() // no home is no place to search
	return config.FindFile(explicit, dir, home, os.Getenv)
}
