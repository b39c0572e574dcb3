package engine

// RestartPartition replaces a partition by a new incarnation, as if another node had
// taken it over: what it had in memory is gone, answers of its calls are lost, what
// logs bring comes again. All its commits must be durable.
func (n *SimNode) RestartPartition(i int) error {
	old := n.e.workers[i]
	ps, err := n.e.conf.Store.Partition(i)
	if err != nil {
		return err
	}
	w := &worker{e: n.e, p: newPartition(i, old.p.lender.epoch+1, &n.e.set, ps, n.e.names, n.e.log), box: newMailbox(8192)}
	w.p.set = old.p.set
	for name, counts := range n.e.names.counts { // they are counted anew
		for counts[i] > 0 {
			n.e.names.remove(name, i)
		}
	}
	if _, err := w.p.recover(); err != nil {
		return err // what it has not delivered is with the router already
	}
	n.e.marks[i].box = w.box
	w.p.configure(old.p.snapshot)
	for _, c := range old.box.close() {
		switch c.kind {
		case cmdEvent, cmdMessage, cmdSnapshot, cmdDelivered:
			w.box.put(c)
		}
	}
	n.e.workers[i] = w
	return nil
}
