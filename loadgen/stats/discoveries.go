package stats

import "slices"

// Discoveries says which of many p-values to believe, by the procedure of
// Benjamini and Hochberg: of those it marks, at most the share alpha is expected
// to be chance. Of twenty figures of two equal servers one would be "different"
// at 5 % each; this is what keeps a comparison from reporting it.
func Discoveries(p []float64, alpha float64) []bool {
	order := make([]int, len(p))
	for i := range order {
		order[i] = i
	}
	slices.SortStableFunc(order, func(a, b int) int {
		switch {
		case p[a] < p[b]:
			return -1
		case p[a] > p[b]:
			return 1
		}
		return 0
	})
	last := -1
	for rank, i := range order {
		if p[i] <= alpha*float64(rank+1)/float64(len(p)) {
			last = rank
		}
	}
	found := make([]bool, len(p))
	for _, i := range order[:last+1] {
		found[i] = true
	}
	return found
}
