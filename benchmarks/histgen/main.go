// Histgen fills a history database with runs, through the same Store as the server, and
// measures how long the queries of its readers take. It answers one question: do lists and
// details stay fast with 10,000,000 runs?
//
//	go run ./benchmarks/histgen -runs 10000000 -path /data/history.db
//	go run ./benchmarks/histgen -runs 0 -path /data/history.db -queries 300   # measure again
//	go run ./benchmarks/histgen -runs 10000000 -postgres postgres://…
//
// What does not live here: the cost of storing (BenchmarkStore in storage/history).
package main

import (
	"context"
	"flag"
	"fmt"
	"log"
	"os"
	"os/signal"
	"time"

	"ingot/storage/history"
)

func main() {
	runs := flag.Int("runs", 1_000_000, "how many runs to add")
	functions := flag.Int("functions", 400, "how many functions they are of, over two apps")
	days := flag.Float64("days", 30, "over how many days, up to now; the fewer, the more events are packed")
	path := flag.String("path", "", "SQLite file")
	uri := flag.String("postgres", "", "PostgreSQL database instead")
	queries := flag.Int("queries", 200, "queries of each kind to measure; 0 is none")
	seed := flag.Uint64("seed", 1, "of what is random")
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	if err := run(ctx, history.Config{Path: *path, PostgresURI: *uri}, newGenerator(*seed, *functions, *days, *runs), *queries); err != nil {
		log.Fatal(err)
	}
}

func run(ctx context.Context, cfg history.Config, g *generator, queries int) error {
	db, err := history.Open(ctx, cfg)
	if err != nil {
		return err
	}
	if err := fill(ctx, db, g); err != nil {
		return err
	}
	if queries > 0 {
		if err := measure(ctx, db, g, queries); err != nil {
			return err
		}
	}
	return db.Close()
}

// fillBatch is how many runs one Store adds.
const fillBatch = 10_000

func fill(ctx context.Context, db *history.DB, g *generator) error {
	begun, spent := time.Now(), time.Duration(0)
	for done := 0; done < g.runs; {
		n := min(fillBatch, g.runs-done)
		b := g.batch(n)
		at := time.Now()
		if err := db.Store(ctx, b); err != nil {
			return err
		}
		spent += time.Since(at)
		done += n
		if done%(50*fillBatch) == 0 || done == g.runs {
			fmt.Printf("%9d runs, %.0f per second, %.1f µs each in Store, %d bytes each\n", done, float64(done)/time.Since(begun).Seconds(),
				float64(spent.Microseconds())/float64(done), db.Stats(ctx).Bytes/int64(done))
		}
	}
	return nil
}
