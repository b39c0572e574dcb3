//go:build !goexperiment.jsonv2

package benchmarks

// canonicalExperiment is empty without GOEXPERIMENT=jsonv2.
var canonicalExperiment []canonicalAlternative
