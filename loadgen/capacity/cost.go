package capacity

import "math"

const (
	million      = 1e6
	bytesPerGB   = 1e9
	monthSeconds = 30 * 86400
)

// Cost is about a million runs (events, if there are none). Figures that cannot
// be known are negative.
type Cost struct {
	// CoreHours is the CPU time that they use.
	CoreHours float64
	// Used is its price: the cost if the rest of the machine does other work.
	Used float64
	// Provisioned is the price of the whole machine for as long as they take at the
	// recommended rate.
	Provisioned float64
	// DiskBytes is what is written for each, DiskMonth the price of keeping all of it
	// for a month.
	DiskBytes float64
	DiskMonth float64
	// ExpectedDiskMonth is how many bytes a month at the expected rate writes.
	ExpectedDiskMonth float64
	// MemoryGB is what the server needs, as measured.
	MemoryGB float64
}

func (p *Part) cost(c Config) Cost {
	k := Cost{-1, -1, -1, -1, -1, -1, -1}
	r := p.Best
	if r == nil {
		return k
	}
	milliseconds := r.Server.CPUPerRun
	k.DiskBytes = r.Server.BytesPerRun
	if p.Unit == "events" {
		milliseconds, k.DiskBytes = r.Server.CPUPerEvent/1000, -1
		if r.Server.WrittenBytes >= 0 && r.Counts.Accepted > 0 {
			k.DiskBytes = float64(r.Server.WrittenBytes) / float64(r.Counts.Accepted)
		}
	}
	if r.Server.RSSMax >= 0 {
		k.MemoryGB = float64(r.Server.RSSMax) / bytesPerGB
	}
	if milliseconds >= 0 {
		k.CoreHours = milliseconds / 1000 * million / 3600
		if c.Prices.CoreHour > 0 {
			k.Used = k.CoreHours * c.Prices.CoreHour
		}
	}
	if hour := c.Prices.CoreHour*float64(r.Machine.Cores) + c.Prices.GBHour*max(0, k.MemoryGB); hour > 0 && p.Operating() > 0 {
		k.Provisioned = hour * million / p.Operating() / 3600
	}
	if k.DiskBytes >= 0 {
		if c.Prices.DiskGBMonth > 0 {
			k.DiskMonth = k.DiskBytes * million / bytesPerGB * c.Prices.DiskGBMonth
		}
		if c.Expect > 0 {
			k.ExpectedDiskMonth = k.DiskBytes * c.Expect * monthSeconds
		}
	}
	return k
}

// Headroom is how many times the expected rate the server sustains; 0 if unknown.
func (p *Part) Headroom(c Config) float64 {
	if c.Expect <= 0 {
		return 0
	}
	return p.Knee / c.Expect
}

// Machines is how many such machines carry the expected rate at the recommended
// load, if work spreads evenly over them; 0 if unknown.
func (p *Part) Machines(c Config) float64 {
	if c.Expect <= 0 || p.Operating() <= 0 {
		return 0
	}
	return math.Ceil(c.Expect / p.Operating())
}
