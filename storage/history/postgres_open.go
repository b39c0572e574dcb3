package history

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"
)

// Defaults of the pool.
const (
	postgresConns    = 10
	postgresIdle     = 5 * time.Minute
	postgresLifetime = 30 * time.Minute
)

// openPostgres makes the pool. Nothing is connected yet.
func openPostgres(ctx context.Context, cfg *Config) (*postgres, error) {
	pc, err := pgxpool.ParseConfig(cfg.PostgresURI)
	if err != nil {
		return nil, fmt.Errorf("the PostgreSQL URI: %w", err) // without the password
	}
	if cfg.MaxConns > 0 {
		pc.MaxConns = int32(cfg.MaxConns)
	} else if !strings.Contains(cfg.PostgresURI, "pool_max_conns") {
		pc.MaxConns = postgresConns
	}
	pc.MaxConns = max(pc.MaxConns, 2) // one writes
	pc.MinConns = int32(min(cfg.MinConns, int(pc.MaxConns)))
	pc.MaxConnIdleTime, pc.MaxConnLifetime = postgresIdle, postgresLifetime
	if cfg.MaxConnIdle > 0 {
		pc.MaxConnIdleTime = cfg.MaxConnIdle
	}
	if cfg.MaxConnLifetime > 0 {
		pc.MaxConnLifetime = cfg.MaxConnLifetime
	}
	pc.ConnConfig.ConnectTimeout = connectTimeout
	pc.AfterConnect = func(ctx context.Context, conn *pgx.Conn) error {
		// Compiling a query takes longer than any of ours.
		_, err := conn.Exec(ctx, "SET jit = off")
		return err
	}
	pool, err := pgxpool.NewWithConfig(ctx, pc)
	if err != nil {
		return nil, err
	}
	return &postgres{pool: pool}, nil
}

// makeTables makes the tables that are missing.
func (p *postgres) makeTables(ctx context.Context) error {
	t, err := p.begin(ctx)
	if err != nil {
		return err
	}
	types := strings.NewReplacer("{int}", "BIGINT", "{blob}", "BYTEA", "{text}", "BYTEA", "{no}", ", no", "{clustered}", "")
	statements := append(slices.Clone(schema), postgresSchema...)
	for _, c := range added {
		statements = append(statements, "ALTER TABLE "+c.table+" ADD COLUMN IF NOT EXISTS "+c.column+" "+c.kind)
	}
	for _, stmt := range statements {
		if _, err := t.(*postgresTx).Exec(ctx, types.Replace(stmt)); err != nil {
			t.rollback()
			return fmt.Errorf("make the tables: %w", postgresFault(ctx, err))
		}
	}
	return t.commit(ctx)
}

// postgresSchema lets PostgreSQL leave alone what is compressed already.
var postgresSchema = []string{
	"ALTER TABLE ingot_runs ALTER COLUMN trace SET STORAGE EXTERNAL",
	"ALTER TABLE ingot_chunks ALTER COLUMN data SET STORAGE EXTERNAL",
	"ALTER TABLE ingot_bundles ALTER COLUMN data SET STORAGE EXTERNAL",
	"ALTER TABLE ingot_packs ALTER COLUMN data SET STORAGE EXTERNAL",
}
