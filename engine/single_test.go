package engine

import (
	"math/rand/v2"
	"testing"
)

// TestSinglesAreUsedAgain adds and removes single runs at random and compares them with a map:
// none has another's memory, what is removed is used again, and a large memory goes when it is
// empty.
func TestSinglesAreUsedAgain(t *testing.T) {
	t.Parallel()
	rng := rand.New(rand.NewPCG(1, 2))
	var all singles
	model := map[singleID]uint64{}
	var ids []singleID
	remove := func() {
		i := rng.IntN(len(ids))
		id := ids[i]
		ids[i] = ids[len(ids)-1]
		ids = ids[:len(ids)-1]
		if got := all.get(id); got.slot != model[id] {
			t.Fatalf("single run %d is %d, want %d", id, got.slot, model[id])
		}
		delete(model, id)
		all.remove(id)
	}
	for round := range 3 {
		most := 3 * keptItems
		for len(ids) < most {
			if rng.IntN(4) == 0 && len(ids) > 0 {
				remove()
				continue
			}
			slot := rng.Uint64()
			id := all.add(single{slot: slot})
			if _, ok := model[id]; ok || id == 0 || !all.has(id) {
				t.Fatalf("%d single runs, and another one is %d", len(ids), id)
			}
			model[id] = slot
			ids = append(ids, id)
		}
		if got := all.used(); got != most {
			t.Errorf("%d are used, want %d", got, most)
		}
		if n := len(all.pieces) * singlesPerPiece; n > most+singlesPerPiece {
			t.Errorf("round %d: memory for %d, want %d", round, n, most)
		}
		last := ids[0]
		for len(ids) > 0 {
			remove()
		}
		if all.has(last) || len(all.pieces) > 0 {
			t.Errorf("memory for %d is kept", len(all.pieces)*singlesPerPiece)
		}
	}
}
