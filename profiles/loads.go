package main

import "strings"

// loads are the flags of loadgen per workload: as much as a small machine with
// the generator on it keeps up with, so that batches are those of a busy server.
// `sleep` ends its runs within the session.
var loads = map[string]string{
	"ingest":   "--clients 64",
	"function": "--rate 6000 --batch 20 --clients 16",
	"steps":    "--rate 4000 --batch 20 --clients 16",
	"keys":     "--rate 4000 --batch 20 --clients 16 --limit 1000",
	"sleep":    "--rate 4000 --batch 20 --clients 16 --sleep 1s",
}

// otherLoad is for workloads that are not listed.
const otherLoad = "--rate 1000 --batch 10 --clients 16"

// mix is what the profile for the compiler is recorded from.
var mix = []string{"steps", "keys", "ingest", "sleep"}

func loadFlags(o options, workload string) []string {
	if o.load != "" {
		return strings.Fields(o.load)
	}
	if text, ok := loads[workload]; ok {
		return strings.Fields(text)
	}
	return strings.Fields(otherLoad)
}
