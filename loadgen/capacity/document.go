package capacity

import (
	"fmt"
	"math"

	"ingot/loadgen/report"
)

// section is one part of the report, the same in Markdown and HTML.
type section struct {
	Title string
	Text  []string
	Head  []string
	Rows  [][]string
	// Chart is drawn in HTML only.
	Chart *Scaling
}

// sections puts a part's plan into words.
func (p *Part) sections(c Config) []section {
	return []section{p.rates(c), p.resource(c), p.growth(c), p.costs(c), p.measured()}
}

// amount is a rate in the part's unit.
func (p *Part) amount(v float64) string { return report.Number(v) + " " + p.Unit + "/s" }

// count writes a number of cores, nodes or clients.
func count(v float64) string { return fmt.Sprintf("%.4g", v) }

// price keeps three digits, however small.
func price(v float64) string { return fmt.Sprintf("%.3g", v) }

func (p *Part) rates(c Config) section {
	s := section{Title: "What it sustains"}
	if p.Best == nil {
		s.Text = []string{"No measured rate was sustained: each one missed its objective or lost work."}
	} else {
		s.Text = append(s.Text, fmt.Sprintf("%s%s sustained. Recommended for everyday load: %s, which is %.0f %% of that; the rest is for peaks and for catching up.",
			p.atLeast(), p.amount(p.Knee), p.amount(p.Operating()), 100*operatingShare))
	}
	if len(p.Sustained) == 0 {
		s.Text = append(s.Text, "None of these results was held against an objective (such as “first_call p99 < 50ms”), so this is the highest measured throughput without loss, whatever its latency.")
	}
	for i, o := range p.Sustained {
		if i == 0 {
			s.Head = []string{"Objective", "Highest rate that held it", "Failed at", "Because"}
		}
		held, failed := "none", "no higher rate was tried"
		if o.Rate > 0 {
			held = p.amount(o.Rate)
		}
		if o.FailedAt > 0 {
			failed = p.amount(o.FailedAt)
		}
		s.Rows = append(s.Rows, []string{o.Objective, held, failed, o.Reason})
	}
	if c.Expect > 0 && p.Best != nil {
		s.Text = append(s.Text, p.headroomText(c))
	}
	return s
}

// open says that the server's limit was not found: it can do more.
func (p *Part) open() bool { return p.Limit.Resource == "none" || p.Limit.Resource == "generator" }

func (p *Part) atLeast() string {
	if p.open() {
		return "At least "
	}
	return ""
}

func (p *Part) headroomText(c Config) string {
	head := p.Headroom(c)
	switch {
	case head >= 1/operatingShare:
		return fmt.Sprintf("Head-room at the expected %s: %.1fx. One such machine is enough.", p.amount(c.Expect), head)
	case p.open() && head < 1:
		return fmt.Sprintf("Whether the expected %s hold is not known: no more than %s were tried, and the limit lies higher.", p.amount(c.Expect), p.amount(p.Knee))
	case head >= 1:
		return fmt.Sprintf("Head-room at the expected %s: %.2fx. It holds, but above the recommended rate: a peak of more than %.0f %% does not.", p.amount(c.Expect), head, 100*(head-1))
	}
	return fmt.Sprintf("The expected %s are more than one such machine sustains (%.2fx): at the recommended load it takes %.0f, if the work spreads evenly over them.",
		p.amount(c.Expect), head, p.Machines(c))
}

func (p *Part) resource(c Config) section {
	s := section{Title: "What limits it", Text: []string{p.Limit.Text}}
	r := p.Best
	if r == nil {
		return s
	}
	s.Head = []string{"Resource", "Used", "Of"}
	add := func(name, used, of string) { s.Rows = append(s.Rows, []string{name, used, of}) }
	cores := fmt.Sprintf("%d cores", r.Machine.Cores)
	if r.Server.Cores >= 0 {
		add("Server CPU", fmt.Sprintf("%.2f cores", r.Server.Cores), cores)
	}
	add("Generator CPU", fmt.Sprintf("%.2f cores", r.Generator.Cores), cores)
	if r.Server.RSSMax >= 0 {
		add("Server memory", report.Bytes(float64(r.Server.RSSMax)), report.Bytes(float64(r.Machine.Memory)))
	}
	if r.Server.Fsyncs >= 0 {
		of := "unknown"
		if c.DiskFsyncs > 0 {
			of = report.Number(c.DiskFsyncs) + " per second"
		}
		add("Disk fsyncs", report.Number(perSecond(float64(r.Server.Fsyncs), r))+" per second", of)
	}
	if r.Server.WrittenBytes >= 0 {
		add("Disk writes", report.Bytes(perSecond(float64(r.Server.WrittenBytes), r))+" per second", "unknown")
	}
	if r.Redis != nil {
		add("Redis CPU", fmt.Sprintf("%.2f cores", perSecond(r.Redis.CPUSeconds, r)), "1 core")
	}
	return s
}

