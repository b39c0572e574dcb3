// Package benchmarks measures what spans packages: the ceilings of the machine
// (ceiling_test.go), the way of an event through several stages (ingest_test.go,
// loop_test.go), and the alternatives between which a choice was made
// (choices_*_test.go, with the outcome in CHOICES.md).
//
// What does not live here: benchmarks of one package, which are beside it.
// Package micro runs and records all of them, package suite the workloads of
// loadgen, package record is the place of the results.
package benchmarks