func (p *Part) growth(Config) section {
	s := section{Title: "What more " + p.Scaling.By + " would give"}
	f := p.Scaling.Fit
	if f == nil {
		s.Text = []string{"There is no fit: " + p.Scaling.Refused + ". Measure with three or more different numbers of cores, nodes or clients."}
		return s
	}
	s.Chart = &p.Scaling
	s.Text = append(s.Text, fmt.Sprintf("Universal Scalability Law: X(N) = λN / (1 + σ(N−1) + κN(N−1)), λ = %s, σ = %.3g (contention), κ = %.3g (coherence), R² = %.4f.",
		p.amount(f.Lambda), f.Sigma, f.Kappa, f.R2))
	if n, ok := f.Peak(); ok {
		s.Text = append(s.Text, fmt.Sprintf("Throughput peaks at N = %.3g with %s and falls beyond.%s", n, p.amount(f.At(n)), beyond(n, f.MaxN)))
	} else if f.Sigma > 0 {
		s.Text = append(s.Text, fmt.Sprintf("Throughput only grows, towards %s.", p.amount(f.Lambda/f.Sigma)))
	}
	s.Head = []string{p.Scaling.By, "By the fit", "Against now", ""}
	now := f.At(f.MaxN)
	steps := []float64{f.MaxN, f.MaxN * 1.5, f.MaxN * trustedFactor}
	if p.Scaling.hardware() {
		steps = []float64{f.MaxN, f.MaxN + 1, math.Max(f.MaxN+2, f.MaxN*trustedFactor)}
	}
	for i, n := range steps {
		note := "within what was measured"
		if i > 0 {
			note = "estimate"
		}
		if n > trustedFactor*f.MaxN {
			note = "guess"
		}
		s.Rows = append(s.Rows, []string{count(n), p.amount(f.At(n)), fmt.Sprintf("%+.0f %%", 100*(f.At(n)/now-1)), note})
	}
	s.Text = append(s.Text, p.Scaling.Trust())
	if !p.Scaling.hardware() {
		s.Text = append(s.Text, "N counts "+p.Scaling.By+" here, so this tells how the server bears concurrency. What another core or node gives needs results with different numbers of those: loadgen capacity --by cores 1=DIR 2=DIR 4=DIR.")
	}
	return s
}

func beyond(n, measured float64) string {
	if n > trustedFactor*measured {
		return " That is far beyond what was measured, so only that it lies far away can be relied on."
	}
	return ""
}

func (p *Part) costs(c Config) section {
	s := section{Title: "What a million " + p.Unit + " cost", Head: []string{"", "", "How"}}
	k := p.Cost
	add := func(name string, v float64, text, how string) {
		if v >= 0 {
			s.Rows = append(s.Rows, []string{name, text, how})
		}
	}
	add("CPU time", k.CoreHours, report.Number(k.CoreHours)+" core hours", "measured at "+p.amount(p.Knee))
	add("CPU used, price", k.Used, price(k.Used), "if the machine's other cores do other work")
	if k.Provisioned >= 0 {
		add("Machine, price", k.Provisioned, price(k.Provisioned),
			fmt.Sprintf("all %d cores and %s GB of memory while they run at the recommended %s", p.Best.Machine.Cores, report.Number(max(0, k.MemoryGB)), p.amount(p.Operating())))
	}
	add("Disk written", k.DiskBytes, report.Bytes(k.DiskBytes*million), report.Bytes(k.DiskBytes)+" each; with the log and rewriting, so more than is kept")
	add("Disk kept, price per month", k.DiskMonth, price(k.DiskMonth), "if all that was written were kept: an upper bound")
	add("Disk written per month", k.ExpectedDiskMonth, report.Bytes(k.ExpectedDiskMonth), "30 days at the expected "+p.amount(c.Expect))
	if s.Rows == nil {
		s.Head = nil
		s.Text = []string{"The server's process could not be seen, so there are no costs. Measure it where its process id is known."}
	} else if c.Prices == (Prices{}) {
		s.Text = []string{"Give --price-core-hour, --price-gb-hour and --price-disk-gb-month for prices."}
	}
	return s
}

func (p *Part) measured() section {
	s := section{Title: "From these results", Head: []string{"Measured", p.Scaling.By, "Tried, " + p.Unit + "/s", "Reached, " + p.Unit + "/s", "Server cores", "Lost", "Objective"}}
	for _, in := range p.inputs {
		r := in.Result
		tried, n, objective, cores := "closed loop", "–", "–", "–"
		if r.Pacing.Rate > 0 {
			tried = report.Number(p.tried(r))
		}
		if v := in.count(p.Scaling.By, p.rate(r)); v > 0 {
			n = count(v)
		}
		if r.Objective != nil {
			objective = map[bool]string{true: "met", false: "not met"}[r.Objective.Met]
		}
		if r.Server.Cores >= 0 {
			cores = report.Number(r.Server.Cores)
		}
		s.Rows = append(s.Rows, []string{r.Started.UTC().Format("2006-01-02 15:04:05"), n, tried, report.Number(p.rate(r)), cores, fmt.Sprint(r.Counts.Lost), objective})
	}
	return s
}
